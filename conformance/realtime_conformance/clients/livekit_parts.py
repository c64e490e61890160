"""What the clients made of livekit share: the model, the sound that is heard, the app's function.

Laws:
- Nothing of livekit is patched; its public signatures say how to construct things, never its
  version.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import realtime_conformance.clock  # noqa: F401  # livekit keeps clocks, so it must find ours
from realtime_conformance.accounts import CALL, MESSAGE, OUTPUT, Item, Told
from realtime_conformance.clients.interface import FUNCTION, MissingSeam, Seams, ToolFailed
from realtime_conformance.setting import Setting
from realtime_conformance.speaker import SAMPLE_RATE

# the inference helper would look for a hosted service; nothing here needs one
os.environ.setdefault("OPENAI_API_KEY", "unused")


@contextmanager
def installed() -> Iterator[None]:
    """Say what is missing where an import of livekit fails.

    Raises:
        MissingSeam: livekit is not installed, or lacks a name that is needed of it.
    """
    try:
        yield
    except ImportError as error:
        raise MissingSeam(
            f"expected livekit-agents and livekit-plugins-openai to be installed, got: {error}"
        ) from error


with installed():
    from livekit import rtc
    from livekit.agents import RunContext, function_tool
    from livekit.agents.llm import ToolError
    from livekit.plugins import openai


@functools.cache
def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether a public callable takes the argument `name`.

    A class without a constructor of its own has that of `object`, which takes nothing, whatever its
    signature says.
    """
    if function is object.__init__:
        return False
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


def sound(seconds: float) -> rtc.AudioFrame:
    """`seconds` of sound, as a microphone hands them out."""
    samples = int(seconds * SAMPLE_RATE)
    return rtc.AudioFrame(
        data=b"\0" * (2 * samples),
        sample_rate=SAMPLE_RATE,
        num_channels=1,
        samples_per_channel=samples,
    )


def realtime_model(seams: Seams) -> Any:
    """The plugin's `RealtimeModel`, set up as the scope asks for.

    Raises:
        MissingSeam: it cannot be set up like that.
    """
    model, setting = openai.realtime.RealtimeModel, seams.setting
    require(model.__init__, "base_url")
    require(model.__init__, "http_session")
    arguments: dict[str, Any] = {
        "base_url": seams.base_url,
        "api_key": "unused",
        "http_session": seams.http,
    }
    if accepts(model.__init__, "turn_detection"):
        arguments["turn_detection"] = _server_vad(setting) if setting.detects_turns else None
    if accepts(model.__init__, "max_session_duration"):
        arguments["max_session_duration"] = setting.session_seconds
    if not setting.audio:
        require(model.__init__, "modalities")
        arguments["modalities"] = ["text"]
    return model(**arguments)


def _server_vad(setting: Setting) -> Any:
    from openai.types.beta.realtime.session import TurnDetection

    return TurnDetection(
        type="server_vad",
        create_response=setting.create_response,
        interrupt_response=setting.interrupt_response,
    )


def tool(seams: Seams) -> Any:
    """The app's function, which the scenario ends."""

    async def look_up(context: RunContext[Any], city: str) -> str:  # noqa: ARG001
        """Look up the weather in a city."""
        try:
            return await seams.carry_out(context.function_call.call_id)
        except ToolFailed as error:
            raise ToolError(str(error)) from error

    return function_tool(look_up, name=FUNCTION)


def remove_oldest(context: Any) -> None:
    """Take the oldest message of the user out of a context, if there is one."""
    for item in context.items:
        if item.type == "message" and item.role == "user":
            context.items.remove(item)
            return


def remembered(context: Any, *, dated: bool = False) -> list[Item]:
    """The items of a context in its order, with their dates if that is what it is ordered by."""
    return [_item(item, item.created_at if dated else None) for item in context.items]


def _item(item: Any, date: float | None) -> Item:
    if item.type == CALL:
        said = f"{item.name}({item.arguments})"
        return Item(item.id, CALL, text=said, call=item.call_id, date=date)
    if item.type == OUTPUT:
        return Item(item.id, OUTPUT, text=item.output, call=item.call_id, date=date)
    if item.type != MESSAGE:
        return Item(item.id, item.type, date=date)
    cut = bool(getattr(item, "interrupted", False))
    return Item(item.id, MESSAGE, item.role, _words(item.content), cut, date=date)


def _words(content: Any) -> str | None:
    """The words of a message, or of the transcripts of its sound; None if it has none."""
    parts = content if isinstance(content, list) else [content]
    said = [part if isinstance(part, str) else getattr(part, "transcript", None) for part in parts]
    known = [piece for piece in said if piece is not None]
    return "".join(known) if known else None


def told(event: Any) -> Told:
    """An error as livekit tells of it; the whole agent wraps what its session says."""
    error = event if hasattr(event, "recoverable") else event.error
    cause = getattr(error, "error", error)
    return Told(f"{type(cause).__name__}: {cause}", bool(getattr(error, "recoverable", True)))
