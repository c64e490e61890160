"""Corruptions: the same for a seed, one change each, spread evenly, and honest about their limits.

The sessions here are written, not recorded; the recordings beside the repository, where they are,
are corrupted too.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest

from corruptions import (
    FREE_ORDERS,
    KINDS,
    UNDETECTABLE,
    Corruption,
    FreeOrder,
    Undetectable,
    cells,
    draw,
    free_order,
    named,
    part_of,
    story_of,
    text_stands,
    undetectable,
)
from realtime_protocol.recordings import DIALECTS, Line, Recording
from test_recordings import FILES, translated, with_traces

Told = tuple[str, dict[str, Any]]

AUDIO = "response.output_audio"
WORDS = "response.output_audio_transcript"
TEXT = "response.output_text"
CALL = "response.function_call_arguments"
ASR = "conversation.item.input_audio_transcription"
SPEECH = "input_audio_buffer.speech_"


# -- written sessions -------------------------------------------------------------------------


def server(kind: str, **fields: Any) -> Told:
    return "server", {"type": kind, **fields}


def client(kind: str, **fields: Any) -> Told:
    return "client", {"type": kind, **fields}


def recorded(*told: Told | list[Told], dialect: str = "ga") -> Recording:
    """A recording of these events; every event of the server gets an id of its own."""
    flat = itertools.chain.from_iterable(t if isinstance(t, list) else [t] for t in told)
    lines = [
        Line(n, "server", None, {"event_id": f"event_{n}", **event})
        if side == "server"
        else Line(n, "client", None, event)
        for n, (side, event) in enumerate(flat, 1)
    ]
    return Recording("written", tuple(lines), dialect=dialect)


OPEN = [server("session.created"), client("session.update"), server("session.updated")]


def placed(
    item: str, before: str | None, done: str | None = None, kind: str = "message"
) -> list[Told]:
    """An item enters the conversation and is final at once."""
    entry = {"id": item, "type": kind}
    return [
        server("conversation.item.added", previous_item_id=before, item=entry),
        server("conversation.item.done", previous_item_id=done or before, item=entry),
    ]


def turn(item: str, before: str | None) -> list[Told]:
    """One spoken turn."""
    return [
        server(SPEECH + "started", item_id=item),
        server(SPEECH + "stopped", item_id=item),
        server("input_audio_buffer.committed", item_id=item, previous_item_id=before),
        *placed(item, before),
    ]


def opened(response: str, item: str, before: str | None, kind: str = "message") -> list[Told]:
    """An output item up to its first delta."""
    entry = {"id": item, "type": kind}
    if kind == "function_call":
        entry["call_id"] = f"call_{item}"
    return [
        server("response.output_item.added", response_id=response, item=entry),
        server("conversation.item.added", previous_item_id=before, item=entry),
    ]


def closed(response: str, item: str, before: str | None) -> list[Told]:
    entry = {"id": item, "type": "message"}
    return [
        server("conversation.item.done", previous_item_id=before, item=entry),
        server("response.output_item.done", response_id=response, item=entry),
    ]


def created(response: str) -> Told:
    return server("response.created", response={"id": response})


def ended(response: str, *items: str, status: str = "completed") -> Told:
    output = [{"id": item} for item in items]
    return server("response.done", response={"id": response, "status": status, "output": output})


def spoken(response: str, item: str, before: str | None, words: Iterable[str]) -> list[Told]:
    """An audio message, each word with a piece of audio."""
    at = {"response_id": response, "item_id": item, "content_index": 0}
    deltas = [
        told
        for word in words
        for told in (
            server(f"{WORDS}.delta", delta=word, **at),
            server(f"{AUDIO}.delta", delta="<audio>", **at),
        )
    ]
    return [
        *opened(response, item, before),
        server("response.content_part.added", part={"type": "audio"}, **at),
        *deltas,
        server(f"{AUDIO}.done", **at),
        server(f"{WORDS}.done", transcript="".join(words), **at),
        server("response.content_part.done", part={"type": "audio"}, **at),
        *closed(response, item, None),
    ]


def heard(item: str, *words: str) -> list[Told]:
    """What was understood, a piece at a time; its end has no outer space."""
    pieces = [server(f"{ASR}.delta", item_id=item, content_index=0, delta=word) for word in words]
    whole = "".join(words).strip()
    return [*pieces, server(f"{ASR}.completed", item_id=item, content_index=0, transcript=whole)]


LIMITS = server("rate_limits.updated", rate_limits=[])


@cache
def voice() -> Recording:
    """A turn that is answered, a second turn that cuts the next answer, and its own answer."""
    at = {"response_id": "resp_2", "item_id": "item_4", "content_index": 0}
    return recorded(
        OPEN,
        client("input_audio_buffer.append"),
        turn("item_1", None),
        created("resp_1"),
        heard("item_1", " Tell", " me"),
        spoken("resp_1", "item_2", "item_1", ["One", " two", " three"]),
        ended("resp_1", "item_2"),
        LIMITS,
        client("input_audio_buffer.append"),
        turn("item_3", "item_2"),
        created("resp_2"),
        opened("resp_2", "item_4", "item_3"),
        server("response.content_part.added", part={"type": "audio"}, **at),
        server(f"{WORDS}.delta", delta="Well", **at),
        server(f"{AUDIO}.delta", delta="<audio>", **at),
        server(SPEECH + "started", item_id="item_5"),
        client("conversation.item.truncate", item_id="item_4"),
        server(f"{AUDIO}.done", **at),
        server(f"{WORDS}.done", transcript="Well", **at),
        server("response.content_part.done", part={"type": "audio"}, **at),
        closed("resp_2", "item_4", "item_3"),
        ended("resp_2", "item_4", status="cancelled"),
        heard("item_3", " And", " then"),
        turn("item_5", "item_4")[1:],
        server("conversation.item.truncated", item_id="item_4"),
        created("resp_3"),
        spoken("resp_3", "item_6", "item_5", ["Good", "bye"]),
        ended("resp_3", "item_6"),
        heard("item_5", " Stop"),
    )


@cache
def tools() -> Recording:
    """Text in; a message and a function call in one response; the output and a text answer."""
    said = {"response_id": "resp_1", "item_id": "item_2", "content_index": 0}
    call = {"response_id": "resp_1", "item_id": "item_3", "call_id": "call_item_3"}
    answer = {"response_id": "resp_2", "item_id": "item_5", "content_index": 0}
    return recorded(
        OPEN,
        server("error", error={"event_id": None}),
        client("conversation.item.create"),
        client("response.create"),
        placed("item_1", None),
        created("resp_1"),
        opened("resp_1", "item_2", "item_1"),
        server("response.content_part.added", part={"type": "text"}, **said),
        server(f"{TEXT}.delta", delta="ha", **said),
        server(f"{TEXT}.delta", delta="ha", **said),
        server(f"{TEXT}.delta", delta="", **said),
        opened("resp_1", "item_3", "item_2", "function_call"),
        server(f"{CALL}.delta", delta='{"a":', **call),
        server(f"{CALL}.delta", delta=" 1}", **call),
        server(f"{TEXT}.done", text="haha", **said),
        server("response.content_part.done", part={"type": "text"}, **said),
        closed("resp_1", "item_2", None),
        server(f"{CALL}.done", arguments='{"a": 1}', **call),
        closed("resp_1", "item_3", "item_2"),
        ended("resp_1", "item_2", "item_3"),
        client("conversation.item.create"),
        client("response.create"),
        LIMITS,
        placed("item_4", "item_3", kind="function_call_output"),
        created("resp_2"),
        opened("resp_2", "item_5", "item_4"),
        server("response.content_part.added", part={"type": "text"}, **answer),
        server(f"{TEXT}.delta", delta="never closed", **answer),
        server(f"{TEXT}.delta", delta=" here", **answer),
    )


@cache
def listened() -> Recording:
    """The server's side alone, of a session that had begun before, on WebRTC; with two errors."""
    return recorded(
        server("error", error={"event_id": None}),
        server("error", error={"event_id": "event_client"}),
        server("session.updated"),
        placed("item_1", "item_0"),
        turn("item_2", "item_1"),
        server(f"{ASR}.delta", item_id="item_2", content_index=0, delta="Hm"),
        created("resp_1"),
        LIMITS,
        spoken("resp_1", "item_3", "item_2", ["Yes"]),
        server("output_audio_buffer.started", response_id="resp_1"),
        ended("resp_1", "item_3"),
        server("output_audio_buffer.stopped", response_id="resp_1"),
        server("conversation.item.truncated", item_id="item_3"),
        placed("item_4", "item_3"),
        server("input_audio_buffer.committed", item_id="item_5", previous_item_id="item_4"),
        placed("item_5", "item_4"),
        server(f"{ASR}.delta", item_id="item_5", content_index=0, delta="So"),
        turn("item_6", "item_5"),
        dialect="webrtc-sideband",
    )


