"""The recorded orders of events, restated here, against what the model allows.

A sequence of wire events is accepted if some walk of the machine emits exactly these events in
this order; between them the steps that a shape names are taken freely, by whomever. Each shape has
forbidden neighbours: one event dropped, doubled, put in from elsewhere, or two changed in place.
Those few that are no mistake are named with the shape, and nothing else is accepted.
Whether real recordings are walks is tested with `acceptance`; here nothing is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from typing import Any

import attrs
import pytest

from realtime_protocol.bounds import audio_reply, scope
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rule import Rule
from realtime_protocol.rules import RULES
from realtime_protocol.state import State
from realtime_protocol.vocabulary import EVENTS

SESSION = "session.created"
UPDATED = "session.updated"
CREATED = "response.created"
OPENED = "response.output_item.added"
LISTED = "conversation.item.added"
PART = "response.content_part.added"
WORD = "response.output_audio_transcript.delta"
SOUND = "response.output_audio.delta"
TEXT = "response.output_text.delta"
ARGUMENT = "response.function_call_arguments.delta"
SOUND_DONE = "response.output_audio.done"
WORDS_DONE = "response.output_audio_transcript.done"
TEXT_DONE = "response.output_text.done"
ARGUMENTS_DONE = "response.function_call_arguments.done"
PART_DONE = "response.content_part.done"
ITEM_DONE = "conversation.item.done"
OUTPUT_DONE = "response.output_item.done"
DONE = "response.done"
LIMITS = "rate_limits.updated"
STARTED = "input_audio_buffer.speech_started"
STOPPED = "input_audio_buffer.speech_stopped"
COMMITTED = "input_audio_buffer.committed"
TIMEOUT = "input_audio_buffer.timeout_triggered"
HEARD = "conversation.item.input_audio_transcription.delta"
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
UNHEARD = "conversation.item.input_audio_transcription.failed"
TRUNCATED = "conversation.item.truncated"
ERROR = "error"
PLAYS, PLAYED = "output_audio_buffer.started", "output_audio_buffer.stopped"

Names = tuple[str, ...]

TURN: Names = (STARTED, STOPPED, COMMITTED, LISTED, ITEM_DONE)
"""One spoken turn; the last two are of the user's item."""
ADDED: Names = (LISTED, ITEM_DONE)
"""An item of the client, or of the server: final at once."""
MESSAGE: Names = (CREATED, OPENED, LISTED, PART)
DELTAS: Names = (WORD, WORD, SOUND, SOUND)
CLOSING: Names = (SOUND_DONE, WORDS_DONE, PART_DONE, ITEM_DONE, OUTPUT_DONE)
TEXT_CLOSING: Names = (TEXT_DONE, PART_DONE, ITEM_DONE, OUTPUT_DONE)
CALL_CLOSING: Names = (ARGUMENTS_DONE, ITEM_DONE, OUTPUT_DONE)
SHORT: Names = (*MESSAGE, TEXT, *TEXT_CLOSING, DONE)
"""A text message of one delta, for shapes that are about something else."""

NOTHING = {
    "TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1, "CANCELS": 0,
    "CLEARS": 0, "TRUNCATES": 0, "DELETES": 0, "TICKS": 0, "INTERRUPTIONS": 0, "SPEAKER": 0,
}  # fmt: skip
AUDIO = {**NOTHING, "TRANSCRIPTS": 2, "AUDIO": 2}
TYPED = {**NOTHING, "AUDIO_OUT": 0, "TEXT_OUT": 1, "TEXTS": 1}
CALLS = {**NOTHING, "AUDIO_OUT": 0, "CALL_OUT": 1, "ARGUMENTS": 2}
SPOKEN = {"USERS": 2, "TRACK_USERS": 1, "TURNS": 2, "RESPONSES": 2}
BARGE = {"INTERRUPTIONS": 1}
BEHIND = {"OUTPUTS": 2, "CALL_OUT": 1, "CALLS_FROM": 2, "ARGUMENTS": 1, "RESPONSES": 2}
"""A call behind a message, and the reply to what it gives back."""

