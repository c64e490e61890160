"""The plugin's `RealtimeSession` alone, driven through its public API by a small scripted agent.

Laws:
- Nothing of livekit is patched; its public signatures say how to call it, never its version.
- What belongs to one reply is kept with that reply. Replies are heard one after another, and the
  app's next one is not requested before the one that is under way was heard.
- An interrupted reply is heard no further: its response is cancelled once, as soon as there is one,
  and the speaker is cleared. Once it is known what was heard of a message it is truncated there.
- A message is corrected once, and not before it is in the conversation.
- The app's function answers every call that was begun; an interrupted reply begins none.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import attrs

from realtime_conformance.accounts import Item, Told
from realtime_conformance.clients.interface import FUNCTION, Seams, ToolFailed
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

with installed():
    from livekit.agents import llm


@attrs.define(eq=False)
class Reply:
    """One reply, from the request for it until nothing is owed to it."""

    request: asyncio.Future[Any] | None = None
    """What the session hands out for a request; None for a reply to a turn."""
    generating: bool = False
    """Its response was created and is not done."""
    heard: bool = False
    """It was generated and played to its end, or there will be none."""
    cut: bool = False
    """It was interrupted."""
    lost: bool = False
    """It belongs to a conversation that has ended with its connection."""

    def begin(self) -> None:
        """Its response was created."""
        self.generating = True

    def done(self) -> None:
        """Its response is done."""
        self.generating = False

    def end(self) -> None:
        """Nothing more of it will be heard."""
        self.heard = True

    def interrupt(self) -> None:
        """Nothing more of it is to be heard."""
        self.cut = True

    def lose(self) -> None:
        """Its conversation has ended."""
        self.lost = True

    def begins_with(self, generation: Any) -> bool:
        """Whether a generation is what was requested."""
        request = self.request
        if request is None or not request.done() or request.cancelled() or request.exception():
            return False
        return request.result() is generation


@attrs.define(eq=False)
class Message:
    """One message of a reply, and what the speaker has said of it."""

    reply: Reply
    source: Any
    """As the session hands it out."""
    text: str = ""
    """Its text so far."""
    sounds: bool = False
    """The speaker was given audio of it."""
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set once the speaker has reported its end."""
    seconds: float = 0.0
    """How much of it was heard."""
    interrupted: bool = False

    async def read(self) -> None:
        """Read the text as it comes."""
        async for piece in self.source.text_stream:
            self.text += piece

    def begin(self) -> None:
        """The speaker is given the first audio of it."""
        self.sounds = True

    def end(self, seconds: float, interrupted: bool) -> None:
        """The speaker has reported how much was heard."""
        self.seconds, self.interrupted = seconds, interrupted
        self.ended.set()