@cache
def other_server() -> Recording:
    """As xAI orders it: an item of before, the user's at once, a response before the commit."""
    replay = server("conversation.item.added", previous_item_id=None, item={"id": "item_0"})
    item = server("conversation.item.added", previous_item_id="item_0", item={"id": "item_1"})
    return recorded(
        server("session.created"),
        server("conversation.created"),
        client("session.update"),
        replay,
        server("session.updated"),
        server(SPEECH + "started", item_id="item_1"),
        item,
        server(f"{ASR}.completed", item_id="item_1", transcript="He", status="in_progress"),
        server(f"{ASR}.completed", item_id="item_1", transcript="Hell", status="in_progress"),
        created("resp_1"),
        server(SPEECH + "stopped", item_id="item_1"),
        server("input_audio_buffer.committed", item_id="item_1", previous_item_id="item_0"),
        server(f"{ASR}.completed", item_id="item_1", transcript="Hello", status="completed"),
        spoken("resp_1", "item_2", "item_1", ["Hi"])[:-2],
        spoken("resp_1", "item_2", "item_1", [])[-1:],
        ended("resp_1", "item_2"),
        dialect="xai",
    )


@cache
def rarely_done() -> Recording:
    """As Voice Live orders it: a spoken item is done, no other is."""
    return recorded(
        OPEN,
        client("input_audio_buffer.append"),
        turn("item_1", None),
        created("resp_1"),
        dialect="azure-voice-live",
    )