ASKED = (
    "network.open",
    "app.generate_reply",
    "client.response.create",
    "server.reads.response.create",
)
"""What it takes to get a response without a word of the user."""


@attrs.frozen
class Shape:
    """A recorded order: the events behind `session.created`, and under which bounds.

    `hidden` are the steps that the client does not see, beside those that ask for a reply.
    The rest is what is no mistake: events that may be missing somewhere, come twice, or stand
    elsewhere too, and neighbours that may change places.
    """

    source: str
    events: Names
    bounds: dict[str, int]
    hidden: Names = ()
    missing: Names = ()
    twice: Names = ()
    elsewhere: Names = ()
    exchanged: tuple[tuple[str, str], ...] = ()

    def allowed(self) -> set[tuple[str, str]]:
        """What is no mistake, as it is called among the mutants."""
        return {
            *(("missing", event) for event in self.missing),
            *(("twice", event) for event in self.twice),
            *(("elsewhere", event) for event in self.elsewhere),
            *(("exchanged", f"{one} > {other}") for one, other in self.exchanged),
        }


class Walker:
    """Follows sequences of names on one machine; what is followed once is remembered."""

    def __init__(self, machine: Machine, hidden: Callable[[Rule], bool]) -> None:
        self._machine = machine
        self._hidden = [hidden(rule) for rule in machine.rules]
        self._closed: dict[State, frozenset[State]] = {}
        self._after: dict[Names, frozenset[State]] = {(): self._closure({machine.initial})}

    def followed(self, names: Sequence[str]) -> int:
        """How many of the events, from the first on, some walk of the machine emits."""
        for number in range(len(names)):
            if not self._states(tuple(names[: number + 1])):
                return number
        return len(names)

    def accepts(self, names: Sequence[str]) -> bool:
        """Whether some walk emits exactly these events."""
        return self.followed(names) == len(names)

    def _states(self, names: Names) -> frozenset[State]:
        if names not in self._after:
            before = self._after[names[:-1]]
            self._after[names] = self._closure(self._emitted(before, names[-1]))
        return self._after[names]

    def _emitted(self, states: Collection[State], name: str) -> set[State]:
        machine = self._machine
        return {
            machine.after(state, Step(number))
            for state in states
            for number in machine.environment(state)
            if emission(machine.rules[number]) and shown(machine.rules[number], name)
        }

    def _closure(self, states: Collection[State]) -> frozenset[State]:
        """All states that hidden steps lead to, permitted or not."""
        found: set[State] = set()
        for state in states:
            if state not in found:
                found |= self._reached(state)
        return frozenset(found)

    def _reached(self, begin: State) -> frozenset[State]:
        if begin not in self._closed:
            found, waiting = {begin}, [begin]
            while waiting:
                state = waiting.pop()
                for step in self._steps(state):
                    target = self._machine.after(state, step)
                    if target not in found:
                        found.add(target)
                        waiting.append(target)
            self._closed[begin] = frozenset(found)
        return self._closed[begin]

    def _steps(self, state: State) -> Iterator[Step]:
        machine = self._machine
        steps = [Step(number) for number in machine.environment(state)] + machine.client(state)
        return (step for step in steps if self._hidden[step.rule])


def emission(rule: Rule) -> bool:
    """Whether the client sees a wire event of the server."""
    return rule.event in EVENTS and EVENTS[rule.event].direction == "server"


def shown(rule: Rule, name: str) -> bool:
    """Whether a rule emits an event; `name[1]` is the event of slot 1 only."""
    event, bracket, slot = name.partition("[")
    return rule.event == event and (not bracket or [*rule.at.values()] == [int(slot[:-1])])


def anything(rule: Rule) -> bool:
    """Every step that the client does not see."""
    return not emission(rule)


