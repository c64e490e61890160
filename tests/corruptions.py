"""Corruptions of a recording: one thing wrong in each, and which of them nobody can tell.

A corruption changes the server's side only, in one place. `draw` spreads them evenly over the
server's event types and the kinds of corruption. Draw from a recording that is translated: what a
dialect sets aside cannot be refused.

What can be told rests on every order that no recording breaks, documented or not (facts 2.1, 3.1,
3.3). What cannot be told is data: `UNDETECTABLE` for whole corruptions, `FREE_ORDERS` for two lines
whose order nothing fixes. An acceptor owes nothing where an entry matches: it may refuse there, if
it assumes more.

Laws:
- The same recording, number and seed give the same corruptions.
- A corrupted recording differs from its original, and its lines are numbered anew from 1.
- A line is moved past at least one other line that it has to do with: of its response, its item,
  or what brings it about.
- No two corruptions of one drawing say the same. Two that swap neighbours, from either side, may
  do the same.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import attrs

from realtime_protocol.recordings import DIALECTS, Event, Line, Recording

Kind = Literal["dropped", "doubled", "moved", "id changed", "delta changed"]
KINDS: tuple[Kind, ...] = get_args(Kind)

ID_FIELDS = (
    "event_id",
    "item_id",
    "response_id",
    "call_id",
    "previous_item_id",
    "item.id",
    "item.call_id",
    "response.id",
)
"""Where an event names something; a dot leads into an object."""

PLACING = ("conversation.item.added", "conversation.item.done", "input_audio_buffer.committed")
"""Events whose previous_item_id says where an item stands; elsewhere the field means nothing."""

AUDIO_DELTA = "response.output_audio.delta"
WORDS_DELTA = "response.output_audio_transcript.delta"
TRANSCRIPTION = "conversation.item.input_audio_transcription."
ADDED, DONE = "conversation.item.added", "conversation.item.done"
OUTPUT_ADDED = "response.output_item.added"
COMMITTED = "input_audio_buffer.committed"
STARTED, STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
LIMITS = "rate_limits.updated"
CREATED, RESPONSE_DONE = "response.created", "response.done"
PLAYOUT = ("output_audio_buffer.started", "output_audio_buffer.stopped")
REPLIES = (
    "session.updated",
    "error",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.retrieved",
    "input_audio_buffer.cleared",
)
"""What only answers a request of the client; items, commits and responses have other causes too."""

OTHERS = 3
"""How many other ids of the recording are tried for a field."""


@attrs.frozen
class Corruption:
    """One thing made wrong.

    `line` is the number of the changed line in the original, `at` its position there from 0.
    `crossed` are the positions that a moved line has passed, `field`, `old` and `new` what was
    replaced, `fresh` whether `new`, or the event id of a copy, stands nowhere in the original.
    """

    kind: Kind
    event_type: str
    line: int
    what: str
    recording: Recording
    story: Story = attrs.field(repr=False)
    at: int
    crossed: tuple[int, ...] = ()
    field: str = ""
    old: str | None = None
    new: str | None = None
    fresh: bool = False

    @property
    def original(self) -> Recording:
        """The recording before it was corrupted."""
        return self.story.recording


# -- what a recording says ---------------------------------------------------------------------


def got(event: Event, path: str) -> Any:
    """What stands at a path of names; None where there is nothing."""
    value: Any = event
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def put(event: Event, path: str, value: object) -> Event:
    """The event with another value at a path that exists."""
    head, _, rest = path.partition(".")
    return {**event, head: put(event[head], rest, value) if rest else value}


def listed_outputs(event: Event) -> list[Event]:
    """The items in the output of a response object, as far as they were recorded."""
    output = got(event, "response.output")
    items = output if isinstance(output, list) else []
    return [item for item in items if isinstance(item, Mapping)]


def named(event: Event) -> frozenset[str]:
    """Every id that an event names."""
    fields = [field for field in ID_FIELDS if field != "previous_item_id"]
    fields += ["previous_item_id"] if event.get("type") in PLACING else []
    found = {got(event, field) for field in fields}
    found |= {item.get(key) for item in listed_outputs(event) for key in ("id", "call_id")}
    return frozenset(name for name in found if isinstance(name, str))


@attrs.frozen
class Story:
    """What the lines of a recording have to do with each other, by position.

    `response` is the response that a server line belongs to: by name, as an output item's, or for
    rate limits the last one created.
    `item` is the item that a line is about, `outputs` the response and index of every output item.
    `keys` are what two lines share that have to do with each other.
    """

    recording: Recording
    response: tuple[str | None, ...]
    item: tuple[str | None, ...]
    keys: tuple[frozenset[str], ...]
    outputs: Mapping[str, tuple[str, int]]
    first: Mapping[tuple[str, str], int]

    def line(self, at: int) -> Line:
        """The line at a position."""
        return self.recording.lines[at]

    def type(self, at: int) -> str:
        """The event type at a position."""
        return self.recording.lines[at].type

    def assumes(self, name: str) -> bool:
        """Whether the dialect of the recording makes an assumption."""
        return name in DIALECTS[self.recording.dialect].assumptions

    def where(self, kind: str, name: str | None) -> int | None:
        """Where the first event of a type for an item or response stands."""
        return self.first.get((kind, name)) if name else None

    def is_output(self, at: int) -> bool:
        """Whether a line is about an item that a response produced."""
        return self.item[at] in self.outputs

    def is_spoken(self, at: int) -> bool:
        """Whether a line is about an item that speech was detected for."""
        return self.where(STARTED, self.item[at]) is not None

    def is_asked(self, at: int) -> bool:
        """Whether a line answers a request, as far as the recording can tell."""
        kind = self.type(at)
        if kind == CREATED:
            return any(line.type == "response.create" for line in self.recording.lines)
        if kind in PLACING and not self.is_output(at):
            return not self.is_spoken(at)
        return kind in REPLIES


def story_of(recording: Recording) -> Story:
    """What the lines of a recording have to do with each other."""
    outputs: dict[str, tuple[str, int]] = {}
    for line in recording.server:
        item, response = got(line.event, "item.id"), got(line.event, "response_id")
        if line.type == OUTPUT_ADDED and item and response:
            order = sum(1 for owner, _ in outputs.values() if owner == response)
            outputs[item] = (response, order)
    story = _Telling(outputs)
    for at, line in enumerate(recording.lines):
        story.hear(at, line)
    return Story(
        recording, tuple(story.responses), tuple(story.items), tuple(story.keys), outputs,
        story.first,
    )  # fmt: skip


class _Telling:
    """Goes through a recording once, from first to last."""

    def __init__(self, outputs: Mapping[str, tuple[str, int]]) -> None:
        self.outputs = outputs
        self.responses: list[str | None] = []
        self.items: list[str | None] = []
        self.keys: list[frozenset[str]] = []
        self.first: dict[tuple[str, str], int] = {}
        self.created: str | None = None
        self.active: str | None = None
        self.placed: str | None = None

    def hear(self, at: int, line: Line) -> None:
        if line.direction == "client":
            for heard in (self.responses, self.items):
                heard.append(None)
            self.keys.append(frozenset())
            return
        event, kind = line.event, line.type
        item = got(event, "item_id") or got(event, "item.id")
        response = got(event, "response_id") or got(event, "response.id")
        response = response or (self.outputs[item][0] if item in self.outputs else None)
        if kind == CREATED:
            self.created = self.active = response
        if kind == LIMITS:
            response = self.created
        shared = {name for name in (item, response) if name}
        shared |= self._brought_about(kind)
        for name in filter(None, (item, response)):
            self.first.setdefault((kind, name), at)
        if kind == RESPONSE_DONE:
            self.active = None
        if kind in PLACING:
            self.placed = item
        self.responses.append(response)
        self.items.append(item)
        self.keys.append(frozenset(shared))

    def _brought_about(self, kind: str) -> set[str]:
        """What else a line has to do with: speech cuts a response, an item comes before one."""
        if kind.startswith(("session.", "conversation.created")):
            return {"session"}
        cause = {STARTED: self.active, CREATED: self.placed}.get(kind)
        return {cause} if cause else set()


def related(story: Story, one: int, other: int) -> bool:
    """Whether two server lines have to do with each other and do not say the same."""
    if not story.keys[one] & story.keys[other]:
        return False
    return _said(story.line(one)) != _said(story.line(other))


def _said(line: Line) -> Event:
    """An event without what makes it unique but says nothing."""
    return {k: v for k, v in line.event.items() if k not in ("event_id", "obfuscation")}


# -- texts ------------------------------------------------------------------------------------

Part = tuple[str, str, int]
"""A text that comes in deltas: its event type without the last word, its item, its part."""


def part_of(line: Line) -> Part | None:
    """The text that a delta or its end belongs to; audio is no text."""
    family, _, last = line.type.rpartition(".")
    if last not in ("delta", "done", "completed") or line.type == AUDIO_DELTA:
        return None
    return family, str(line.event.get("item_id")), int(line.event.get("content_index") or 0)


def closed_text(line: Line) -> str | None:
    """The whole text, as its end says it."""
    found = [line.event.get(name) for name in ("text", "transcript", "arguments")]
    texts = [text for text in found if isinstance(text, str)]
    return texts[0] if texts and not line.type.endswith(".delta") else None


def text_stands(recording: Recording, part: Part) -> bool:
    """Whether deltas and end of a text agree, or it has no end in the recording.

    Input transcription is compared without outer space, which its end does not have (18 of 18
    recorded), and may have no deltas at all: it depends on the model whether it streams.
    """
    lines = [line for line in recording.server if part_of(line) == part]
    deltas = [str(line.event.get("delta")) for line in lines if line.type.endswith(".delta")]
    ends = [text for line in lines if (text := closed_text(line)) is not None]
    whole = "".join(deltas)
    if f"{part[0]}." == TRANSCRIPTION:
        return not deltas or all(whole.strip() == end.strip() for end in ends)
    return all(whole == end for end in ends)


# -- drawing ----------------------------------------------------------------------------------

Cell = tuple[str, Kind]


def cells(recording: Recording) -> dict[Cell, list[int]]:
    """Where each kind of corruption can be made to each type of server event: positions."""
    return _cells(story_of(recording))


def _cells(story: Story) -> dict[Cell, list[int]]:
    found: dict[Cell, list[int]] = defaultdict(list)
    for at, line in enumerate(story.recording.lines):
        if line.direction == "server":
            for kind in KINDS:
                if _possible(story, at, kind):
                    found[line.type, kind].append(at)
    return dict(sorted(found.items()))


def _possible(story: Story, at: int, kind: Kind) -> bool:
    line = story.line(at)
    if kind == "moved":
        return any(True for _ in _places(story, at))
    if kind == "id changed":
        return bool(_id_fields(line.event))
    if kind == "delta changed":
        return line.type.endswith(".delta") and part_of(line) is not None
    return True


def draw(recording: Recording, n: int, seed: int) -> list[Corruption]:
    """Up to `n` different corruptions, as many of each (event type, kind) as there can be.

    There are fewer only when a recording has no more.
    """
    chance = random.Random(seed)
    story = story_of(recording)
    sites = _cells(story)
    order = chance.sample(list(sites), len(sites))
    ways = {cell: _ways(story, cell[1], sites[cell], chance) for cell in order}
    drawn: list[Corruption] = []
    while ways and len(drawn) < n:
        for cell in list(ways):
            made = next(ways[cell], None)
            if made is None:
                del ways[cell]
            else:
                drawn.append(made)
            if len(drawn) == n:
                break
    return drawn


def _ways(
    story: Story, kind: Kind, sites: Sequence[int], chance: random.Random
) -> Iterator[Corruption]:
    """Every corruption of a cell once, one line after the other in turn."""
    made = {at: MAKERS[kind](story, at, chance) for at in chance.sample(sites, len(sites))}
    while made:
        for at in list(made):
            found = next(made[at], None)
            if found is None:
                del made[at]
            else:
                yield found


def _made(
    story: Story, kind: Kind, at: int, what: str, lines: Iterable[Line], **facts: Any
) -> Corruption:
    line = story.line(at)
    numbered = (
        each if each.number == n else attrs.evolve(each, number=n)
        for n, each in enumerate(lines, 1)
    )
    return Corruption(
        kind=kind,
        event_type=line.type,
        line=line.number,
        what=f"line {line.number}, {line.type}: {what}",
        recording=attrs.evolve(story.recording, lines=tuple(numbered)),
        story=story,
        at=at,
        **facts,
    )


def _dropped(story: Story, at: int, chance: random.Random) -> Iterator[Corruption]:
    lines = story.recording.lines
    yield _made(story, "dropped", at, "left out", lines[:at] + lines[at + 1 :])


def _doubled(story: Story, at: int, chance: random.Random) -> Iterator[Corruption]:
    """Repeated as it is, which its event id betrays, and as if it were sent again."""
    lines = story.recording.lines
    for fresh in chance.sample((True, False), 2):
        event, what = lines[at].event, "repeated"
        if fresh:
            event = {**event, "event_id": _unknown(event.get("event_id"), lines[at])}
            what = "repeated with a new event_id"
        copy = attrs.evolve(lines[at], event=event)
        doubled = (*lines[: at + 1], copy, *lines[at + 1 :])
        # an event without an id is sent again by repeating it
        again = fresh or "event_id" not in event
        yield _made(story, "doubled", at, what, doubled, fresh=again)


def _moved(story: Story, at: int, chance: random.Random) -> Iterator[Corruption]:
    """Half of them first to a nearest place that makes a difference: hardest to see there."""
    places = list(_places(story, at))
    # the places of each way come nearest first
    ways = ([p for p in places if p > at], [p for p in places if p < at])
    first = chance.choice([way[0] for way in ways if way])
    chance.shuffle(places)
    if chance.random() < 0.5:
        places = [first, *(place for place in places if place != first)]
    lines = story.recording.lines
    rest = lines[:at] + lines[at + 1 :]
    for to in places:
        crossed = tuple(range(at + 1, to + 1) if to > at else range(to, at))
        way = "behind" if to > at else "before"
        where = f"moved {way} line {lines[to].number}, {lines[to].type}"
        yield _made(story, "moved", at, where, (*rest[:to], lines[at], *rest[to:]), crossed=crossed)


def _places(story: Story, at: int) -> Iterator[int]:
    """Positions of server lines that this one can be moved past, so that a real order changes."""
    for way in (range(at + 1, len(story.recording.lines)), range(at - 1, -1, -1)):
        passed = False
        for place in way:
            if story.line(place).direction == "server":
                passed = passed or related(story, at, place)
                if passed:
                    yield place


def _id_fields(event: Event) -> list[str]:
    """Fields that name something; a place may be null, which says that there is nothing before."""
    fields = [field for field in ID_FIELDS if isinstance(got(event, field), str)]
    fields = [f for f in fields if f != "previous_item_id" or event["type"] in PLACING]
    if event["type"] in PLACING and event.get("previous_item_id", "") is None:
        fields.append("previous_item_id")
    return fields


def _id_changed(story: Story, at: int, chance: random.Random) -> Iterator[Corruption]:
    line = story.line(at)
    changes = []
    for field in _id_fields(line.event):
        old = got(line.event, field)
        others = sorted(_names_like(story.recording, field) - {old})
        changes.append((field, old, _unknown(old or next(iter(others), None), line), True))
        changes += [
            (field, old, new, False) for new in chance.sample(others, min(OTHERS, len(others)))
        ]
    chance.shuffle(changes)
    for field, old, new, fresh in changes:
        known = "unknown" if fresh else "another of these"
        what = f"{field} {old or 'null'} replaced by {new}, {known}"
        lines = list(story.recording.lines)
        lines[at] = attrs.evolve(line, event=put(line.event, field, new))
        yield _made(
            story, "id changed", at, what, lines, field=field, old=old, new=new, fresh=fresh
        )


def _names_like(recording: Recording, field: str) -> set[str]:
    """Every id of the same sort in the recording."""
    items = ("item_id", "previous_item_id", "item.id")
    sorts = (items, ("response_id", "response.id"), ("call_id", "item.call_id"), ("event_id",))
    fields = next(sort for sort in sorts if field in sort)
    found = {got(line.event, name) for line in recording.server for name in fields}
    return {name for name in found if isinstance(name, str)}


def _unknown(like: object, line: Line) -> str:
    """An id that no recording has, of the usual look, and always the same for a line."""
    prefix = str(like).partition("_")[0] if "_" in str(like) else "id"
    return f"{prefix}_unknown_{line.number}"


def _delta_changed(story: Story, at: int, chance: random.Random) -> Iterator[Corruption]:
    line = story.line(at)
    old = str(line.event["delta"])
    # never only space: the ends of a transcription are compared without it
    changes = sorted({f"{old}.", f".{old}", "." if old != "." else ","})
    for new in chance.sample(changes, len(changes)):
        lines = list(story.recording.lines)
        lines[at] = attrs.evolve(line, event={**line.event, "delta": new})
        what = f"delta {json.dumps(old)} replaced by {json.dumps(new)}"
        yield _made(story, "delta changed", at, what, lines, field="delta", old=old, new=new)


MAKERS: Mapping[Kind, Callable[[Story, int, random.Random], Iterator[Corruption]]] = {
    "dropped": _dropped,
    "doubled": _doubled,
    "moved": _moved,
    "id changed": _id_changed,
    "delta changed": _delta_changed,
}
"""All corruptions of one kind at one position, in an order that chance gives."""


# -- orders that nothing fixes ----------------------------------------------------------------


@attrs.frozen
class FreeOrder:
    """Two server lines that may stand either way; `holds` is asked with each of them as first."""

    name: str
    reason: str
    holds: Callable[[Story, int, int], bool]


def _audio_deltas(story: Story, one: int, other: int) -> bool:
    kinds = (AUDIO_DELTA, WORDS_DELTA)
    same = story.item[one] == story.item[other]
    return same and story.type(one) == AUDIO_DELTA and story.type(other) in kinds


def _transcription(story: Story, one: int, other: int) -> bool:
    kind, about = story.type(one), story.type(other)
    if not kind.startswith(TRANSCRIPTION) or about == "session.created":
        return False
    if story.item[one] != story.item[other]:
        return True
    if story.assumes("transcription_repeats"):
        interim = _is_so_far(story.line(one))
        fixed = (STARTED, ADDED) if interim else (STARTED, ADDED, STOPPED, COMMITTED)
        again = about.startswith(TRANSCRIPTION)
        return about not in fixed and (not again or interim == _is_so_far(story.line(other)))
    streamed = kind.endswith(".delta") and story.is_spoken(one)
    return about in (ADDED, DONE) or (streamed and about in (STOPPED, COMMITTED))


def _is_so_far(line: Line) -> bool:
    """Whether a transcription says that it is not final, as one dialect does."""
    return line.type.startswith(TRANSCRIPTION) and line.event.get("status") == "in_progress"


def _next_item(story: Story, one: int, other: int) -> bool:
    if story.assumes("items_one_by_one"):
        return False
    if not (story.is_output(one) and story.is_output(other)):
        return False
    later, earlier = (story.outputs[str(story.item[at])] for at in (one, other))
    opens = story.type(one).endswith((".added", ".delta"))
    goes_on = not story.type(other).endswith(".added")
    return later[0] == earlier[0] and later[1] > earlier[1] and opens and goes_on


def _limits(story: Story, one: int, other: int) -> bool:
    if story.type(one) != LIMITS or story.type(other) == "session.created":
        return False
    return story.type(other) != CREATED or other > one or _limits_due(story.recording, other)


def _limits_due(recording: Recording, before: int) -> bool:
    """Whether a response that was created before a position may have had no rate limits by then."""
    kinds = [line.type for line in recording.lines[:before]]
    return recording.starts == "later" or kinds.count(LIMITS) < kinds.count(CREATED)


def _playout(story: Story, one: int, other: int) -> bool:
    if story.type(one) not in PLAYOUT or story.type(other) == "session.created":
        return False
    if story.response[one] != story.response[other] or story.response[one] is None:
        return True
    about = story.type(other)
    if story.type(one) == "output_audio_buffer.started":
        return about not in PLAYOUT and about != CREATED and not about.endswith(".added")
    return False


def _late_reply(story: Story, one: int, other: int) -> bool:
    if story.type(one) not in REPLIES or story.type(other) == "session.created":
        return False
    if story.recording.has_client and story.is_asked(other):
        return False
    shared = story.item[one]
    if shared is None or story.type(other).endswith(".done"):
        return True
    owner = story.outputs.get(shared, (None, 0))[0]
    return shared != story.item[other] and (owner is None or owner != story.response[other])


def _speech(story: Story, one: int, other: int) -> bool:
    if story.type(one) not in (STARTED, STOPPED):
        return False
    if story.type(other) in PLACING and not story.is_output(other):
        return story.item[one] != story.item[other]
    began = story.where(STARTED, story.item[one])
    created = story.where(CREATED, story.response[other])
    if story.type(one) == STARTED or began is None or created is None:
        return False
    return created < began and story.type(other) not in (LIMITS, *PLAYOUT)


def _same_text(story: Story, one: int, other: int) -> bool:
    first, second = story.line(one), story.line(other)
    part = part_of(first)
    if part is None or first.type != second.type or part != part_of(second):
        return False
    if not first.type.endswith(".delta"):
        return False
    if not any(part_of(line) == part and closed_text(line) for line in story.recording.server):
        return True
    texts = [str(line.event.get("delta")) for line in (first, second)]
    return texts[0] + texts[1] == texts[1] + texts[0]


def _early_response(story: Story, one: int, other: int) -> bool:
    if not story.assumes("response_before_commit"):
        return False
    return story.type(one) == CREATED and story.type(other) in (STOPPED, COMMITTED)


def _conversation_created(story: Story, one: int, other: int) -> bool:
    return story.type(one) == "conversation.created" and story.type(other) != "session.created"


def _replayed(story: Story, one: int, other: int) -> bool:
    return story.type(other) == "session.updated" and _is_replay(story, one)


def _is_replay(story: Story, at: int) -> bool:
    """Whether an item comes from an earlier session: the client has not made one yet."""
    if not story.assumes("items_replayed") or story.type(at) != ADDED:
        return False
    asked = any(line.type == "conversation.item.create" for line in story.recording.lines[:at])
    return not (asked or story.is_output(at) or story.is_spoken(at))


FREE_ORDERS: tuple[FreeOrder, ...] = (
    FreeOrder(
        "audio-and-words",
        "Audio and transcript deltas of a message interleave freely (facts 2.3), and one audio "
        "delta cannot be told from the next: the payload is not checkable.",
        _audio_deltas,
    ),
    FreeOrder(
        "input-transcription",
        "Transcription runs beside everything else (facts 2.3, 3.2): its deltas after the speech "
        "started, also before the item exists, its end any time after the commit.",
        _transcription,
    ),
    FreeOrder(
        "next-item",
        "An item may open and stream before the one before it is closed, or after (facts 2.3).",
        _next_item,
    ),
    FreeOrder(
        "rate-limits",
        "The sources contradict each other: at the beginning of a response or at its end. They "
        "only cannot come when every response created so far has had its own (facts 2.3, 9.14).",
        _limits,
    ),
    FreeOrder(
        "playout",
        "On WebRTC the audio plays beside the events: started after the part was added, stopped "
        "after response.done, and nothing more is said (SDK realtime_server_event.py).",
        _playout,
    ),
    FreeOrder(
        "late-reply",
        "A reply may be delayed past what is not an answer too (facts appendix A), a truncation "
        "past the closing of what it cuts (facts 9.7); without the client's side nobody knows "
        "what was asked.",
        _late_reply,
    ),
    FreeOrder(
        "speech",
        "Speech starts and stops beside the items of others, and the end of speech beside the "
        "response that its start has cut (facts 3.2).",
        _speech,
    ),
    FreeOrder(
        "same-text",
        "Two deltas that give the same text either way, or a text whose end is not recorded.",
        _same_text,
    ),
    FreeOrder(
        "early-response",
        "Where the dialect says so, a response is created before the commit or after it.",
        _early_response,
    ),
    FreeOrder(
        "conversation-created",
        "Documented directly after session.created, recorded in one dialect only: its place "
        "otherwise is not known (facts 1.2, 9.16).",
        _conversation_created,
    ),
    FreeOrder(
        "replayed-items",
        "Where the dialect says so, earlier items come around session.updated; seen once.",
        _replayed,
    ),
)


def free_order(story: Story, one: int, other: int) -> str | None:
    """The name of the entry that lets two server lines stand either way."""
    for order in FREE_ORDERS:
        if order.holds(story, one, other) or order.holds(story, other, one):
            return order.name
    return None


def _passes(story: Story, at: int, other: int) -> bool:
    """Whether a line may be moved past another; what the client sends hardly stands in the way."""
    if story.line(other).direction == "server":
        return free_order(story, at, other) is not None
    # later than a client's line anything may be; an answer is not earlier than its request
    kind = story.type(other)
    if other > at or story.line(other).gap:
        return True
    if kind == "input_audio_buffer.append":
        earlier = story.recording.lines[:other]
        return story.type(at) != STARTED or any(line.type == kind for line in earlier)
    return not story.is_asked(at)


# -- what nobody can tell ---------------------------------------------------------------------


@attrs.frozen
class Undetectable:
    """A sort of corruption that the protocol lets nobody tell from a true recording, and why."""

    name: str
    reason: str
    matches: Callable[[Corruption], bool]


def _is_new_event_id(made: Corruption) -> bool:
    return made.kind == "id changed" and made.field == "event_id" and made.fresh


def _is_named_once(made: Corruption) -> bool:
    if made.kind != "id changed" or made.field == "event_id":
        return False
    if not made.fresh or made.old is None:
        return False
    others = (line for at, line in enumerate(made.original.lines) if at != made.at)
    return not any(made.old in named(line.event) for line in others)


def _is_audio_delta(made: Corruption) -> bool:
    again = made.kind == "doubled" and made.fresh
    return made.event_type == AUDIO_DELTA and (made.kind == "dropped" or again)


def _is_same_text(made: Corruption) -> bool:
    part = part_of(made.original.lines[made.at])
    if part is None or not made.event_type.endswith(".delta"):
        return False
    counts = made.kind in ("dropped", "delta changed") or (made.kind == "doubled" and made.fresh)
    return counts and text_stands(made.recording, part)


def _is_limits_dropped(made: Corruption) -> bool:
    return made.kind == "dropped" and made.event_type == LIMITS


def _is_limits_due(made: Corruption) -> bool:
    if made.kind != "doubled" or made.event_type != LIMITS or not made.fresh:
        return False
    return _limits_due(made.original, made.at + 1)


def _is_end(made: Corruption) -> bool:
    if made.kind != "dropped" or made.event_type == LIMITS:
        return False
    story = made.story
    later = range(made.at + 1, len(made.original.lines))
    return all(_passes(story, made.at, other) for other in later)


def _is_start(made: Corruption) -> bool:
    if made.kind != "dropped":
        return False
    if made.event_type == CREATED and made.original.starts == "later":
        return all(line.type != CREATED for line in made.original.lines[: made.at])
    return made.event_type == "session.created" or made.at == 0


def _is_from_before(made: Corruption) -> bool:
    if made.kind != "id changed" or not made.fresh or made.original.starts != "later":
        return False
    story = made.story
    if made.event_type.startswith(TRANSCRIPTION):
        return made.field == "item_id"
    if made.event_type in (CREATED, RESPONSE_DONE, *PLAYOUT):
        return made.field in ("response.id", "response_id")
    first = next((at for at in range(made.at) if story.type(at) in PLACING), made.at)
    return made.field == "previous_item_id" and story.item[first] == story.item[made.at]


def _is_free_move(made: Corruption) -> bool:
    story = made.story
    return made.kind == "moved" and all(_passes(story, made.at, other) for other in made.crossed)


def _is_place_of_done(made: Corruption) -> bool:
    if made.event_type != DONE or made.field != "previous_item_id":
        return False
    story = made.story
    added = story.where(ADDED, story.item[made.at])
    return added is not None and story.line(added).event.get("previous_item_id") == made.new


def _is_unasked(made: Corruption) -> bool:
    if made.original.has_client:
        return False
    story = made.story
    if made.kind == "dropped":
        by_hand = made.event_type == COMMITTED and not story.is_spoken(made.at)
        return by_hand or made.event_type == STOPPED
    if made.kind == "doubled":
        return made.fresh and made.event_type in REPLIES
    placed = made.field == "previous_item_id" and made.event_type in (ADDED, DONE)
    committed = story.where(COMMITTED, story.item[made.at]) is not None
    by_client = placed and not story.is_output(made.at) and not committed
    answered = made.field == "item_id" and made.event_type in REPLIES
    return made.kind == "id changed" and not made.fresh and (by_client or answered)


def _is_own_error(made: Corruption) -> bool:
    event = made.original.lines[made.at].event
    again = made.kind == "doubled" and made.fresh
    return again and made.event_type == "error" and got(event, "error.event_id") is None


def _is_other_turn(made: Corruption) -> bool:
    if made.kind != "id changed" or not made.event_type.startswith(TRANSCRIPTION):
        return False
    story = made.story
    heard = [story.where(kind, made.new) for kind in (STARTED, COMMITTED)]
    if made.field != "item_id" or not any(at is not None and at < made.at for at in heard):
        return False
    lines = [line for line in made.recording.server if line.type.startswith(TRANSCRIPTION)]
    ends = [
        line.event["item_id"]
        for line in lines
        if not line.type.endswith(".delta") and not _is_so_far(line)
    ]
    parts = [part for line in lines if (part := part_of(line)) is not None]
    once = len(ends) == len(set(ends))
    return once and all(text_stands(made.recording, part) for part in parts)


def _is_repeated_transcription(made: Corruption) -> bool:
    if not made.story.assumes("transcription_repeats"):
        return False
    counts = made.kind == "dropped" or (made.kind == "doubled" and made.fresh)
    return counts and _is_so_far(made.original.lines[made.at])


def _is_rare_done(made: Corruption) -> bool:
    rare = made.story.assumes("item_done_for_input_audio_only")
    return rare and made.kind == "dropped" and made.event_type == DONE


UNDETECTABLE: tuple[Undetectable, ...] = (
    Undetectable(
        "new-event-id",
        "An event id of the server is unique and nothing refers to it; a new one is as good.",
        _is_new_event_id,
    ),
    Undetectable(
        "named-once",
        "Nothing else in the recording names what this event names, so any name is as good.",
        _is_named_once,
    ),
    Undetectable(
        "audio-delta",
        "How many deltas carry the audio is the server's choice, and no event says how much audio "
        "there was: one fewer or one more is a true recording.",
        _is_audio_delta,
    ),
    Undetectable(
        "text-stands",
        "The text that the deltas give is still what its end says, or its end is not recorded.",
        _is_same_text,
    ),
    Undetectable(
        "rate-limits-dropped",
        "rate_limits.updated is optional: absent after cut and failed responses, from all Azure "
        "recordings, and from one of OpenAI that goes on (facts 2.3).",
        _is_limits_dropped,
    ),
    Undetectable(
        "rate-limits-of-another",
        "They name no response: where an earlier one has had none, the second may be its own.",
        _is_limits_due,
    ),
    Undetectable(
        "ended-earlier",
        "Nothing after the missing event has to come after it, so it may still be to come: the "
        "last event of a recording, the last reply, the end of a transcription.",
        _is_end,
    ),
    Undetectable(
        "started-later",
        "A recording may start at any event, so a missing first one is a later start, and a "
        "response may have been created before it.",
        _is_start,
    ),
    Undetectable(
        "from-before-the-start",
        "A recording that starts later may name items and responses from before its start.",
        _is_from_before,
    ),
    Undetectable(
        "free-order",
        "The line was moved only past lines whose order with it nothing fixes: `FREE_ORDERS`.",
        _is_free_move,
    ),
    Undetectable(
        "place-in-done",
        "previous_item_id of conversation.item.done is null or what `added` said; which of them "
        "is a habit of the server that no source explains (facts 2.3).",
        _is_place_of_done,
    ),
    Undetectable(
        "client-missing",
        "Without the client's side nobody knows what was asked: how many answers there must be, "
        "where the client placed an item, whether it committed while the user spoke.",
        _is_unasked,
    ),
    Undetectable(
        "error-of-its-own",
        "An error that names no request may be the server's own trouble, and come twice.",
        _is_own_error,
    ),
    Undetectable(
        "transcription-of-another-turn",
        "A piece of transcription whose text is never closed may belong to any turn.",
        _is_other_turn,
    ),
    Undetectable(
        "repeated-transcription",
        "Where the dialect says again and again what it has understood so far, once more or less "
        "is as good; what it says at last is said once.",
        _is_repeated_transcription,
    ),
    Undetectable(
        "rare-item-done",
        "Where the dialect sends conversation.item.done for one sort of item, seen once, nobody "
        "knows whether it always does.",
        _is_rare_done,
    ),
)


def undetectable(made: Corruption) -> str | None:
    """The name of the entry by which nobody can tell a corruption, if there is one."""
    return next((entry.name for entry in UNDETECTABLE if entry.matches(made)), None)