class LivekitSession:
    """One `RealtimeSession`, from start to close, and the agent that uses it."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self._speaker = seams.speaker
        self._speaker.listener = self
        self._model = realtime_model(seams)
        self._session: Any = None
        self._wanted: deque[dict[str, Any]] = deque()
        self._replies: list[Reply] = []
        self._playing: Message | None = None
        self._floor = asyncio.Lock()
        # the session takes a whole context, so two changes must not be made from the same copy
        self._changing = asyncio.Lock()
        # an option that stays as it is would not be sent
        self._choices = itertools.cycle(["none", "auto"])
        self._tasks: set[asyncio.Task[Any]] = set()
        self._updates = 0
        """Updates of the context that have not come back."""
        self._errors: list[Told] = []

    # what the harness calls

    async def start(self) -> None:
        """Open the session and configure it."""
        self._session = self._model.session()
        self._session.on("generation_created", self._on_generation)
        self._session.on("input_speech_started", self._on_speech)
        self._session.on("session_reconnected", self._on_reconnection)
        self._session.on("error", lambda event: self._errors.append(told(event)))
        await self._configure("Be brief.")

    def generate_reply(self) -> None:
        """Agent code asks for a reply."""
        self._want()

    def generate_reply_again(self) -> None:
        """Agent code asks for another reply while one is under way."""
        self._want(instructions="Say it again.")

    def interrupt(self) -> None:
        """Agent code interrupts everything."""
        self._wanted.clear()
        for reply in self._replies:
            self._cut(reply)

    def interrupt_handle(self) -> None:
        """Agent code interrupts the newest reply alone."""
        if self._wanted:
            self._wanted.pop()
        elif self._replies:
            self._cut(self._replies[-1])

    def hear(self, seconds: float) -> None:
        """The microphone picks up speech."""
        self._session.push_audio(sound(seconds))

    def commit_user_turn(self) -> None:
        """Agent code ends a turn that is taken by hand, and wants a reply to it."""
        self._session.commit_audio()
        self._want()

    def clear_user_turn(self) -> None:
        """Agent code drops what was said since the last turn."""
        self._session.clear_audio()

    def update_chat_ctx(self) -> None:
        """Agent code adds a message of the user to the context."""
        self._do(self._change(lambda ctx: ctx.add_message(role="user", content="I am in London.")))

    def update_chat_ctx_remove(self) -> None:
        """Agent code takes the oldest message of the user out of the context."""
        self._do(self._change(remove_oldest))

    def update_instructions(self) -> None:
        """Agent code changes the instructions."""
        self._do(self._session.update_instructions("Be very brief."))

    def update_tools(self) -> None:
        """Agent code changes the tools."""
        self._do(self._session.update_tools([tool(self._seams)]))

    def update_options(self) -> None:
        """Agent code changes an option of the session."""
        self._session.update_options(tool_choice=next(self._choices))

    def hand_over(self) -> None:
        """Another agent takes over the session, with other instructions and tools."""
        self._do(self._configure("Be polite."))

    async def close(self) -> None:
        """Close the session; nothing more is heard."""
        for reply in self._replies:
            reply.interrupt()
            self._silence(reply)
        await self._session.aclose()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # what it says of itself

    def memory(self) -> dict[str, list[Item]]:
        """What the session takes the server's conversation to be; the agent remembers nothing."""
        return {"mirror": remembered(self._session.chat_ctx)}

    def pending(self) -> list[str]:
        """Requests, generations and updates of the session that have not come to their end."""
        requests = [r.request for r in self._replies if r.request is not None]
        going_on = [reply for reply in self._replies if reply.generating]
        return [
            *["generate_reply" for request in requests if not request.done()],
            *["generation" for _ in going_on],
            *["update_chat_ctx" for _ in range(self._updates)],
        ]

    def errors(self) -> list[Told]:
        """The session's error events."""
        return self._errors

    # what the speaker calls

    def started(self) -> None:
        """The first sample is played."""

    def finished(self, seconds: float, interrupted: bool) -> None:
        """The segment has ended after `seconds` of it were played."""
        assert self._playing is not None
        self._playing.end(seconds, interrupted)

    # what the session tells

    def _on_generation(self, generation: Any) -> None:
        """A response was created, requested or not; an interrupted one can be cancelled now."""
        reply = next((r for r in self._replies if r.begins_with(generation)), None)
        if reply is None:
            reply = Reply()
            self._replies.append(reply)
        reply.begin()
        if reply.cut:
            self._session.interrupt()
        self._do(self._follow(reply, generation))

    def _on_speech(self, _: Any) -> None:
        """The user speaks: a barge-in, unless replies are not to be interrupted by speech."""
        if self._seams.setting.interrupt_response:
            self.interrupt()

    def _on_reconnection(self, _: Any) -> None:
        """What was said before stands as text in a new conversation, and cannot be truncated."""
        for reply in self._replies:
            reply.lose()

    # replies

    def _want(self, **arguments: Any) -> None:
        self._wanted.append(arguments)
        self._request_next()

    def _request_next(self) -> None:
        """Request the next reply that is wanted, once those before it were heard."""
        if self._wanted and all(reply.heard for reply in self._replies):
            request = self._session.generate_reply(**self._wanted.popleft())
            reply = Reply(request)
            self._replies.append(reply)
            self._do(self._await(reply, request))

    async def _await(self, reply: Reply, request: asyncio.Future[Any]) -> None:
        """Wait for a reply that was requested; the session says so if there will be none."""
        try:
            await request
        except llm.RealtimeError:
            self._end(reply)
            self._replies.remove(reply)

    async def _follow(self, reply: Reply, generation: Any) -> None:
        """Hear a reply and carry out its calls, which may go on when it was heard."""
        hearing = self._do(self._hear(reply, generation.message_stream))
        stream = generation.function_stream
        calls = [self._do(self._answer(call)) async for call in stream if not reply.cut]
        reply.done()
        await hearing
        self._end(reply)
        if calls:
            await asyncio.wait(calls)
        self._replies.remove(reply)
        if calls and not reply.cut:
            self._want()

    def _end(self, reply: Reply) -> None:
        reply.end()
        self._request_next()

    def _cut(self, reply: Reply) -> None:
        """Interrupt a reply, once."""
        if reply.cut:
            return
        reply.interrupt()
        if reply.generating:
            self._session.interrupt()
        self._silence(reply)

    async def _answer(self, call: Any) -> None:
        """Carry out a function call and put its output into the context."""
        try:
            output, failed = await self._carry_out(call), False
        except ToolFailed as error:
            output, failed = str(error), True
        answer = llm.FunctionCallOutput(
            call_id=call.call_id, name=call.name, output=output, is_error=failed
        )
        await self._change(lambda ctx: ctx.items.append(answer))

    async def _carry_out(self, call: Any) -> str:
        if call.name != FUNCTION:
            raise ToolFailed(f"there is no function {call.name}")
        return await self._seams.carry_out(call.call_id)

    # what is heard

    async def _hear(self, reply: Reply, messages: AsyncIterable[Any]) -> None:
        """Hear the messages of a reply, after those of the replies before it."""
        async with self._floor:
            async for source in messages:
                await self._play(Message(reply, source))

    async def _play(self, message: Message) -> None:
        """Hand a message to the speaker, and wait until it was heard or is not to be heard."""
        reading = self._do(message.read())
        async for frame in message.source.audio_stream:
            if not message.reply.cut and not self._seams.muted:
                self._give(message, bytes(frame.data))
        await reading
        if not message.sounds:
            await self._correct(message)
            return
        if not message.reply.cut:
            self._speaker.flush()
        await message.ended.wait()

    def _give(self, message: Message, pcm: bytes) -> None:
        """Hand audio of a message to the speaker."""
        if not message.sounds:
            message.begin()
            self._playing = message
            self._do(self._settle(message))
        self._speaker.capture(pcm)

    async def _settle(self, message: Message) -> None:
        """Correct a message as soon as the speaker has said how much of it was heard."""
        await message.ended.wait()
        if message.interrupted:
            await self._correct(message)

    async def _correct(self, message: Message) -> None:
        """Keep of a message of an interrupted reply what was heard of it."""
        reply, source = message.reply, message.source
        modalities = await source.modalities if hasattr(source, "modalities") else ["audio"]
        # where nobody listens the text was read as it came, and the call would take it away
        unheard = self._seams.muted and "audio" in modalities
        if not reply.cut or reply.lost or unheard:
            return
        arguments = {
            "message_id": source.message_id,
            "modalities": modalities,
            "audio_end_ms": round(message.seconds * 1000),
            "audio_transcript": message.text,
        }
        taken = type(self._session).truncate
        self._session.truncate(**{n: v for n, v in arguments.items() if accepts(taken, n)})

    def _silence(self, reply: Reply) -> None:
        """Stop playout, if it is this reply that is played."""
        message = self._playing
        if message is not None and message.reply is reply and not message.ended.is_set():
            self._speaker.clear()

    # the session

    async def _configure(self, instructions: str) -> None:
        """Set what an agent brings: instructions and tools."""
        await self._session.update_instructions(instructions)
        tools = [tool(self._seams)] if self._seams.setting.tools else []
        await self._session.update_tools(tools)

    async def _change(self, change: Callable[[Any], object]) -> None:
        """Change the context; a change that is not confirmed in time is on its way all the same."""
        async with self._changing:
            context = self._session.chat_ctx.copy()
            change(context)
            self._updates += 1
            try:
                with suppress(llm.RealtimeError):
                    await self._session.update_chat_ctx(context)
            finally:
                self._updates -= 1

    def _do(self, act: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something meanwhile; an exception that it lets through is evidence."""
        task = asyncio.get_running_loop().create_task(act)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
