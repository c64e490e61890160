"""The simulated speaker: plays what it is given when the scenario says so, and keeps no time.

Laws:
- It keeps the contract of an audio sink: one finish for each segment that was captured, drained
  after a flush or cleared.
- Positions are in samples, so nothing is rounded before it is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

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

    observe: Callable[[str, int], None]
    """Told of every act of the client: `capture`, `flush` or `clear`, and its samples."""
    listener: SpeakerListener | None = None
    captured: int = 0
    played: int = 0
    open: bool = False
    ending: str = ""

    def capture(self, samples: int) -> None:
        """The client hands over `samples` of audio."""
        if not self.open and not self.ending:
            self.captured = self.played = 0
        self.open = True
        self.captured += samples
        self.observe("capture", samples)

    def flush(self) -> None:
        """The client marks the end of the segment."""
        if self.open:
            self.open, self.ending = False, "flushed"
        self.observe("flush", 0)

    def clear(self) -> None:
        """The client drops what has not been played and ends the segment."""
        if self.open or self.ending:
            self.open, self.ending = False, "cleared"
        self.observe("clear", 0)

    def play(self, samples: int) -> None:
        """Playout advances by `samples`, or by what is left."""
        advance = min(samples, self.captured - self.played)
        first = self.played == 0 and advance > 0
        self.played += advance
        if first and self.listener is not None:
            self.listener.started()

    def report(self) -> None:
        """Report the end of the segment, drained or cleared."""
        interrupted = self.ending == "cleared"
        self.ending = ""
        if self.listener is not None:
            self.listener.finished(self.played / SAMPLE_RATE, interrupted)
