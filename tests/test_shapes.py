"""The recorded order of an audio response, restated here, against what the model allows.

A sequence of wire events is accepted if some walk of the machine emits exactly these events in
this order; between them the client, the app, the speaker and the clock may do anything.
Where recordings lie beside the repository, they are read and must be accepted too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from realtime_protocol.bounds import audio_reply
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rule import Rule
from realtime_protocol.state import State
from realtime_protocol.vocabulary import EVENTS

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"

CREATED = "response.created"
OPENED = "response.output_item.added"
LISTED = "conversation.item.added"
PART = "response.content_part.added"
WORD = "response.output_audio_transcript.delta"
SOUND = "response.output_audio.delta"
SOUND_DONE = "response.output_audio.done"
WORDS_DONE = "response.output_audio_transcript.done"
PART_DONE = "response.content_part.done"
ITEM_DONE = "conversation.item.done"
OUTPUT_DONE = "response.output_item.done"
DONE = "response.done"
STARTED = "input_audio_buffer.speech_started"
STOPPED = "input_audio_buffer.speech_stopped"
COMMITTED = "input_audio_buffer.committed"

SESSION = ["session.created"]
OPENING = [CREATED, OPENED, LISTED, PART]
DELTAS = [WORD, WORD, SOUND, SOUND]
CLOSING = [SOUND_DONE, WORDS_DONE, PART_DONE, ITEM_DONE, OUTPUT_DONE, DONE]
TURN = [STARTED, STOPPED, COMMITTED, LISTED, ITEM_DONE]
"""One spoken turn; the last two are of the user's item."""

Hidden = Callable[[Rule], bool]


@cache
def machine(turns: int = 1) -> Machine:
    """Two deltas of each kind, one disturbance, and one of each request."""
    return Machine(
        audio_reply(
            TRANSCRIPTS=2, AUDIO=2, DELTA=1, STEP=2, UPDATES=1, TURNS=turns,
            CANCELS=1, TRUNCATES=0, DELETES=0,
        ).bounds
    )  # fmt: skip


def is_emission(rule: Rule) -> bool:
    """Whether the client sees a wire event of the server."""
    return rule.event in EVENTS and EVENTS[rule.event].direction == "server"


def anything(rule: Rule) -> bool:
    """Every step that the client does not see."""
    return not is_emission(rule)


def only_requests(rule: Rule) -> bool:
    """What it takes to get a response without a word of the user."""
    return rule.id in (
        "network.open",
        "app.generate_reply",
        "client.response.create",
        "server.reads.response.create",
    )


def closure(machine: Machine, states: Iterable[State], hidden: Hidden) -> set[State]:
    """All states that hidden steps lead to, permitted or not."""
    found, waiting = set(states), list(states)
    while waiting:
        state = waiting.pop()
        steps = [Step(n) for n in machine.environment(state)] + machine.client(state)
        for step in steps:
            if hidden(machine.rules[step.rule]):
                target = machine.after(state, step)
                if target not in found:
                    found.add(target)
                    waiting.append(target)
    return found


def followed(machine: Machine, names: Sequence[str], hidden: Hidden = anything) -> int:
    """How many of the events, from the first on, some walk of the machine emits."""
    states = closure(machine, [machine.initial], hidden)
    for number, name in enumerate(names):
        emitted = {
            machine.after(state, Step(rule))
            for state in states
            for rule in machine.environment(state)
            if machine.rules[rule].event == name
        }
        if not emitted:
            return number
        states = closure(machine, emitted, hidden)
    return len(names)


def accepted(machine: Machine, names: Sequence[str], hidden: Hidden = anything) -> bool:
    """Whether some walk emits exactly these events."""
    return followed(machine, names, hidden) == len(names)


# -- the shapes, restated ---------------------------------------------------------------------

