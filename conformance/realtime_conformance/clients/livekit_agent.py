"""The whole published agent: `AgentSession` with the OpenAI `RealtimeModel`, as a user runs it.

Laws:
- Nothing of livekit is patched; its public signatures say how to construct things, never its
  version.
- The speaker keeps livekit's contract: one finish for each captured segment, no pause.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

from realtime_conformance.clients.interface import MissingSeam, Seams
from realtime_conformance.speaker import SAMPLE_RATE

# the inference helper would look for a hosted service; nothing here needs one
os.environ.setdefault("OPENAI_API_KEY", "unused")

try:
    from livekit import rtc
    from livekit.agents import Agent, AgentSession
    from livekit.agents.voice import io
    from livekit.plugins import openai
except ImportError as error:
    raise MissingSeam(
        f"expected livekit-agents and livekit-plugins-openai to be installed, got: {error}"
    ) from error


@functools.cache
def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether a public callable takes the argument `name`."""
    parameters = inspect.signature(function).parameters
    return name in parameters or any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()
    )


def require(function: Callable[..., Any], name: str) -> None:
    """Raise MissingSeam unless a public callable takes the argument `name`."""
    if not accepts(function, name):
        raise MissingSeam(
            f"expected {function.__qualname__} to take {name!r}, "
            f"it takes {', '.join(inspect.signature(function).parameters)}"
        )


class SpeakerOutput(io.AudioOutput):
    """livekit's view of the simulated speaker."""

    def __init__(self, seams: Seams) -> None:
        arguments: dict[str, Any] = {"sample_rate": SAMPLE_RATE}
        if accepts(io.AudioOutput.__init__, "label"):
            arguments["label"] = "simulated speaker"
        if accepts(io.AudioOutput.__init__, "capabilities"):
            arguments["capabilities"] = io.AudioOutputCapabilities(pause=False)
        super().__init__(**arguments)
        self._speaker = seams.speaker
        self._speaker.listener = self

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """The client hands over one frame."""
        await super().capture_frame(frame)
        self._speaker.capture(frame.samples_per_channel)

    def flush(self) -> None:
        """The client marks the end of a segment."""
        super().flush()
        self._speaker.flush()

    def clear_buffer(self) -> None:
        """The client stops playout."""
        self._speaker.clear()

    def started(self) -> None:
        """The speaker plays the first sample of a segment."""
        report = getattr(self, "on_playback_started", None)
        if report is not None:
            report(created_at=asyncio.get_running_loop().time())

    def finished(self, seconds: float, interrupted: bool) -> None:
        """The speaker has ended a segment."""
        self.on_playback_finished(playback_position=seconds, interrupted=interrupted)


class Microphone(io.AudioInput):
    """livekit's view of the simulated microphone."""

    def __init__(self) -> None:
        if accepts(io.AudioInput.__init__, "label"):
            super().__init__(label="simulated microphone")
        else:
            super().__init__()  # type: ignore[call-arg]  # as it was in 1.0
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        """The next frame that was picked up."""
        return await self._frames.get()

    def pick_up(self, seconds: float) -> None:
        """Pick up `seconds` of sound."""
        samples = int(seconds * SAMPLE_RATE)
        self._frames.put_nowait(
            rtc.AudioFrame(
                data=b"\0" * (2 * samples),
                sample_rate=SAMPLE_RATE,
                num_channels=1,
                samples_per_channel=samples,
            )
        )


def _realtime_model(seams: Seams) -> Any:
    model = openai.realtime.RealtimeModel
    require(model.__init__, "base_url")
    require(model.__init__, "http_session")
    arguments: dict[str, Any] = {
        "base_url": seams.base_url,
        "api_key": "unused",
        "http_session": seams.http,
    }
    if accepts(model.__init__, "turn_detection"):
        arguments["turn_detection"] = _server_vad()
    if accepts(model.__init__, "max_session_duration"):
        # a planned rotation is a reconnection, which this scope does not hold
        arguments["max_session_duration"] = None
    return model(**arguments)


def _server_vad() -> Any:
    from openai.types.beta.realtime.session import TurnDetection

    return TurnDetection(type="server_vad", create_response=True, interrupt_response=True)


class LivekitAgent:
    """One `AgentSession`, from start to close."""

    def __init__(self, seams: Seams) -> None:
        self._microphone = Microphone()
        self._speaker = None if seams.muted else SpeakerOutput(seams)
        arguments: dict[str, Any] = {"llm": _realtime_model(seams)}
        if accepts(AgentSession.__init__, "vad"):
            # the server detects turns; a local detector would add a second opinion
            arguments["vad"] = None
        if accepts(AgentSession.__init__, "turn_handling"):
            arguments["turn_handling"] = {"turn_detection": "realtime_llm"}
        elif accepts(AgentSession.__init__, "turn_detection"):
            arguments["turn_detection"] = "realtime_llm"
        self._session: AgentSession[Any] = AgentSession(**arguments)

    async def start(self) -> None:
        """Start the agent and let it connect."""
        self._session.input.audio = self._microphone
        self._session.output.audio = self._speaker
        await self._session.start(agent=Agent(instructions="Be brief."))

    def generate_reply(self) -> None:
        """Agent code asks for a reply."""
        self._session.generate_reply()

    def interrupt(self) -> None:
        """Agent code interrupts the session."""
        # the returned future is the client's own business: agent code seldom awaits it
        self._session.interrupt()

    def hear(self, seconds: float) -> None:
        """The microphone picks up speech."""
        self._microphone.pick_up(seconds)

    async def close(self) -> None:
        """Close the session and wait for its end."""
        await self._session.aclose()
