"""The whole published agent: `AgentSession` with the OpenAI `RealtimeModel`, as a user runs it.

Laws:
- Nothing of livekit is patched; its public signatures say how to construct things, never its
  version.
- The speaker keeps livekit's contract: one finish for each captured segment, a pause only where it
  says that it can.
- What agent code awaits is a task of its own: an exception that it lets through is evidence.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from realtime_conformance.accounts import Item, Told
from realtime_conformance.clients.interface import Seams
from realtime_conformance.clients.livekit_parts import (
    accepts,
    installed,
    realtime_model,
    remembered,
    remove_oldest,
    sound,
    told,
    tool,
)
from realtime_conformance.setting import Setting
from realtime_conformance.speaker import SAMPLE_RATE

with installed():
    from livekit import rtc
    from livekit.agents import Agent, AgentSession
    from livekit.agents.voice import io


class SpeakerOutput(io.AudioOutput):
    """livekit's view of the simulated speaker."""

    def __init__(self, seams: Seams) -> None:
        arguments: dict[str, Any] = {"sample_rate": SAMPLE_RATE}
        if accepts(io.AudioOutput.__init__, "label"):
            arguments["label"] = "simulated speaker"
        if accepts(io.AudioOutput.__init__, "capabilities"):
            can_pause = seams.setting.pauses
            arguments["capabilities"] = io.AudioOutputCapabilities(pause=can_pause)
        super().__init__(**arguments)
        self._speaker = seams.speaker
        self._speaker.listener = self

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """The client hands over one frame."""
        await super().capture_frame(frame)
        self._speaker.capture(bytes(frame.data))

    def flush(self) -> None:
        """The client marks the end of a segment."""
        super().flush()
        self._speaker.flush()

    def clear_buffer(self) -> None:
        """The client stops playout."""
        self._speaker.clear()

    def pause(self) -> None:
        """The client holds playout."""
        super().pause()
        self._speaker.pause()

    def resume(self) -> None:
        """The client lets playout go on."""
        super().resume()
        self._speaker.resume()

    def started(self) -> None:
        """The speaker plays the first sample of a segment."""
        report = getattr(self, "on_playback_started", None)
        if report is not None:
            # as of the wall clock: it dates the message in the history
            report(created_at=time.time())

    def finished(self, seconds: float, interrupted: bool) -> None:
        """The speaker has ended a segment."""
        self.on_playback_finished(playback_position=seconds, interrupted=interrupted)


class Microphone(io.AudioInput):
    """livekit's view of the simulated microphone."""

    def __init__(self) -> None:
        # the class is asked: where it has no constructor, that of `object` only seems to take any
        if accepts(io.AudioInput, "label"):
            super().__init__(label="simulated microphone")
        else:
            super().__init__()  # type: ignore[call-arg]  # as it was in 1.0
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        """The next frame that was picked up."""
        return await self._frames.get()

    def pick_up(self, seconds: float) -> None:
        """Pick up `seconds` of sound."""
        self._frames.put_nowait(sound(seconds))


def _turns(setting: Setting) -> dict[str, Any]:
    """Who detects turns, and what becomes of a false interruption, as the session takes it."""
    detection = "realtime_llm" if setting.detects_turns else "manual"
    if accepts(AgentSession.__init__, "turn_handling"):
        # a pause is only for interruptions that may turn out to be false ones
        resume = {"resume_false_interruption": setting.pauses}
        return {"turn_handling": {"turn_detection": detection, "interruption": resume}}
    found: dict[str, Any] = {}
    if accepts(AgentSession.__init__, "turn_detection"):
        found["turn_detection"] = detection
    if accepts(AgentSession.__init__, "resume_false_interruption"):
        found["resume_false_interruption"] = setting.pauses
    return found