SESSIONS = (voice, tools, listened, other_server, rarely_done)

ALL = 10_000
"""More than any of the sessions has."""


@cache
def everything(session: Callable[[], Recording]) -> tuple[Corruption, ...]:
    """Every corruption of a session, but for the other ids that stand for an id."""
    return tuple(draw(session(), ALL, seed=1))


@cache
def corruptions() -> tuple[Corruption, ...]:
    """Every corruption of every session, with more of the other ids."""
    seeds = [draw(session(), ALL, seed) for session in SESSIONS for seed in range(2)]
    found = {(id(made.original), made.what): made for drawn in seeds for made in drawn}
    return tuple(found.values())


# -- drawing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("session", SESSIONS)
def test_a_seed_says_everything(session: Callable[[], Recording]) -> None:
    """The same seed draws the same; another draws others."""
    once, again, other = (draw(session(), 60, seed) for seed in (7, 7, 8))
    assert [made.what for made in once] == [made.what for made in again]
    assert [made.recording for made in once] == [made.recording for made in again]
    assert [made.what for made in once] != [made.what for made in other]


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("n", [0, 1, 17, 200])
def test_a_drawing_is_even(session: Callable[[], Recording], n: int) -> None:
    """No cell has two more than another that had more to give."""
    drawn = draw(session(), n, seed=3)
    assert len(drawn) == min(n, len(everything(session)))
    counts = Counter((made.event_type, made.kind) for made in drawn)
    there = Counter((made.event_type, made.kind) for made in everything(session))
    assert counts.keys() <= there.keys() == cells(session()).keys()
    most = max(counts.values(), default=0)
    for cell, much in there.items():
        assert counts[cell] >= min(much, most - 1)


