"""The simulated speaker: plays what it is given when the scenario says so, and keeps no time.

Laws:
- It keeps the contract of an audio sink: one finish for each segment that was captured, drained
  after a flush or cleared.
- Positions are in samples, so nothing is rounded before it is reported.
- What it is given is passed on as it is: who listens can tell whose audio it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import attrs

SAMPLE_RATE = 24_000
"""Samples a second of all audio here, mono, 16 bit, as the protocol's default."""


class SpeakerListener(Protocol):
    """What a client hears from the speaker."""

    def started(self) -> None:
        """The first sample of a segment is played."""

    def finished(self, seconds: float, interrupted: bool) -> None:
        """A segment has ended after `seconds` of it were played."""


@attrs.define
class Speaker:
    """One playback segment after another, in samples."""

    observe: Callable[[str, bytes], None]
    """Told of every act of the client, such as `capture` or `clear`, and of its sound."""
    listener: SpeakerListener | None = None
    captured: int = 0
    played: int = 0
    open: bool = False
    ending: Literal["", "flushed", "cleared"] = ""
    """How the segment that is played was ended; empty while it is open, or if there is none."""
    waiting: list[int] = attrs.field(factory=list)
    """Samples of the segments behind it; the last one is being captured if `open`."""
    paused: bool = False

    def capture(self, pcm: bytes) -> None:
        """The client hands over audio: 16 bit mono PCM."""
        samples = len(pcm) // 2
        if self.ending and not self.open:
            self.waiting.append(0)
        elif not self.open:
            self.captured = self.played = 0
        self.open = True
        if self.waiting:
            self.waiting[-1] += samples
        else:
            self.captured += samples
        self.observe("capture", pcm)

    def flush(self) -> None:
        """The client marks the end of the segment."""
        if self.open and not self.waiting:
            self.ending = "flushed"
        self.open = False
        self.observe("flush", b"")

    def clear(self) -> None:
        """The client drops what has not been played and ends what was captured."""
        if self.open or self.ending:
            self.ending = "cleared"
        self.open = self.paused = False
        self.observe("clear", b"")

    def pause(self) -> None:
        """The client holds playout where it is; nothing happens if it is held already."""
        if not self.paused:
            self.paused = True
            self.observe("pause", b"")

    def resume(self) -> None:
        """The client lets playout go on; nothing happens if it goes on already."""
        if self.paused:
            self.paused = False
            self.observe("resume", b"")

    def play(self, samples: int) -> None:
        """Playout advances by `samples`, or by what is left, unless it is cleared or paused."""
        if self.ending == "cleared" or self.paused:
            return
        advance = min(samples, self.captured - self.played)
        first = self.played == 0 and advance > 0
        self.played += advance
        if first and self.listener is not None:
            self.listener.started()

    def report(self) -> None:
        """Report the end of the segment, drained or cleared, and go on to the next one.

        Raises:
            RuntimeError: no segment has ended.
        """
        if not self.ending:
            raise RuntimeError("there is no segment whose end could be reported")
        interrupted, heard = self.ending == "cleared", self.played
        self._next_segment()
        if self.listener is not None:
            self.listener.finished(heard / SAMPLE_RATE, interrupted)

    def _next_segment(self) -> None:
        cleared = self.ending == "cleared"
        if not self.waiting:
            self.ending = ""
            return
        self.captured, self.played = self.waiting.pop(0), 0
        # a clear ends every segment that was captured before it
        if not cleared:
            self.ending = "" if self.open and not self.waiting else "flushed"