class LivekitAgent:
    """One `AgentSession`, from start to close."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self._microphone = Microphone()
        self._speaker = None if seams.muted else SpeakerOutput(seams)
        self._model = realtime_model(seams)
        arguments: dict[str, Any] = {"llm": self._model, **_turns(seams.setting)}
        if accepts(AgentSession.__init__, "vad"):
            # the server detects turns; a local detector would add a second opinion
            arguments["vad"] = None
        self._session: AgentSession[Any] = AgentSession(**arguments)
        self._tools = [tool(seams)] if seams.setting.tools else []
        self._agent = Agent(instructions="Be brief.", tools=self._tools)
        self._newest: Any = None
        self._speeds = itertools.cycle([1.2, 1.0])
        self._acts: set[asyncio.Task[Any]] = set()
        self._speeches: list[Any] = []
        self._errors: list[Told] = []
        self._session.on("speech_created", lambda event: self._speeches.append(event.speech_handle))
        self._session.on("error", lambda event: self._errors.append(told(event)))

    async def start(self) -> None:
        """Start the agent and let it connect."""
        self._session.input.audio = self._microphone
        self._session.output.audio = self._speaker
        await self._session.start(agent=self._agent)

    def generate_reply(self) -> None:
        """Agent code asks for a reply."""
        self._newest = self._session.generate_reply()

    def generate_reply_again(self) -> None:
        """Agent code asks for another reply while one is under way."""
        self._newest = self._session.generate_reply(instructions="Say it again.")

    def interrupt(self) -> None:
        """Agent code interrupts the session."""
        # the returned future is the client's own business: agent code seldom awaits it
        self._session.interrupt()

    def interrupt_handle(self) -> None:
        """Agent code interrupts one speech: the newest that it asked for, or the current one."""
        handle = self._newest or self._session.current_speech
        if handle is not None:
            handle.interrupt()

    def hear(self, seconds: float) -> None:
        """The microphone picks up speech."""
        self._microphone.pick_up(seconds)

    def commit_user_turn(self) -> None:
        """Agent code ends a turn that is taken by hand."""
        self._session.commit_user_turn()

    def clear_user_turn(self) -> None:
        """Agent code drops what was said since the last turn."""
        self._session.clear_user_turn()

    def update_chat_ctx(self) -> None:
        """Agent code adds a message of the user to the context."""
        context = self._agent.chat_ctx.copy()
        context.add_message(role="user", content="I am in London.")
        self._do(self._agent.update_chat_ctx(context))

    def update_chat_ctx_remove(self) -> None:
        """Agent code takes the oldest message of the user out of the context."""
        context = self._agent.chat_ctx.copy()
        remove_oldest(context)
        self._do(self._agent.update_chat_ctx(context))

    def update_instructions(self) -> None:
        """Agent code changes the instructions."""
        self._do(self._agent.update_instructions("Be very brief."))

    def update_tools(self) -> None:
        """Agent code changes the tools."""
        self._do(self._agent.update_tools([tool(self._seams)]))

    def update_options(self) -> None:
        """Agent code changes an option of the session."""
        # an option that stays as it is would not be sent
        self._model.update_options(speed=next(self._speeds))

    def hand_over(self) -> None:
        """Agent code hands over to another agent."""
        self._agent = Agent(instructions="Be polite.", tools=self._tools)
        self._session.update_agent(self._agent)

    async def close(self) -> None:
        """Close the session and wait for its end."""
        await self._session.aclose()

    # what it says of itself

    def memory(self) -> dict[str, list[Item]]:
        """What the plugin's session, the agent and the session's history hold."""
        agent = self._session.current_agent
        found = {
            "context": remembered(agent.chat_ctx),
            "history": remembered(self._session.history, dated=True),
        }
        with suppress(RuntimeError):  # an agent that does not run has no session of the plugin
            found["mirror"] = remembered(agent.realtime_llm_session.chat_ctx)
        return found

    if hasattr(AgentSession, "agent_state"):  # a release that has none does not tell

        def states(self) -> dict[str, str]:
            """What the session says that agent and user are doing."""
            return {"agent": self._session.agent_state, "user": self._session.user_state}

    def pending(self) -> list[str]:
        """Speeches that are not done, and calls of agent code that have not come back."""
        speeches = ["speech" for speech in self._speeches if not speech.done()]
        return speeches + [act.get_name() for act in self._acts]

    def errors(self) -> list[Told]:
        """The session's error events."""
        return self._errors

    def _do(self, act: Coroutine[Any, Any, None]) -> None:
        """Let agent code wait for an act, as a handler of its own would."""
        task = asyncio.get_running_loop().create_task(act, name=getattr(act, "__name__", "act"))
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)