@pytest.mark.parametrize("session", SESSIONS)
def test_every_kind_is_drawn_for_every_type_that_has_it(session: Callable[[], Recording]) -> None:
    """Every server event can be lost, doubled and misnamed; texts can be changed."""
    types = {line.type for line in session().server}
    for kind in ("dropped", "doubled", "id changed"):
        assert {name for name, each in cells(session()) if each == kind} == types
    texts = {line.type for line in session().server if line.type.endswith(".delta")} - {
        f"{AUDIO}.delta"
    }
    assert {name for name, each in cells(session()) if each == "delta changed"} == texts


@pytest.mark.parametrize("session", SESSIONS)
def test_nothing_is_drawn_twice(session: Callable[[], Recording]) -> None:
    """Each says something else, and each line and each field has its turn."""
    made = everything(session)
    assert len({each.what for each in made}) == len(made) < ALL
    places = [at for at, line in enumerate(session().lines) if line.direction == "server"]
    for kind in ("dropped", "doubled", "id changed"):
        assert sorted({each.at for each in made if each.kind == kind}) == places
    for drawn in (draw(session(), 40, seed) for seed in range(5)):
        moved = [each for each in drawn if each.kind == "moved"]
        assert len({each.at for each in moved}) > len(moved) / 2


# -- what a corruption does -------------------------------------------------------------------


def bodies(lines: Iterable[Line]) -> list[tuple[str, int]]:
    """The lines without their numbers; what was not changed is still the same object."""
    return [(line.direction, id(line.event)) for line in lines]


def only(kind: str) -> list[Corruption]:
    return [made for made in corruptions() if made.kind == kind]


def test_a_corruption_changes_the_server_in_one_place() -> None:
    """The client's lines are as before, the others are numbered anew, and the place is told."""
    for made in corruptions():
        before, after = made.original.lines, made.recording.lines
        assert bodies(before) != bodies(after)
        assert [line.number for line in after] == list(range(1, len(after) + 1))
        assert before[made.at].number == made.line
        assert before[made.at].type == made.event_type
        assert made.what.startswith(f"line {made.line}, {made.event_type}: ")
        sides = [[b for b in bodies(lines) if b[0] == "client"] for lines in (before, after)]
        assert sides[0] == sides[1]


def test_dropped_and_doubled() -> None:
    """One line fewer, or one more right behind its like."""
    for made in only("dropped"):
        before, after = bodies(made.original.lines), bodies(made.recording.lines)
        assert after == before[: made.at] + before[made.at + 1 :]
    for made in only("doubled"):
        before, after = bodies(made.original.lines), bodies(made.recording.lines)
        assert after[: made.at + 1] + after[made.at + 2 :] == before
        one, two = (line.event for line in made.recording.lines[made.at : made.at + 2])
        assert {**one, "event_id": ""} == {**two, "event_id": ""}
        assert made.fresh == (one["event_id"] != two["event_id"])


def test_moved_past_something_that_matters() -> None:
    """The same lines in another order, and one that was passed has to do with the moved one."""
    for made in only("moved"):
        before, after = bodies(made.original.lines), bodies(made.recording.lines)
        to = after.index(before[made.at])
        assert after[:to] + after[to + 1 :] == before[: made.at] + before[made.at + 1 :]
        assert set(made.crossed) == set(range(min(to, made.at), max(to, made.at) + 1)) - {made.at}
        keys = made.story.keys
        assert any(keys[made.at] & keys[other] for other in made.crossed)