def only(ids: Collection[str]) -> Callable[[Rule], bool]:
    """The hidden steps with these clause ids."""
    unknown = set(ids) - {rule.id for rule in RULES}
    assert not unknown, unknown
    return lambda rule: not emission(rule) and rule.id in ids


@cache
def walker(shape: str) -> Walker:
    """The machine that a shape fits, with the hidden steps that it names."""
    made = SHAPES[shape]
    machine = machine_of(tuple(made.bounds.items()))
    return Walker(machine, only((*ASKED, *made.hidden)))


@cache
def machine_of(bounds: tuple[tuple[str, int], ...]) -> Machine:
    """The machine under some bounds; several shapes share one."""
    return Machine(scope("shape", "", **dict(bounds)).bounds)


SHAPES: dict[str, Shape] = {
    "audio message": Shape(
        "facts 2.1 shape 1; 2.3: the two kinds of deltas interleave freely",
        (*MESSAGE, *DELTAS, *CLOSING, DONE),
        AUDIO,
        exchanged=((WORD, SOUND),),
    ),
    "text message": Shape(
        "facts 2.1 shape 2", (*MESSAGE, TEXT, TEXT, *TEXT_CLOSING, DONE), {**TYPED, "TEXTS": 2}
    ),
    "single function call": Shape(
        "facts 2.1 shape 3",
        (CREATED, OPENED, LISTED, ARGUMENT, ARGUMENT, *CALL_CLOSING, DONE),
        CALLS,
    ),
    "text and function call": Shape(
        "facts 2.1 shape 4; traces 8",
        (
            *MESSAGE, TEXT, OPENED, LISTED, ARGUMENT, *TEXT_CLOSING, *CALL_CLOSING, DONE,
        ),
        {**TYPED, **BEHIND},
    ),
    "audio and function call": Shape(
        "facts 2.1 shape 4; traces 8",
        (*MESSAGE, WORD, SOUND, OPENED, LISTED, ARGUMENT, *CLOSING, *CALL_CLOSING, DONE),
        {**NOTHING, **BEHIND},
        exchanged=((WORD, SOUND),),
    ),
    "spoken turn": Shape("facts 3.1; traces 6", (*TURN, *SHORT), TYPED),
    "spoken turn, asked for": Shape(
        "facts 3.2: create_response false, so the client asks for the reply to the turn",
        (*TURN, *SHORT),
        {**TYPED, "TRACK_USERS": 1, "CREATE_RESPONSE": 0},
        hidden=("app.answers_turn",),
    ),
    "spoken turn, transcribed early": Shape(
        "facts 3.2; traces 7: deltas come before speech_stopped, and the end at any time later",
        (STARTED, HEARD, *TURN[1:], *MESSAGE, TEXT, TRANSCRIBED, *TEXT_CLOSING, DONE),
        {**TYPED, "TRACK_USERS": 1, "TRANSCRIPTION": 1, "EARLY_ASR": 1, "ASR": 2},
        missing=(TRANSCRIBED,),
        exchanged=((TEXT, TRANSCRIBED), (TRANSCRIBED, TEXT_DONE)),
    ),
    "spoken turn, transcribed late": Shape(
        "facts 3.2; traces 7: a delta and the end, after response.done and rate_limits.updated",
        (*TURN, *SHORT, LIMITS, HEARD, TRANSCRIBED),
        {**TYPED, "TRACK_USERS": 1, "TRANSCRIPTION": 1, "ASR": 2, "RATE_LIMITS": 1},
        missing=(LIMITS,),
        exchanged=((LIMITS, HEARD),),
    ),
    "spoken turn, not transcribed": Shape(
        "facts 3.2: failed between response.created and the item; 8 #34",
        (*TURN, CREATED, UNHEARD, *SHORT[1:]),
        {**TYPED, "TRACK_USERS": 1, "TRANSCRIPTION": 1, "ASR": 1, "DEAF": 1},
        missing=(UNHEARD,),
        exchanged=((CREATED, UNHEARD), (UNHEARD, OPENED)),
    ),
    "two transcriptions": Shape(
        "facts 3.2; traces 7: two items interleave, and the second may be complete first",
        (
            *TURN, f"{HEARD}[0]", *SHORT, *TURN, f"{HEARD}[1]", f"{HEARD}[0]",
            f"{TRANSCRIBED}[1]", f"{TRANSCRIBED}[0]", *SHORT,
        ),
        {**TYPED, **SPOKEN, "TRANSCRIPTION": 1, "ASR": 3, "FULL": 0},
        missing=(f"{HEARD}[0]", f"{HEARD}[1]", f"{TRANSCRIBED}[0]", f"{TRANSCRIBED}[1]", TEXT),
        twice=(f"{HEARD}[1]",),
        elsewhere=(f"{HEARD}[1]",),
        exchanged=(
            (f"{HEARD}[0]", CREATED), (f"{HEARD}[1]", f"{HEARD}[0]"),
            (f"{HEARD}[0]", f"{TRANSCRIBED}[1]"), (f"{TRANSCRIBED}[1]", f"{TRANSCRIBED}[0]"),
            (f"{TRANSCRIBED}[0]", CREATED),
        ),
    ),
    "manual turn": Shape(
        "facts 3.1: commit and response.create of the client",
        (COMMITTED, *ADDED, *SHORT),
        {**TYPED, "VAD": 0, "TRACK_BUFFER": 1, "COMMITS": 1, "TRACK_USERS": 1},
        hidden=(
            "user.speaks", "client.input_audio_buffer.append", "app.commit_user_turn",
            "client.input_audio_buffer.commit",
        ),
    ),
    "idle timeout": Shape(
        "facts 3.1: a system item comes before the user's; the empty transcript comes late",
        (
            *SHORT, TIMEOUT, *ADDED, COMMITTED, *ADDED, *MESSAGE, TEXT, TRANSCRIBED,
            *TEXT_CLOSING, DONE,
        ),
        {**TYPED, **SPOKEN, "NUDGES": 1, "TRANSCRIPTION": 1, "ASR": 1},
        missing=(TRANSCRIBED,),
        exchanged=((TEXT, TRANSCRIBED), (TRANSCRIBED, TEXT_DONE)),
    ),
    "barge-in while audio is streaming": Shape(
        "facts 3.3a; traces 1",
        (*TURN, *MESSAGE, WORD, WORD, SOUND, STARTED, *CLOSING, DONE),
        {**AUDIO, **BARGE},
        missing=(WORD, SOUND),
        twice=(SOUND,),
        elsewhere=(SOUND,),
        exchanged=((WORD, SOUND),),
    ),
    "barge-in before any output": Shape(
        "facts 3.3b; traces 2", (*TURN, CREATED, STARTED, DONE), {**AUDIO, **BARGE}
    ),
    "barge-in while the client plays": Shape(
        "facts 3.3c",
        (*TURN, *MESSAGE, WORD, SOUND, *CLOSING, DONE, STARTED, STOPPED),
        {**NOTHING, **BARGE, **SPOKEN, "SPEAKER": 1},
        hidden=("client.speaker.capture",),
        missing=(DONE,),
        exchanged=((WORD, SOUND), (DONE, STARTED)),
    ),
    "barge-in and the reply to it": Shape(
        "traces 1, 2 and 6: the turn that barged in is taken up and answered",
        (*TURN, *MESSAGE, TEXT, STARTED, *TEXT_CLOSING, DONE, *TURN[1:], *SHORT),
        {**TYPED, **SPOKEN, **BARGE},
        missing=(TEXT,),
        exchanged=((STARTED, TEXT_DONE),),
    ),
    "barge-in and a truncation": Shape(
        "traces 4: truncated between the user's item and the next response",
        (
            *TURN, *MESSAGE, WORD, SOUND, STARTED, *CLOSING, DONE, *TURN[1:], TRUNCATED, CREATED,
        ),
        {**NOTHING, **SPOKEN, **BARGE, "TRUNCATES": 1, "SPEAKER": 1},
        hidden=("client.conversation.item.truncate", "client.speaker.capture"),
        missing=(WORD, TRUNCATED),
        exchanged=((WORD, SOUND), (STARTED, SOUND_DONE), (TRUNCATED, CREATED)),
    ),
    "truncated after the end": Shape(
        "traces 4: rate limits, the truncation, an item, and the next reply",
        (*MESSAGE, WORD, SOUND, *CLOSING, DONE, LIMITS, TRUNCATED, *ADDED, CREATED),
        {
            **NOTHING, **BARGE, "TRUNCATES": 1, "CREATES": 1, "CONTEXTS": 1, "RATE_LIMITS": 1,
            "RESPONSES": 2, "TURNS": 2, "SPEAKER": 1,
        },
        hidden=(
            "client.conversation.item.truncate", "client.conversation.item.create",
            "app.interrupt", "client.speaker.capture", "client.speaker.clear", "speaker.cleared",
        ),
        missing=(LIMITS, TRUNCATED),
        exchanged=((WORD, SOUND), (LIMITS, TRUNCATED)),
    ),
    "rate limits": Shape(
        "facts 2.3; traces 3: directly after response.done of a completed response",
        (*SHORT, LIMITS),
        {**TYPED, "RATE_LIMITS": 1},
    ),
    "failed response": Shape(
        "facts 7.2; traces 9", (CREATED, DONE), {**TYPED, "FAILURES": 1},
        hidden=("server.gives.up.failed",),
    ),
    "call answered early": Shape(
        "facts 2.4; traces 10: added only after response.done and rate_limits.updated",
        (
            CREATED, OPENED, LISTED, ARGUMENT, ARGUMENT, *CALL_CLOSING, DONE, LIMITS, *ADDED,
            CREATED,
        ),
        {**CALLS, "RATE_LIMITS": 1, "RESPONSES": 2},
        hidden=(
            "client.call", "app.tool.returns", "client.conversation.item.create.output",
        ),
        missing=(LIMITS,),
    ),
    "history": Shape(
        "facts 2.4: each created item is added and done before the next",
        (*ADDED, *ADDED, *SHORT),
        {**TYPED, "CREATES": 2},
        hidden=("client.conversation.item.create",),
    ),
    "history, one item refused": Shape(
        "facts 2.4, 8 #14: an error in its place, and the next is processed normally",
        (ERROR, *ADDED, *SHORT),
        {**TYPED, "CREATES": 2, "REFUSED": 1},
        hidden=("client.conversation.item.create",),
        missing=(ERROR,),
    ),
    "cancelled by the client": Shape(
        "facts 4: the trail of a client cancel",
        (*MESSAGE, WORD, SOUND, *CLOSING, DONE),
        {**AUDIO, **BARGE, "CANCELS": 1},
        hidden=("app.interrupt", "client.response.cancel", "server.reads.response.cancel"),
        missing=(WORD, SOUND),
        twice=(WORD, SOUND),
        elsewhere=(WORD, SOUND),
        exchanged=((WORD, SOUND),),
    ),
    "cancelled before any output": Shape(
        "facts 4", (CREATED, DONE), {**AUDIO, **BARGE, "CANCELS": 1},
        hidden=("app.interrupt", "client.response.cancel", "server.reads.response.cancel"),
    ),
    "cancelled too late": Shape(
        "facts 4: a cancel that crosses the end, 8 #1",
        (*SHORT, ERROR),
        {**TYPED, **BARGE, "CANCELS": 1},
        hidden=("app.interrupt", "client.response.cancel", "server.reads.response.cancel"),
        missing=(DONE,),
        exchanged=((DONE, ERROR),),
    ),
    "beside a call": Shape(
        "facts 2.6: started after the first words, stopped after rate_limits.updated",
        (*MESSAGE, WORD, PLAYS, WORD, SOUND, *CLOSING, DONE, LIMITS, PLAYED),
        {**NOTHING, "TRANSCRIPTS": 2, "SIDEBAND": 1, "RATE_LIMITS": 1},
        missing=(LIMITS,),
        exchanged=((PLAYS, WORD), (WORD, SOUND), (LIMITS, PLAYED)),
    ),
    "beta": Shape(
        "facts 1.2, 2.3: no conversation.item.done, rate limits after response.created",
        (CREATED, LIMITS, *MESSAGE[1:], WORD, SOUND, *CLOSING[:3], OUTPUT_DONE, DONE),
        {**NOTHING, "LIMITS_EARLY": 1, "ITEM_DONE": 0, "USER_DONE": 0, "CREATED_DONE": 0},
        missing=(LIMITS,),
        exchanged=((LIMITS, OPENED), (WORD, SOUND)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_walks(shape: str) -> None:
    """Every recorded shape is a walk of the model, to its last event."""
    names = (SESSION, *SHAPES[shape].events)
    assert names[walker(shape).followed(names) :] == ()


Mutant = tuple[str, str, Names]
"""What was done, to which event or events, and the sequence that it makes."""


def mutants(events: Names) -> Iterator[Mutant]:
    """Every sequence that differs in one place: an event missing, twice, new, or two exchanged.

    Where the last event is missing, what is left is a beginning, which is always accepted.
    """
    alphabet = sorted(set(events))
    for place, event in enumerate(events):
        before, after = events[:place], events[place + 1 :]
        yield "twice", event, (*before, event, event, *after)
        for other in alphabet:
            if other not in (event, *events[place - 1 : place]):
                yield "elsewhere", other, (*before, other, event, *after)
        if after:
            yield "missing", event, (*before, *after)
            if after[0] != event:
                pair = f"{event} > {after[0]}"
                yield "exchanged", pair, (*before, after[0], event, *after[1:])


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_beside_a_shape_is_a_walk(shape: str) -> None:
    """With one event missing, twice or elsewhere, or two exchanged, a shape is refused.

    What is no mistake is named with the shape, all of it and no more.
    """
    made, found = SHAPES[shape], walker(shape)
    accepted = {
        (kind, where)
        for kind, where, names in mutants(made.events)
        if names != made.events and found.accepts((SESSION, *names))
    }
    assert accepted == made.allowed()


@pytest.mark.parametrize("place", [3, 4, 5])
def test_nothing_comes_between_a_commit_and_its_item(place: int) -> None:
    """From speech_stopped to the item's done the events are adjacent: traces 6."""
    found, turn = walker("spoken turn, transcribed early"), (STARTED, HEARD, *TURN[1:])
    assert found.followed((SESSION, *turn[:place], TRANSCRIBED)) == place + 1
    assert found.accepts((SESSION, *turn, TRANSCRIBED))


def test_mutants_are_made() -> None:
    """Three events have three of each kind of neighbours, fewer where one has no successor."""
    made = list(mutants(("a", "b", "c")))
    assert [names for kind, _, names in made if kind == "missing"] == [("b", "c"), ("a", "c")]
    assert [names for kind, _, names in made if kind == "exchanged"] == [
        ("b", "a", "c"), ("a", "c", "b"),
    ]  # fmt: skip
    assert sum(kind == "twice" for kind, _, _ in made) == 3
    assert ("elsewhere", "c", ("c", "a", "b", "c")) in made
    assert sum(kind == "elsewhere" for kind, _, _ in made) == 4


@pytest.mark.parametrize(
    ("shape", "rule_id", "change"),
    [
        ("text message", "server.response.done", {"when": "response[r] == active"}),
        ("audio message", "server.response.output_audio_transcript.done", {"when": "True"}),
        ("spoken turn", "server.input_audio_buffer.committed", {"urgent": False, "when":
            "spoken == u + 1 and turn in (open, stopped)"}),
        ("rate limits", "server.rate_limits.updated", {"then": {}}),
        ("failed response", "server.response.done", {"when": "response[r] in (active, done)"}),
    ],
)  # fmt: skip
def test_a_rule_that_allows_more_is_noticed(
    shape: str, rule_id: str, change: dict[str, Any]
) -> None:
    """With one guard weakened, some neighbour of a shape is a walk that should be none."""
    made = SHAPES[shape]
    rules = [attrs.evolve(rule, **change) if rule.id == rule_id else rule for rule in RULES]
    machine = Machine(scope(shape, "", **made.bounds).bounds, rules)
    found = Walker(machine, only((*ASKED, *made.hidden)))
    accepted = {
        (kind, where)
        for kind, where, names in mutants(made.events)
        if names != made.events and found.accepts((SESSION, *names))
    }
    assert accepted - made.allowed()


# -- one reply, whatever else happens ---------------------------------------------------------

OPENING: Names = MESSAGE
WHOLE: Names = (*MESSAGE, *DELTAS, *CLOSING, DONE)


@cache
def reply() -> Walker:
    """One audio reply with two deltas of each kind; everything that is not seen may happen."""
    bounds = {**AUDIO, **BARGE, "TICKS": 1, "CANCELS": 1}
    return Walker(Machine(audio_reply(**bounds).bounds), anything)


ALSO = {
    "configured": (UPDATED, *WHOLE),
    "transcript last": (*OPENING, SOUND, SOUND, WORD, WORD, *CLOSING, DONE),
    "deltas in turn": (*OPENING, WORD, SOUND, SOUND, WORD, *CLOSING, DONE),
    "barge-in before any delta": (*TURN, *OPENING, STARTED, *CLOSING, DONE),
    "barge-in while it is closed": (
        *OPENING, *DELTAS, *CLOSING[:2], STARTED, *CLOSING[2:], DONE,
    ),
    "cancelled by the client": (*OPENING, WORD, SOUND, *CLOSING, DONE),
    "cancelled before any output": (CREATED, DONE),
    "cancelled too late": (*WHOLE, ERROR),
    "cancelled twice over": (*TURN, *OPENING, STARTED, *CLOSING, DONE, ERROR),
}  # fmt: skip


@pytest.mark.parametrize("case", ALSO)
def test_other_orders_that_are_walks(case: str) -> None:
    """What was seen in beta, or follows from what is documented, is a walk too."""
    names = (SESSION, *ALSO[case])
    assert names[reply().followed(names) :] == ()


FORBIDDEN = {
    "an item before the response": (OPENED,),
    "a response before its turn is an item": (*TURN[:3], CREATED),
    "a response before its item is done": (*TURN[:4], CREATED),
    "a commit before the end of speech": (STARTED, COMMITTED),
    "the conversation before the output": (CREATED, LISTED),
    "a part before its item": (CREATED, PART),
    "a part before the conversation": (CREATED, OPENED, PART),
    "a word before its part": (CREATED, OPENED, LISTED, WORD),
    "a sound before its part": (CREATED, OPENED, LISTED, SOUND),
    "an item listed twice": (CREATED, OPENED, LISTED, LISTED),
    "a part declared twice": (*OPENING, PART),
    "a second item": (*OPENING, OPENED),
    "a sound after the sound": (*OPENING, *DELTAS, SOUND_DONE, SOUND),
    "a word after the sound": (*OPENING, *DELTAS, SOUND_DONE, WORD),
    "the words done before the sound": (*OPENING, *DELTAS, WORDS_DONE),
    "the sound done twice": (*OPENING, *DELTAS, SOUND_DONE, SOUND_DONE),
    "a part done with words open": (*OPENING, *DELTAS, SOUND_DONE, PART_DONE),
    "the output done before the item": (*OPENING, *DELTAS, *CLOSING[:3], OUTPUT_DONE),
    "done before the output is": (*OPENING, *DELTAS, *CLOSING[:4], DONE),
    "done while streaming": (*OPENING, WORD, DONE),
    "done twice": (*WHOLE, DONE),
    "a sound after the end": (*WHOLE, SOUND),
    "one sound too many": (*OPENING, SOUND, SOUND, SOUND),
    "a delta after a barge-in": (*OPENING, WORD, STARTED, SOUND),
    "an item after a barge-in": (*TURN, CREATED, STARTED, OPENED),
    "a second response": (*OPENING, CREATED),
    "speech within speech": (STARTED, STARTED),
    "a truncation that nobody asked for": (*TURN, *OPENING, WORD, SOUND, STARTED, TRUNCATED),
    "rate limits of a response that was cut": (*TURN, CREATED, STARTED, DONE, LIMITS),
}  # fmt: skip


@pytest.mark.parametrize("case", FORBIDDEN)
def test_forbidden_orders_are_no_walks(case: str) -> None:
    """The last event is refused, and nothing before it is."""
    names = (SESSION, *FORBIDDEN[case])
    assert reply().followed(names) == len(names) - 1


def test_one_update_has_one_answer() -> None:
    """A client that sends one, before the session begins, is answered once."""
    once = {"when": "connection == open and updates == 0"}
    rules = [attrs.evolve(r, **once) if r.id == "client.session.update" else r for r in RULES]
    found = Walker(Machine(audio_reply(**AUDIO).bounds, rules), anything)
    assert found.accepts((SESSION, UPDATED))
    assert found.followed((SESSION, UPDATED, UPDATED)) == 2


def test_nothing_comes_before_the_session() -> None:
    """`session.created` is the first event on the socket."""
    events = sorted({rule.event for rule in RULES if emission(rule)} - {SESSION})
    assert [event for event in events if reply().followed((event,))] == []
    assert reply().accepts((SESSION,))


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


def neighbours(machine: Machine) -> dict[str, set[str]]:
    """Which event of a response can follow which, over every state."""
    seen: dict[str, set[str]] = defaultdict(set)
    begin = (machine.initial, "")
    known, waiting = {begin}, [begin]
    while waiting:
        state, last = waiting.pop()
        for number, _, target in machine.successors(state):
            rule = machine.rules[number]
            own = rule.event.startswith("response.") and emission(rule)
            if own or rule.id.endswith(".reply"):
                seen[last].add(rule.event)
            name = rule.event if own or rule.id.endswith(".reply") else last
            if (target, name) not in known:
                known.add((target, name))
                waiting.append((target, name))
    return dict(seen)


def test_neighbours_are_exactly_these() -> None:
    """Over every state, two events of a response follow each other only as the table says."""
    bounds = {**AUDIO, **BARGE, "TURNS": 2, "CANCELS": 1}
    seen = neighbours(Machine(audio_reply(**bounds).bounds))
    assert seen.pop("") == {CREATED}
    assert seen == NEXT


def test_neighbours_of_a_call_are_exactly_these() -> None:
    """A call has no content parts, and the arguments of one that is cut are closed too."""
    seen = neighbours(Machine(scope("calls", "", **{**CALLS, **BARGE}).bounds))
    assert seen == {
        "": {CREATED},
        CREATED: {OPENED, DONE},
        OPENED: {LISTED},
        LISTED: {ARGUMENT, ARGUMENTS_DONE},
        ARGUMENT: {ARGUMENT, ARGUMENTS_DONE},
        ARGUMENTS_DONE: {ITEM_DONE},
        ITEM_DONE: {OUTPUT_DONE},
        OUTPUT_DONE: {DONE},
    }