SHAPES = {
    "asked for": [*SESSION, *OPENING, *DELTAS, *CLOSING],
    "after a spoken turn": [*SESSION, *TURN, *OPENING, *DELTAS, *CLOSING],
    "configured": [*SESSION, "session.updated", *OPENING, *DELTAS, *CLOSING],
    "transcript last": [*SESSION, *OPENING, SOUND, SOUND, WORD, WORD, *CLOSING],
    "deltas in turn": [*SESSION, *OPENING, WORD, SOUND, SOUND, WORD, *CLOSING],
    "barge-in while audio is streaming": [
        *SESSION, *TURN, *OPENING, WORD, WORD, SOUND, STARTED, *CLOSING,
    ],
    "barge-in before any delta": [*SESSION, *TURN, *OPENING, STARTED, *CLOSING],
    "barge-in while it is closed": [
        *SESSION, *OPENING, *DELTAS, *CLOSING[:2], STARTED, *CLOSING[2:],
    ],
    "barge-in before any output": [*SESSION, *TURN, CREATED, STARTED, DONE],
    "barge-in after the last event": [*SESSION, *OPENING, *DELTAS, *CLOSING, STARTED, STOPPED],
    "cancelled by the client": [*SESSION, *OPENING, WORD, SOUND, *CLOSING],
    "cancelled before any output": [*SESSION, CREATED, DONE],
    "cancelled too late": [*SESSION, *OPENING, *DELTAS, *CLOSING, "error"],
    "cancelled twice over": [*SESSION, *TURN, *OPENING, STARTED, *CLOSING, "error"],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_walks(shape: str) -> None:
    """Every recorded shape is a walk of the model, to its last event."""
    names = SHAPES[shape]
    turns = 2 if names[-1] == STOPPED else 1
    assert names[followed(machine(turns), names) :] == []


def test_a_conversation_goes_on_after_a_barge_in() -> None:
    """The turn that barged in is taken up when the cut response is done, and answered."""
    second = [*TURN[1:], *OPENING, *DELTAS, *CLOSING]
    for first in ([*OPENING, WORD, SOUND, STARTED, *CLOSING], [CREATED, STARTED, DONE]):
        names = [*SESSION, *TURN, *first, *second]
        assert names[followed(machine(2), names) :] == []


FORBIDDEN = {
    "anything before the session": [STARTED],
    "two answers to one update": [*SESSION, "session.updated", "session.updated"],
    "an item before the response": [*SESSION, OPENED],
    "a response before its turn is an item": [*SESSION, *TURN[:3], CREATED],
    "a response before its item is done": [*SESSION, *TURN[:4], CREATED],
    "a commit before the end of speech": [*SESSION, STARTED, COMMITTED],
    "the conversation before the output": [*SESSION, CREATED, LISTED],
    "a part before its item": [*SESSION, CREATED, PART],
    "a part before the conversation": [*SESSION, CREATED, OPENED, PART],
    "a word before its part": [*SESSION, CREATED, OPENED, LISTED, WORD],
    "a sound before its part": [*SESSION, CREATED, OPENED, LISTED, SOUND],
    "an item listed twice": [*SESSION, CREATED, OPENED, LISTED, LISTED],
    "a part declared twice": [*SESSION, *OPENING, PART],
    "a second item": [*SESSION, *OPENING, OPENED],
    "a sound after the sound": [*SESSION, *OPENING, *DELTAS, SOUND_DONE, SOUND],
    "a word after the sound": [*SESSION, *OPENING, *DELTAS, SOUND_DONE, WORD],
    "the words done before the sound": [*SESSION, *OPENING, *DELTAS, WORDS_DONE],
    "the sound done twice": [*SESSION, *OPENING, *DELTAS, SOUND_DONE, SOUND_DONE],
    "a part done with words open": [*SESSION, *OPENING, *DELTAS, SOUND_DONE, PART_DONE],
    "the output done before the item": [*SESSION, *OPENING, *DELTAS, *CLOSING[:3], OUTPUT_DONE],
    "done before the output is": [*SESSION, *OPENING, *DELTAS, *CLOSING[:4], DONE],
    "done while streaming": [*SESSION, *OPENING, WORD, DONE],
    "done twice": [*SESSION, *OPENING, *DELTAS, *CLOSING, DONE],
    "a sound after the end": [*SESSION, *OPENING, *DELTAS, *CLOSING, SOUND],
    "one sound too many": [*SESSION, *OPENING, SOUND, SOUND, SOUND],
    "a delta after a barge-in": [*SESSION, *OPENING, WORD, STARTED, SOUND],
    "an item after a barge-in": [*SESSION, *TURN, CREATED, STARTED, OPENED],
    "a second response": [*SESSION, *OPENING, CREATED],
    "speech within speech": [*SESSION, STARTED, STARTED],
}  # fmt: skip


@pytest.mark.parametrize("case", FORBIDDEN)
def test_forbidden_orders_are_no_walks(case: str) -> None:
    """The last event is refused, and nothing before it is."""
    names = FORBIDDEN[case]
    assert followed(machine(), names) == len(names) - 1


NEXT = {
    CREATED: {OPENED, DONE},
    OPENED: {LISTED},
    LISTED: {PART, ITEM_DONE},
    PART: {WORD, SOUND, SOUND_DONE},
    WORD: {WORD, SOUND, SOUND_DONE},
    SOUND: {WORD, SOUND, SOUND_DONE},
    SOUND_DONE: {WORDS_DONE},
    WORDS_DONE: {PART_DONE},
    PART_DONE: {ITEM_DONE},
    ITEM_DONE: {OUTPUT_DONE},
    OUTPUT_DONE: {DONE},
    DONE: {CREATED},
}
"""What can be the next event of the only response; `response.done` ends it.

A message that is cut before its part is declared goes from listed to done: nothing was recorded
there, and this is the model's answer.
"""


def test_neighbours_are_exactly_these() -> None:
    """Over every state, two events of a response follow each other only as the table says."""
    model = machine(2)
    seen: dict[str, set[str]] = defaultdict(set)
    begin = (model.initial, "")
    known, waiting = {begin}, [begin]
    while waiting:
        state, last = waiting.pop()
        for rule, _, target in model.successors(state):
            name = model.rules[rule].event
            own = name.startswith("response.") and is_emission(model.rules[rule])
            if own or model.rules[rule].id.endswith(".reply"):
                seen[last].add(name)
            else:
                name = last
            if (target, name) not in known:
                known.add((target, name))
                waiting.append((target, name))
    assert seen.pop("") == {CREATED}
    assert seen == NEXT


# -- recordings -------------------------------------------------------------------------------

RECORDINGS = {
    # file: how many of its responses fit the scope, and how many of those were cut
    "pydantic-ai--openai_ws--text_in_audio_out_turn.jsonl": (1, 0),
    "newer--openai_ws--handle_barge_in_over_live_speech.jsonl": (2, 1),
    "newer--parity_ws--audio_tool_round_parity-openai-current.jsonl": (2, 1),
}

Event = dict[str, Any]


def server_events(file: str) -> list[Event]:
    """What the server sent in a recording, in order."""
    path = TRACES / file
    if not path.exists():
        pytest.skip(f"no recording at {path}")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line["event"] for line in lines if line["dir"] == "server"]