def test_an_id_is_changed_in_one_field() -> None:
    """One event names something else, new to the recording or not."""
    for made in only("id changed"):
        pairs = zip(made.original.lines, made.recording.lines, strict=True)
        changed = [(one.event, two.event) for one, two in pairs if one.event != two.event]
        assert len(changed) == 1
        old, new = changed[0]
        assert made.new in named(new) | {new.get("previous_item_id")}
        assert made.old != made.new
        assert {**old, made.field: 0}.keys() == {**new, made.field: 0}.keys()
        known = {
            name
            for line in made.original.server
            for name in named(line.event) | {line.event.get("previous_item_id")}
        }
        assert made.fresh == (made.new not in known)


def test_a_delta_is_changed_so_that_its_text_differs() -> None:
    """Whatever its end says, the deltas say something else than before."""
    for made in only("delta changed"):
        part = part_of(made.original.lines[made.at])
        texts = [
            "".join(
                line.event["delta"]
                for line in recording.server
                if part_of(line) == part and "delta" in line.event
            )
            for recording in (made.original, made.recording)
        ]
        assert texts[0].strip() != texts[1].strip()


def test_a_written_session_has_texts_that_stand() -> None:
    """Deltas and ends agree in every original here, so that a change can show."""
    for session in SESSIONS:
        parts = {part for line in session().server if (part := part_of(line)) is not None}
        wrong = [part for part in parts if not text_stands(session(), part)]
        assert [part for part in wrong if session is not other_server] == []


# -- what nobody can tell ---------------------------------------------------------------------


def find(session: Callable[[], Recording], kind: str, line: str, where: str = "") -> Corruption:
    """The first corruption in a session of such a line, in whose words the pattern is found."""
    found = sorted(
        (
            made
            for made in everything(session)
            if made.kind == kind and made.event_type == line and re.search(where, made.what)
        ),
        key=lambda made: (made.line, made.what),
    )
    assert found, f"no such corruption: {kind} {line} {where}"
    return found[0]


LIKELY: list[tuple[Callable[[], Recording], str, str, str, str | None]] = [
    # one more or fewer
    (voice, "dropped", f"{AUDIO}.delta", "", "audio-delta"),
    (voice, "doubled", f"{AUDIO}.delta", "with a new", "audio-delta"),
    (voice, "doubled", f"{WORDS}.delta", "with a new", None),
    (voice, "dropped", f"{WORDS}.delta", "", None),
    (voice, "dropped", f"{ASR}.delta", "", None),
    (voice, "dropped", f"{ASR}.completed", "", "ended-earlier"),
    (voice, "delta changed", f"{ASR}.delta", "", None),
    (tools, "delta changed", f"{TEXT}.delta", '"ha" replaced', None),
    (tools, "delta changed", f"{TEXT}.delta", "never closed", "text-stands"),
    (tools, "dropped", f"{CALL}.delta", "", None),
    (voice, "dropped", "rate_limits.updated", "", "rate-limits-dropped"),
    (voice, "doubled", "rate_limits.updated", "with a new", None),
    (listened, "doubled", "rate_limits.updated", "with a new", "rate-limits-of-another"),
    (voice, "dropped", "session.created", "", "started-later"),
    (tools, "dropped", "session.updated", "", None),
    (voice, "dropped", "session.updated", "", None),
    (rarely_done, "dropped", "session.updated", "", "ended-earlier"),
    (voice, "dropped", "conversation.item.truncated", "", "ended-earlier"),
    (listened, "dropped", "response.created", "", "started-later"),
    (voice, "dropped", "response.created", "", None),
    (voice, "dropped", "response.done", "", None),
    (voice, "doubled", "response.done", "with a new", None),
    (voice, "dropped", SPEECH + "stopped", "", None),
    (listened, "dropped", SPEECH + "stopped", "", "client-missing"),
    (listened, "doubled", "session.updated", "with a new", "client-missing"),
    (voice, "doubled", "session.updated", "with a new", None),
    (listened, "doubled", "error", "repeated with a new", "client-missing"),
    (other_server, "doubled", f"{ASR}.completed", "with a new", "repeated-transcription"),
    (other_server, "doubled", f"{ASR}.completed", "^line 13,.* with a new", None),
    (other_server, "dropped", f"{ASR}.completed", "^line 13,", "ended-earlier"),
    (other_server, "dropped", "conversation.item.added", "", None),
    (other_server, "dropped", "conversation.created", "", "ended-earlier"),
    (other_server, "doubled", "conversation.created", "with a new", None),
    (rarely_done, "dropped", "conversation.item.done", "", "rare-item-done"),
    # another name
    (voice, "id changed", "response.done", "event_id .* another", None),
    (voice, "id changed", "response.done", r"response\.id", None),
    (voice, "id changed", "conversation.item.added", "previous_item_id null", None),
    (voice, "id changed", "input_audio_buffer.committed", "previous_item_id item_2", None),
    (tools, "id changed", f"{CALL}.done", "call_id call_item_3 replaced by call_unknown", None),
    (other_server, "id changed", "conversation.item.added", "previous", None),
    (listened, "id changed", "conversation.item.truncated", "item_id .* another", "client-missing"),
    (listened, "id changed", f"{ASR}.delta", "item_id .* unknown", "from-before-the-start"),
    # another place
    (voice, "moved", "conversation.item.truncated", "before", None),
    (voice, "moved", "session.created", "behind", None),
]


@pytest.mark.parametrize(("session", "kind", "line", "where", "expected"), LIKELY)
def test_what_can_be_told(
    session: Callable[[], Recording], kind: str, line: str, where: str, expected: str | None
) -> None:
    """The first such corruption is undetectable for this reason, or is not."""
    made = find(session, kind, line, where)
    assert undetectable(made) == expected, made.what


def moves(session: Callable[[], Recording], kind: str, past: str) -> set[str | None]:
    """The free orders of a line of one type with every line of another type."""
    story = story_of(session())
    lines = list(enumerate(session().lines))
    ones = [at for at, line in lines if line.type == kind and line.direction == "server"]
    others = [at for at, line in lines if line.type == past and line.direction == "server"]
    return {free_order(story, one, other) for one in ones for other in others if one != other}


ORDERS: list[tuple[Callable[[], Recording], str, str, set[str | None]]] = [
    (voice, f"{AUDIO}.delta", f"{AUDIO}.delta", {"audio-and-words", None}),
    (voice, f"{AUDIO}.delta", f"{AUDIO}.done", {None}),
    (voice, f"{ASR}.delta", "response.created", {"input-transcription"}),
    (voice, f"{ASR}.completed", "input_audio_buffer.committed", {"input-transcription", None}),
    (tools, "response.output_item.added", f"{TEXT}.delta", {"next-item", None}),
    (tools, f"{CALL}.done", f"{TEXT}.done", {None}),
    (voice, "rate_limits.updated", "response.created", {"rate-limits", None}),
    (listened, "output_audio_buffer.started", f"{AUDIO}.done", {"playout"}),
    (listened, "output_audio_buffer.started", "response.content_part.added", {None}),
    (listened, "output_audio_buffer.stopped", "response.done", {None}),
    (voice, "conversation.item.truncated", "response.created", {"late-reply", None}),
    (tools, "session.updated", "response.created", {None}),
    (voice, "session.updated", "session.created", {None}),
    (voice, SPEECH + "stopped", "response.done", {"speech", None}),
    (voice, SPEECH + "started", SPEECH + "stopped", {None}),
    (voice, SPEECH + "started", "response.done", {None}),
    (tools, f"{TEXT}.delta", f"{TEXT}.delta", {"same-text", None}),
    (tools, f"{CALL}.delta", f"{TEXT}.delta", {"next-item", None}),
    (voice, f"{WORDS}.delta", f"{WORDS}.delta", {None}),
    (other_server, "response.created", "input_audio_buffer.committed", {"early-response"}),
    (
        other_server,
        f"{ASR}.completed",
        "input_audio_buffer.committed",
        {"input-transcription", None},
    ),
    (other_server, f"{ASR}.completed", f"{ASR}.completed", {"input-transcription", None}),
    (voice, "response.created", "input_audio_buffer.committed", {None}),
    (other_server, "conversation.created", "session.updated", {"late-reply"}),
    (other_server, "conversation.created", "response.done", {"conversation-created"}),
    (other_server, "conversation.created", "session.created", {None}),
    (other_server, "conversation.item.added", "session.updated", {"replayed-items", "late-reply"}),
]