def item_of(event: Event) -> str:
    """The item that an event is about."""
    return event.get("item_id") or (event.get("item") or {}).get("id") or ""


def fits(own: list[Event]) -> bool:
    """Whether a response has at most one item, an audio message."""
    opened = [event["item"]["type"] for event in own if event["type"] == OPENED]
    parts = [event["part"]["type"] for event in own if event["type"] == PART]
    return opened in ([], ["message"]) and parts in ([], ["audio"])


def responses(events: list[Event]) -> list[list[str]]:
    """The turn and the own events of each response that fits, as names."""
    found = []
    for position, event in enumerate(events):
        if event["type"] != CREATED:
            continue
        name = event["response"]["id"]
        own = [
            e for e in events if name in (e.get("response_id"), (e.get("response") or {}).get("id"))
        ]
        if not fits(own):
            continue
        item = next((item_of(e) for e in own if e["type"] == OPENED), "none")
        ended = next(n for n, e in enumerate(events) if e is own[-1])
        during = [
            e["type"]
            for e in events[position : ended + 1]
            if e in own or item_of(e) == item or e["type"] == STARTED
        ]
        found.append(turn_before(events[:position]) + during)
    return found


def turn_before(events: list[Event]) -> list[str]:
    """The spoken turn that a response answers; nothing if the client asked for it."""
    commits = [n for n, event in enumerate(events) if event["type"] == COMMITTED]
    other = [
        n for n, event in enumerate(events)
        if event["type"] == ITEM_DONE and event["item"]["type"] == "function_call_output"
    ]  # fmt: skip
    if not commits or (other and other[-1] > commits[-1]):
        return []
    user = item_of(events[commits[-1]])
    return [e["type"] for e in events if item_of(e) == user and "transcription" not in e["type"]]


def large_enough(names: list[str]) -> Machine:
    """A machine whose bounds are what a response needs; a cut one could have gone on."""
    more = int(STARTED in names[names.index(CREATED) :])
    return Machine(
        audio_reply(
            TRANSCRIPTS=names.count(WORD) + more, AUDIO=names.count(SOUND) + more,
            DELTA=1, STEP=1, UPDATES=1, CANCELS=0, TRUNCATES=0, DELETES=0, TICKS=0,
        ).bounds
    )  # fmt: skip


@pytest.mark.parametrize("file", RECORDINGS)
def test_recorded_responses_are_walks(file: str) -> None:
    """Each audio response of a real session is a walk of the model, in its own order."""
    found = responses(server_events(file))
    cut = [names for names in found if STARTED in names[names.index(CREATED) :]]
    assert (len(found), len(cut)) == RECORDINGS[file]
    for names in found:
        names = [*SESSION, *names]
        model = large_enough(names)
        assert names[followed(model, names, only_requests) :] == []


@pytest.mark.parametrize("file", RECORDINGS)
def test_recorded_responses_in_another_order_are_none(file: str) -> None:
    """With two neighbours exchanged or one event missing, a recorded response is refused.

    Only the two kinds of deltas can change places: they interleave freely.
    """
    for own in responses(server_events(file)):
        names = [*SESSION, *own]
        model = large_enough(names)
        for place in range(1, len(names) - 1):
            pair = names[place : place + 2]
            if len(set(pair)) == 2:
                exchanged = [*names[:place], *reversed(pair), *names[place + 2 :]]
                free = set(pair) == {WORD, SOUND}
                assert accepted(model, exchanged, only_requests) == free, pair
            shorter = [*names[:place], *names[place + 1 :]]
            optional = STARTED in names[place:] and names[place] in (WORD, SOUND)
            assert accepted(model, shorter, only_requests) == optional, (place, names[place])