@pytest.mark.parametrize(("session", "kind", "past", "expected"), ORDERS)
def test_which_orders_are_free(
    session: Callable[[], Recording], kind: str, past: str, expected: set[str | None]
) -> None:
    """Of every pair of two types, whether their order is fixed, and if not why."""
    assert moves(session, kind, past) == expected


@pytest.mark.parametrize("entry", UNDETECTABLE, ids=lambda entry: entry.name)
def test_every_entry_is_there_for_something(entry: Undetectable) -> None:
    """It matches some corruption that no other entry does."""
    assert frozenset({entry.name}) in excuses(), entry.reason


@cache
def excuses() -> set[frozenset[str]]:
    """For every corruption, the entries by which nobody can tell it."""
    return {
        frozenset(entry.name for entry in UNDETECTABLE if entry.matches(made))
        for made in corruptions()
    }


@pytest.mark.parametrize("order", FREE_ORDERS, ids=lambda order: order.name)
def test_every_free_order_is_there_for_something(order: FreeOrder) -> None:
    """It frees some pair of lines that no other entry frees."""
    assert any(freed == {order.name} for freed in free_pairs())


@cache
def free_pairs() -> list[set[str]]:
    """For every pair of server lines in the written sessions, what frees their order."""
    return [
        {
            order.name
            for order in FREE_ORDERS
            if order.holds(story, *pair) or order.holds(story, *pair[::-1])
        }
        for story in map(story_of, (session() for session in SESSIONS))
        for pair in itertools.combinations(
            [at for at, line in enumerate(story.recording.lines) if line.direction == "server"], 2
        )
    ]


def test_entries_are_named_and_explained() -> None:
    """A name of its own and a reason for each."""
    for names, reasons in (
        ([entry.name for entry in UNDETECTABLE], [entry.reason for entry in UNDETECTABLE]),
        ([order.name for order in FREE_ORDERS], [order.reason for order in FREE_ORDERS]),
    ):
        assert len(set(names)) == len(names)
        assert all(len(reason) > 40 for reason in reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_most_corruptions_can_be_told(kind: str) -> None:
    """What nobody can tell is the smaller part of every kind, so the list excuses little."""
    made = [each for each in everything(voice) if each.kind == kind]
    hidden = [each for each in made if undetectable(each)]
    assert len(made) > 20
    assert len(hidden) < len(made) / 2


# -- the recordings beside the repository -----------------------------------------------------


@with_traces
@pytest.mark.parametrize("number", range(len(FILES)), ids=lambda number: FILES[number].stem)
def test_every_recording_can_be_corrupted(number: int) -> None:
    """As many as asked, of every type and kind there is, each another recording."""
    recording = translated()[number]
    there = cells(recording)
    drawn = draw(recording, max(100, len(there)), seed=number)
    assert {(made.event_type, made.kind) for made in drawn} == there.keys()
    for made in drawn:
        assert bodies(made.recording.lines) != bodies(recording.lines)
        assert made.recording.dialect == recording.dialect in DIALECTS
    assert len([made for made in drawn if undetectable(made)]) < len(drawn) / 3
