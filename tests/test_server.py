"""The reference server: every event against the types of the `openai` package, and its own laws.

It is driven by steps of the machine directly, with client messages written here, and without any
client. `CASES` are the scopes, and one small scope for each assumption. In each, a seeded search
finds short ways to every rule that speaks, and the laws are read off the wire along all of them.

Laws of the search:
- A client may take any step, the forbidden ones included; it names only ids that it can know.
- A rule that no way leads to stands in `UNREACHED` with the reason, and nothing else does.
"""

from __future__ import annotations

import base64
import json
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import attrs
import pytest

from realtime_conformance.server import (
    ARGUMENTS,
    ReferenceServer,
    piece_of,
    to_beta,
)
from realtime_conformance.sound import encoded
from realtime_protocol.assumptions import ASSUMPTIONS, assumed
from realtime_protocol.bounds import (
    BRIEF,
    SCOPES,
    TEXT,
    UNIT_MS,
    audio_reply,
    rebounded,
    scope,
    sizes,
)
from realtime_protocol.machine import Machine, Step
from realtime_protocol.messages import Addressed, readings
from realtime_protocol.names import Names, at
from realtime_protocol.rule import Rule
from realtime_protocol.state import State
from realtime_protocol.vocabulary import ERRORS, EVENTS
from realtime_protocol.wire import SPELLINGS, Wire

Bounds = Mapping[str, int]

BACK = {
    "REPEATS": 1,
    "SOCKETS": 2,
    "DROPS": 1,
    "TRACK_USERS": 1,
    "CREATES": 1,
    "PLACES": 1,
    "CONTEXTS": 1,
}
"""The client creates items, and puts them back on a second socket."""
CALLS = {"CALL_OUT": 1, "RESPONSES": 2}
"""A call, and the reply to what it gives back."""

OWN: Mapping[str, Mapping[str, int]] = {
    "silent_expiry": {"SOCKETS": 2, "EXPIRIES": 1, **CALLS, "ARGUMENTS": 2},
    "cancel_hits_next": {"TURNS": 2, "RESPONSES": 2, "CANCELS": 2},
    "late_deltas": {"AUDIO": 2},
    "duplicates_ignored": BACK,
    "duplicates_appended": BACK,
    "no_item_done": {**CALLS, "OUTPUTS": 2, "ARGUMENTS": 4, "RETRIEVES": 1},
    "item_done_for_input_audio_only": {**CALLS, "RETRIEVES": 1},
    "rate_limits_after_created": {"RATE_LIMITS": 1},
    "part_done_without_text": TEXT,
    "items_replayed": {"CREATES": 2, "CONTEXTS": 1, "REMOVALS": 1, "RETRIEVES": 1},
    "item_at_speech_started": {"TRACK_USERS": 1},
    "transcription_repeats": {"TRANSCRIPTION": 1, "EARLY_ASR": 1, "ASR": 3, "TRACK_USERS": 1},
    "response_before_commit": {"TURNS": 2, "RESPONSES": 2},
    "items_one_by_one": {**CALLS, "OUTPUTS": 2, "ARGUMENTS": 2},
    "previous_item_id_unreliable": CALLS,
    "contents_left_out": {**CALLS, "ARGUMENTS": 2},
}
"""What an assumption needs to matter, if it is more than one audio reply."""


def own(assumption: str) -> Bounds:
    """The bounds of a small scope in which an assumption matters."""
    bounds = rebounded(audio_reply(**BRIEF), OWN.get(assumption, {})).bounds
    # an assumption may take a bound below what a scope may have
    bounds = {**bounds, **assumed([assumption])}
    return {**bounds, **sizes(bounds)}


CASES: Mapping[str, Bounds] = {
    **{name: scope.bounds for name, scope in SCOPES.items()},
    **{name: own(name) for name in ASSUMPTIONS},
}
EVERY_CASE = pytest.mark.parametrize("case", CASES)

UNREACHED: Mapping[str, tuple[str, Callable[[Bounds], bool]]] = {
    "server.conversation.item.done.created": (
        "nobody creates an item, or it is not said when it is done",
        lambda b: not (b["CREATES"] or b["CALL_OUT"] or b["SOCKETS"] > 1) or not b["CREATED_DONE"],
    ),
    "server.rejects.conversation.item.create.duplicate": (
        "a client puts back only what is gone, and everything else it creates once",
        lambda b: not (b["REPEATS"] or b["ANEW"]),
    ),
    "server.rejects.conversation.item.create.call": (
        "where nothing disturbs nothing is deleted, so a call is there when it is answered",
        lambda b: not b["DISTURBANCES"],
    ),
    "server.rejects.response.create": (
        "a second request needs another turn, or a second response that the app or a tool asks for",
        lambda b: b["TURNS"] == 1 and (b["RESPONSES"] == 1 or not (b["AGAIN"] or b["CALL_OUT"])),
    ),
    "server.rejects.session.update": ("no update changes the voice", lambda b: not b["VOICES"]),
    "server.rejects.turn": (
        "that a turn ends while a response is active takes a disturbance, its refusal another",
        lambda b: b["DISTURBANCES"] == 1,
    ),
    "server.response.content_part.added.next": (
        "a message has one part",
        lambda b: b["PARTS"] == 1,
    ),
    "server.conversation.item.input_audio_transcription.delta": (
        "a transcription that is under way counts as one already",
        lambda b: b["ASR"] == 1 and not b["EARLY_ASR"],
    ),
    "server.conversation.item.added.user": (
        "the item of every turn was added when its speech began",
        lambda b: b["EARLY_ITEM"] and not b["COMMITS"] and not b["NUDGES"],
    ),
    "server.response.created.turn": (
        "turns are taken by hand, and begin no response",
        lambda b: not b["VAD"],
    ),
}
"""Clauses that stay live under bounds that let nothing reach them: why, and under which bounds."""


def speaks(rule: Rule) -> bool:
    """Whether a rule puts an event of the server on the wire."""
    return rule.event in EVENTS and EVENTS[rule.event].direction == "server"


def unreached(machine: Machine) -> set[str]:
    """Clauses that speak and are live, but that nothing leads to."""
    live = {rule.id for rule in machine.rules if speaks(rule)}
    return {clause for clause in live & set(UNREACHED) if UNREACHED[clause][1](machine.bounds)}


# -- the client -------------------------------------------------------------------------------


def known(machine: Machine, state: State, item: int) -> bool:
    """Whether a client can know the id of an item: it was announced, or is the client's own."""
    bounds = machine.bounds
    if item < bounds["OUTS"]:
        return machine.value(state, f"output[{item}]") >= machine.code("output", "opened")
    if bounds["MADE"] <= item < bounds["ANSWER"]:
        return machine.value(state, "created") > item - bounds["MADE"]
    if item >= bounds["COPY"]:
        return bool(machine.value(state, f"item[{item}]"))
    if item >= bounds["ANSWER"]:
        tool = machine.value(state, f"tool[{item - bounds['ANSWER']}]")
        return tool == machine.code("tool", "answered")
    return any(machine.value(state, f"{name}[{item}]") for name in ("item", "memory"))


def can_say(machine: Machine, state: State, step: Step) -> bool:
    """Whether a client can write the message of a step down."""
    rule, address = machine.rules[step.rule], machine.resolved[step.rule].address
    if rule.event in ("conversation.item.delete", "conversation.item.retrieve"):
        return known(machine, state, address or 0)
    if (
        rule.event == "conversation.item.create"
        and 2 <= step.argument < machine.bounds["ITEMS"] + 2
    ):
        return known(machine, state, step.argument - 2) and listed(machine, state, step)
    return True


def listed(machine: Machine, state: State, step: Step) -> bool:
    """Whether the place that a message names was listed; before that nobody knows the answer."""
    item = step.argument - 2
    if item >= machine.bounds["OUTS"]:
        return True
    return machine.value(state, f"output[{item}]") >= machine.code("output", "listed")


def possible(machine: Machine, state: State) -> list[Step]:
    """Everything that anybody can do, the forbidden steps of the client included."""
    steps = [Step(number) for number in machine.environment(state)]
    inbox = state[-1]
    assert isinstance(inbox, tuple)
    if len(inbox) < 3:  # what waits is answered one by one: three tell as much as ten
        steps += [step for step in machine.client(state) if can_say(machine, state, step)]
    return steps


def said_by_client(server: ReferenceServer, step: Step, number: int) -> Wire:
    """The message of a client step, with an event id of its own."""
    rule = server.machine.rules[step.rule]
    address = server.machine.resolved[step.rule].address or 0
    item = server.names.ids.get(("item", address), "")
    bodies: dict[str, Callable[[], Wire]] = {
        "session.update": lambda: {"session": session_of(step.argument)},
        "response.create": lambda: {"response": request_of(address, number)},
        "response.cancel": lambda: (
            {"response_id": server.names.ids["response", address - 1]} if address else {}
        ),
        "conversation.item.truncate": lambda: {
            "item_id": item,
            "content_index": 0,
            "audio_end_ms": step.argument * server.machine.bounds["DELTA"] * UNIT_MS,
        },
        "conversation.item.delete": lambda: {"item_id": item},
        "conversation.item.retrieve": lambda: {"item_id": item},
        "conversation.item.create": lambda: {
            **place_of(server, step.argument),
            "item": item_of(server, address),
        },
        "input_audio_buffer.commit": dict,
        "input_audio_buffer.clear": dict,
    }
    return {"type": rule.event, "event_id": f"client_{number}", **bodies[rule.event]()}


def session_of(voice: int) -> Wire:
    """A configuration, with another voice if `voice` is 1."""
    audio = {"audio": {"output": {"voice": "cedar"}}} if voice else {}
    return {"type": "realtime", "instructions": "Be brief.", **audio}


def request_of(aside: int, number: int) -> Wire:
    """A request for a response, outside of the default conversation if `aside` is 1."""
    metadata = {"metadata": {"asked": f"by message {number}"}}
    return {"conversation": "none", **metadata} if aside else metadata


def place_of(server: ReferenceServer, place: int) -> Wire:
    """Where an item is to go, as the model counts places."""
    if place == 0:
        return {}
    if place == 1:
        return {"previous_item_id": "root"}
    unknown = place == server.machine.bounds["ITEMS"] + 2
    name = "item_nobody" if unknown else server.names.ids["item", place - 2]
    return {"previous_item_id": name}


def item_of(server: ReferenceServer, slot: int) -> Wire:
    """An item that a client creates: one of its own, or one that is put back."""
    bounds, names = server.machine.bounds, server.names
    name = {"id": names.ids.get(("item", slot), f"item_client_{slot}")}
    call = names.ids.get(("call", slot - bounds["COPY"] if slot >= bounds["COPY"] else slot))
    if bounds["ANSWER"] <= slot < bounds["COPY"]:
        call = names.ids["call", slot - bounds["ANSWER"]]
        return {**name, "type": "function_call_output", "call_id": call, "output": "sunny"}
    if call is not None:
        called = {"call_id": call, "name": "look_up", "arguments": "{}"}
        return {**name, "type": "function_call", **called}
    role = "assistant" if slot < bounds["OUTS"] else "user"
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": "As I said."}]
    return {**name, "type": "message", "role": role, "content": content}


# -- runs -------------------------------------------------------------------------------------


@attrs.frozen
class Taken:
    """One step that was taken: who, from where to where, and what went over the wire."""

    rule: Rule
    step: Step
    before: State
    after: State
    read: Wire | None = None
    """The client's message that the step takes from the inbox."""
    event: Wire | None = None
    """What the server sent."""
    sent: Wire | None = None
    """What the client sent."""


@attrs.define
class Drive:
    """A machine and its server, step by step."""

    machine: Machine
    server: ReferenceServer
    state: State
    taken: list[Taken] = attrs.field(factory=list)
    raw: list[str] = attrs.field(factory=list)
    now: float = 0.0

    @classmethod
    def of(cls, machine: Machine, beta: bool = False) -> Drive:
        """At the beginning of a session."""
        return cls(machine, ReferenceServer(machine, beta), machine.initial)

    @property
    def steps(self) -> list[Step]:
        """All steps taken."""
        return [taken.step for taken in self.taken]

    @property
    def said(self) -> list[tuple[Rule, Wire]]:
        """Rule and event of everything that the server sent."""
        return [(taken.rule, taken.event) for taken in self.taken if taken.event is not None]

    def take(self, step: Step) -> Wire | None:
        """Take one step; gives the event that went to the client."""
        rule, before = self.machine.rules[step.rule], self.state
        self.now += 0.25
        sent = self._send(step) if rule.sends else None
        self.state = self.machine.after(before, step)
        read = self.server.inbox[0] if rule.reads else None
        event = None
        if rule.actor in ("server", "user"):
            text = self.server.spell(rule, before, self.state, self.now)
            if text is not None:
                self.raw.append(text)
                event = json.loads(text)
        if rule.clears:
            self.server.inbox.clear()
        self.taken.append(Taken(rule, step, before, self.state, read, event, sent))
        return event

    def _send(self, step: Step) -> Wire:
        message = said_by_client(self.server, step, len(self.taken))
        address = self.machine.resolved[step.rule].address or 0
        read = readings(self.machine, self.server.names, self.state, message)
        assert Addressed(address, step.argument) in list(read), message
        self.server.inbox.append(message)
        self.server.learn(self.machine.rules[step.rule], address, message)
        return message

    def follow(self, steps: Sequence[Step]) -> Drive:
        """Take several steps."""
        for step in steps:
            self.take(step)
        return self

    def by(self, *labels: str) -> Drive:
        """Take several steps by the labels of their rules; `#3` at the end is the argument."""
        for label in labels:
            name, _, argument = label.partition("#")
            (number,) = (n for n, rule in enumerate(self.machine.rules) if rule.label == name)
            self.take(Step(number, int(argument or 0)))
        return self


REPLY = (
    "network.open",
    "server.session.created",
    "app.generate_reply",
    "client.response.create",
    "server.reads.response.create",
    "server.response.created.requested[0]",
)
"""The beginning of a reply that the app asks for."""
SPOKEN = (
    *REPLY,
    "server.response.output_item.added.audio[0]",
    "server.conversation.item.added.reply[0]",
    "server.response.content_part.added[0]",
    "server.response.output_audio.delta[0]",
)
"""A message, and one delta of it."""
CALLED = (
    *REPLY,
    "server.response.output_item.added.call[0]",
    "server.conversation.item.added.reply[0]",
    *["server.response.function_call_arguments.delta[0]"] * 2,
    "server.response.function_call_arguments.done[0]",
    "server.conversation.item.done.reply[0]",
    "server.response.output_item.done[0]",
    "server.response.done[0]",
)
"""A call in two pieces."""


@attrs.frozen
class Explored:
    """What the search found: a short way to each rule, by its number."""

    machine: Machine
    ways: Mapping[int, tuple[Step, ...]]

    def way(self, clause: str) -> tuple[Step, ...]:
        """The way to the first slot of a clause; the rule itself is its last step."""
        return next(
            self.ways[number] for number in self.machine.numbers(clause) if number in self.ways
        )

    def clauses(self) -> set[str]:
        """The clauses that speak and were reached."""
        rules = (self.machine.rules[number] for number in self.ways)
        return {rule.id for rule in rules if speaks(rule)}


LEAST, MOST = 120, 4_000
"""Walks of a search, at least and at most; it ends once everything was reached."""

WRITTEN = (
    "network.open",
    "server.session.created",
    "user.takes_turn[0]",
    "server.input_audio_buffer.speech_stopped",
    "server.input_audio_buffer.committed[0]",
    "server.conversation.item.added.user[0]",
    "server.conversation.item.done.user[0]",
    "server.response.created.turn[0]",
    "server.response.output_item.added.text[0]",
)
"""The user is answered by a message of text."""

HINTS: Mapping[str, tuple[str, ...]] = {
    # the app asks for a reply between the end of a turn and the response to it
    "race": (
        "network.open",
        "server.session.created",
        "user.takes_turn[0]",
        "server.input_audio_buffer.speech_stopped",
        "app.generate_reply.again",
        "client.response.create",
        "server.input_audio_buffer.committed[0]",
        "server.conversation.item.added.user[0]",
        "server.conversation.item.done.user[0]",
        "server.reads.response.create",
        "server.rejects.turn",
    ),
    # a response ends incomplete
    "text-reply": (
        *WRITTEN,
        "server.gives.up.incomplete[0]",
        "server.conversation.item.added.reply[0]",
        "server.conversation.item.done.reply[0]",
        "server.response.output_item.done[0]",
        "server.response.done[0]",
    ),
    # what stands before an item is deleted between its `added` and its `done`
    "updates": (
        *WRITTEN,
        "server.conversation.item.added.reply[0]",
        "app.update_chat_ctx.remove",
        "client.conversation.item.delete[1]",
        "server.conversation.item.deleted[1]",
        "server.response.content_part.added[0]",
        "server.response.output_text.delta[0]",
        "server.response.output_text.done[0]",
        "server.response.content_part.done[0]",
        "server.conversation.item.done.reply[0]",
    ),
}
"""Ways that the search finds, but not always soon."""


@cache
def explored(case: str) -> Explored:
    """Search a case for ways to all of its rules; the same case, the same ways."""
    machine = Machine(CASES[case])
    wanted = {rule.id for rule in machine.rules if speaks(rule)} - unreached(machine)
    found = _Search(machine)
    found.go(Drive.of(machine).by(*HINTS.get(case, ())).steps)
    return found.until(wanted, LEAST, MOST)


class _Search:
    """Random walks, each from the end of a way that few have gone on from.

    A walk does without a part of all disturbances and client steps, drawn anew for each: a budget
    that everybody draws on leaves nothing for what needs two things to come together.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.chance = random.Random(1)
        self.lavish = sorted({r.id for r in machine.rules if r.disturbs or r.is_client})
        self.best: dict[int, tuple[int, tuple[Step, ...], State]] = {-1: (0, (), machine.initial)}
        """Cost, way and end of the cheapest way to each rule; -1 is the beginning."""
        self.started: Counter[int] = Counter()
        self.count: Counter[int] = Counter()

    def until(self, wanted: set[str], least: int, most: int) -> Explored:
        """Walk until everything wanted was reached, or `most` walks were made."""
        for walk in range(most):
            reached = {self.machine.rules[number].id for number in self.best if number >= 0}
            if walk >= least and wanted <= reached:
                break
            self.walk()
        return Explored(self.machine, {n: way for n, (_, way, _) in self.best.items() if n >= 0})

    def go(self, steps: Sequence[Step]) -> None:
        """Take a way from the beginning, and note what it leads to."""
        cost, way, state = self.best[-1]
        for step in steps:
            cost, way, state = self.take(cost, way, state, step)

    def walk(self) -> None:
        start = min(self.best, key=lambda number: (self.started[number], self.best[number][0]))
        self.started[start] += 1
        cost, way, state = self.best[start]
        share, length = self.chance.choice((0.2, 0.5, 0.8)), self.chance.choice((10, 20, 40))
        curious = self.chance.choice((0.2, 0.6))
        without = {clause for clause in self.lavish if self.chance.random() < share}
        for _ in range(length):
            step = self.choice(state, without, curious)
            if step is None:
                break
            cost, way, state = self.take(cost, way, state, step)

    def choice(self, state: State, without: set[str], curious: float) -> Step | None:
        """A step, among those of the rule taken least if the walk is curious."""
        steps: dict[int, list[Step]] = {}
        for step in possible(self.machine, state):
            if self.machine.rules[step.rule].id not in without:
                steps.setdefault(step.rule, []).append(step)
        if not steps:
            return None
        rules = list(steps)
        if self.chance.random() < curious:
            rules = [min(rules, key=lambda rule: (self.count[rule], self.chance.random()))]
        return self.chance.choice(steps[self.chance.choice(rules)])

    def take(
        self, cost: int, way: tuple[Step, ...], state: State, step: Step
    ) -> tuple[int, tuple[Step, ...], State]:
        self.count[step.rule] += 1
        cost += 5 if self.machine.rules[step.rule].disturbs else 1
        found = (cost, (*way, step), self.machine.after(state, step))
        if step.rule not in self.best or self.best[step.rule][0] > cost:
            self.best[step.rule] = found
        return found


@cache
def drives(case: str) -> tuple[Drive, ...]:
    """A run along each way of a case, and a few longer walks.

    A way that ends with something that nobody hears is gone on with, until it is heard.
    """
    found = explored(case)
    runs = [Drive.of(found.machine).by(*HINTS[case])] if case in HINTS else []
    for number, way in found.ways.items():
        drive = Drive.of(found.machine).follow(way)
        if not speaks(found.machine.rules[number]):
            onward(drive, 25)
        runs.append(drive)
    return (*runs, *(wandered(found.machine, seed) for seed in range(2)))


def onward(drive: Drive, count: int) -> None:
    """Let the reply go on, and nothing else happen."""
    chance = random.Random(1)
    for _ in range(count):
        numbers = drive.machine.progress(drive.state)
        if not numbers:
            break
        drive.take(Step(chance.choice(numbers)))


def wandered(machine: Machine, seed: int, beta: bool = False) -> Drive:
    """A random walk; the same seed, the same walk."""
    chance = random.Random(seed)
    drive = Drive.of(machine, beta)
    for _ in range(100):
        steps = possible(machine, drive.state)
        if not steps:
            break
        # a client that floods the session with cuts lets nothing come to its end
        quiet = [step for step in steps if not machine.rules[step.rule].sends]
        drive.take(chance.choice(quiet if quiet and chance.random() < 0.8 else steps))
    return drive


def events(case: str) -> Iterator[tuple[Rule, Wire]]:
    """Everything that the server says in a case, with its rule."""
    for drive in drives(case):
        yield from drive.said


def distinct(said: Iterable[Wire | None]) -> list[Wire]:
    """Events or messages, each once whatever its event id."""
    found = {json.dumps({**event, "event_id": ""}): event for event in said if event is not None}
    return list(found.values())


# -- the openai package's types ---------------------------------------------------------------

UNDECLARED = {
    # the package's types leave out what the server says of a session
    "session": {"id", "object", "type"},
}
OF_ITS_OWN = {
    "transcription_repeats": {("", "status")},
    "bare_responses": {("", "response_id")},
}
"""What a dialect says that no other has; by its assumption."""
UNDECLARED_IN_BETA = {**UNDECLARED, "": {"name"}}
"""There also the name of a function in `response.function_call_arguments.done`."""


@cache
def adapter(kind: str, beta: bool) -> Any:
    """Validates one event by the types of the openai package; `kind` is Server or Client."""
    pydantic = pytest.importorskip("pydantic")
    module = "openai.types.beta.realtime" if beta else "openai.types.realtime"
    types = pytest.importorskip(module)
    return pydantic.TypeAdapter(getattr(types, f"Realtime{kind}Event"))


def undeclared(model: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field, at any depth, that the type does not declare."""
    if isinstance(model, list):
        for part in model:
            yield from undeclared(part, path)
    elif hasattr(model, "model_extra"):
        for name in model.model_extra or ():
            yield path, name
        for name in type(model).model_fields:
            yield from undeclared(getattr(model, name), name)


def validate(
    event: Wire,
    *,
    kind: str = "Server",
    beta: bool = False,
    own: Collection[tuple[str, str]] = (),
) -> None:
    """Fail unless the package has a type for the event that fits it, and knows all its fields.

    `own` are fields that it need not know.
    """
    model = adapter(kind, beta).validate_python(event, strict=True)
    assert model.type == event["type"]
    assert type(model).model_fields["type"].annotation.__args__ == (event["type"],)
    allowed: Mapping[str, set[str]] = UNDECLARED_IN_BETA if beta else UNDECLARED
    strange = {
        (path, name) for path, name in undeclared(model) if name not in allowed.get(path, set())
    } - set(own)
    assert strange == set(), event


DIALECTS = pytest.mark.parametrize("beta", [False, True], ids=["GA", "beta"])


@EVERY_CASE
def test_every_rule_that_speaks_is_reached(case: str) -> None:
    """The ways of a case miss no rule but those that its bounds let nothing reach."""
    found = explored(case)
    live = {rule.id for rule in found.machine.rules if speaks(rule)}
    assert live - found.clauses() == unreached(found.machine)


def test_the_cases_are_all_there_is() -> None:
    """Together they reach every event that has a spelling, and each assumption has a case."""
    reached = {rule.event for case in CASES for rule, _ in events(case)}
    assert reached == set(SPELLINGS)
    assert set(OWN) <= set(ASSUMPTIONS)


def test_what_is_said_to_be_unreached_is_live_somewhere() -> None:
    """`UNREACHED` holds no clause that no case would miss."""
    assert {clause for case in CASES for clause in unreached(explored(case).machine)} == set(
        UNREACHED
    )


@DIALECTS
@EVERY_CASE
def test_every_event_validates(case: str, beta: bool) -> None:
    """All events on all ways fit the package's types."""
    for event in distinct(event for _, event in events(case)):
        said = to_beta(event) if beta else event
        if said is not None and not (beta and "mcp_call" in str(said)):  # beta has no MCP
            validate(said, beta=beta, own=OF_ITS_OWN.get(case, ()))


@EVERY_CASE
def test_every_message_validates(case: str) -> None:
    """So does every message that the client sends there."""
    for message in distinct(taken.sent for drive in drives(case) for taken in drive.taken):
        validate(message, kind="Client")


def test_every_message_is_sent() -> None:
    """The cases hold each message that the model has, with and without a name, and each place."""
    sent = [t.sent for case in CASES for drive in drives(case) for t in drive.taken if t.sent]
    machines = [explored(case).machine for case in CASES]
    assert {message["type"] for message in sent} == {
        rule.event for machine in machines for rule in machine.rules if rule.sends
    }
    assert {at(message, "response.conversation") for message in sent} == {None, "none"}
    cancels = [message for message in sent if message["type"] == "response.cancel"]
    assert {"response_id" in message for message in cancels} == {True, False}
    created = [message for message in sent if message["type"] == "conversation.item.create"]
    assert {message["item"]["type"] for message in created} >= {"message", "function_call_output"}
    places = {message.get("previous_item_id") for message in created}
    assert {None, "root", "item_nobody"} < places


@pytest.mark.parametrize(
    "change",
    [
        {"type": "response.dome"},
        {"event_id": None},
        {"response_id": 3},
        {"item": None},
        {"output_index": "0"},
        {"outputindex": 0},
        {"item": {"id": "item_1", "type": "message", "role": "nobody", "content": []}},
    ],
)
def test_the_validation_notices(change: Wire) -> None:
    """An event with a wrong name, a wrong type or an unknown field does not pass."""
    found = explored("audio-reply")
    way = found.way("server.response.output_item.done")
    event = Drive.of(found.machine).follow(way).said[-1][1]
    with pytest.raises((ValueError, AssertionError)):
        validate({**event, **change})


# -- ids and bytes ----------------------------------------------------------------------------


@EVERY_CASE
def test_event_ids_are_counted(case: str) -> None:
    """Every event has an id of its own, in order."""
    for drive in drives(case):
        ids = [event["event_id"] for _, event in drive.said]
        assert ids == [f"event_{number + 1}" for number in range(len(ids))]


@DIALECTS
@pytest.mark.parametrize("case", ["tool-round", "race", "reconnection"])
def test_the_same_steps_give_the_same_bytes(case: str, beta: bool) -> None:
    """A server keeps nothing between sessions and takes nothing from outside."""
    machine = explored(case).machine
    walk = wandered(machine, 5, beta)
    assert wandered(machine, 5, beta).raw == walk.raw != []
    assert Drive.of(machine, beta).follow(walk.steps).raw == walk.raw


ANNOUNCING = ("input_audio_buffer.speech_started", "input_audio_buffer.timeout_triggered")


def introduced(rule: Rule, event: Wire) -> Iterator[tuple[str, str]]:
    """Kind and id of everything that an event is the first to name."""
    kind = event["type"]
    if kind == "response.created":
        yield "response", event["response"]["id"]
    elif kind in ANNOUNCING or rule.id == "server.input_audio_buffer.committed.manual":
        yield "item", event["item_id"]
    elif kind == "response.output_item.added":
        yield "item", event["item"]["id"]
        if "call_id" in event["item"]:
            yield "call", event["item"]["call_id"]
    elif rule.id.startswith("server.conversation.item.added.") and rule.id.endswith(
        (".system", ".replayed")
    ):
        yield "item", event["item"]["id"]


def named(value: object) -> Iterator[tuple[str, str]]:
    """Kind and id of everything that an event names as being there."""
    if isinstance(value, list):
        for part in value:
            yield from named(part)
    if not isinstance(value, dict):
        return
    for key, kind in (("response_id", "response"), ("item_id", "item"), ("call_id", "call")):
        if isinstance(value.get(key), str):
            yield kind, value[key]
    for key, kind in (("response", "response"), ("item", "item"), ("output", "item")):
        for part in value[key] if isinstance(value.get(key), list) else [value.get(key)]:
            if isinstance(part, dict):
                yield kind, part["id"]
    for part in value.values():
        yield from named(part)


@EVERY_CASE
def test_an_id_is_given_once_and_named_afterwards(case: str) -> None:
    """No id is given twice, and every event names ids that were given before or are the client's.

    Responses, calls and items are counted, each kind for itself.
    """
    for drive in drives(case):
        given: dict[tuple[str, str], int] = {}
        for taken in drive.taken:
            if taken.sent is not None:
                own = at(taken.sent, "item.id")
                given.setdefault(("item", str(own)), 0)
            if taken.event is None:
                continue
            for key in introduced(taken.rule, taken.event):
                assert key not in given, taken.event
                given[key] = 1
            names = set(named(taken.event)) - {("item", "item_tools")}
            assert names <= set(given), taken.event
        responses = [name for kind, name in given if kind == "response"]
        assert responses == [f"resp_{number + 1}" for number in range(len(responses))]
        calls = [name for kind, name in given if kind == "call"]
        assert calls == [f"call_{number + 1}" for number in range(len(calls))]


# -- what the wire tells, read without the model ----------------------------------------------


@attrs.define
class Part:
    """One content part as it was heard so far."""

    text: str = ""
    done: bool = False


@attrs.define
class Output:
    """One output item as it was heard so far."""

    item: Wire
    index: int
    parts: list[Part] = attrs.field(factory=list)
    final: Wire | None = None

    @property
    def status(self) -> str:
        """What the item's last event said."""
        return str((self.final or self.item).get("status", "none"))


@attrs.define
class Listener:
    """Hears the events of one run and holds them against each other, without any template."""

    part_text: bool = True
    """`content_part.done` says the text of a text message."""
    indexes: bool = True
    """Items of a response are told apart by their index; else by their turn."""
    closes: bool = True
    """A response that speech cuts closes what is open."""
    responses: dict[str, list[Output]] = attrs.field(factory=dict)
    outputs: dict[str, Output] = attrs.field(factory=dict)
    endings: list[Wire] = attrs.field(factory=list)
    heard: dict[str, str] = attrs.field(factory=dict)
    """Pieces of transcripts of the user, by item."""
    transcripts: int = 0
    pieces: int = 0
    arguments: list[tuple[str, str]] = attrs.field(factory=list)
    """Status and arguments of function calls."""

    def hear(self, event: Wire) -> None:
        """Take in one event; fail if it does not go with those before."""
        kind = event["type"]
        if kind == "session.created":
            self.outputs = {}  # a client may put back what it likes under any id
        elif kind == "response.created":
            self.created(event["response"])
        elif kind == "response.done":
            self.ended(event["response"])
        elif kind.startswith("response.") and "response_id" in event:
            self.streamed(kind, event)
        elif kind.startswith("conversation.item.input_audio_transcription"):
            self.transcribed(kind.rpartition(".")[2], event)
        elif kind in ("conversation.item.added", "conversation.item.done"):
            self.listed(kind, event["item"])

    def created(self, response: Wire) -> None:
        assert response["status"] == "in_progress"
        assert response["output"] == []
        assert response["status_details"] is None
        self.responses[response["id"]] = []

    def streamed(self, kind: str, event: Wire) -> None:
        opened = self.responses[event["response_id"]]
        if kind == "response.output_item.added":
            assert event["output_index"] == (len(opened) if self.indexes else 0)
            self.opened(event["item"], event["output_index"], opened)
            return
        output = opened[event["output_index"] if self.indexes else -1]
        if kind == "response.output_item.done":
            assert event["item"]["id"] == output.item["id"]
            self.closed(event["item"], output)
            return
        assert event["item_id"] == output.item["id"]
        assert event.get("call_id") == output.item.get("call_id")
        if kind.startswith("response.content_part"):
            self.parted(kind, event, output)
            return
        part = output.parts[event.get("content_index", 0)]
        assert part is output.parts[-1]
        self.told(kind, event, part)

    def opened(self, item: Wire, index: int, opened: list[Output]) -> None:
        assert item.get("status", "in_progress") == "in_progress"
        assert item.get("content", []) == []
        assert item.get("arguments", "") == ""
        output = Output(item, index, [] if item["type"] == "message" else [Part()])
        self.outputs[item["id"]] = output
        opened.append(output)

    def parted(self, kind: str, event: Wire, output: Output) -> None:
        said = event["part"]
        if kind.endswith("added"):
            assert event["content_index"] == len(output.parts)
            output.parts.append(Part())
        else:
            assert event["content_index"] == len(output.parts) - 1
        text = said["transcript"] if said["type"] == "audio" else said["text"]
        silent = said["type"] == "text" and not self.part_text
        assert text == ("" if silent else output.parts[-1].text)
        assert kind.endswith("added") or output.parts[-1].done

    def told(self, kind: str, event: Wire, part: Part) -> None:
        said = next(event[key] for key in ("delta", "transcript", "text", "arguments", "event_id")
                    if key in event)  # fmt: skip
        if kind.endswith("output_audio.delta"):
            assert not part.done
            assert base64.b64decode(said, validate=True)
        elif kind.endswith("delta"):
            assert not part.done
            assert said != ""
            part.text += said
            self.pieces += 1
        elif kind != "response.output_audio.done":
            # arguments that come in no piece at all are told by their `done`
            part.text = part.text or (said if "arguments" in event else "")
            assert said == part.text
            part.done = True

    def closed(self, item: Wire, output: Output) -> None:
        assert output.final is None or item == output.final
        output.final = item
        said = [part.text for part in output.parts]
        if item["type"] == "message":
            assert [part.get("transcript", part.get("text")) for part in item["content"]] == said
            assert item["role"] == "assistant"
        else:
            assert [item["arguments"]] == said
            self.arguments.append((output.status, item["arguments"]))
        kept = ("id", "type", "role", "call_id", "name")
        assert {key: item.get(key) for key in kept} == {key: output.item.get(key) for key in kept}
        assert output.status in ("completed", "incomplete", "none")

    def listed(self, kind: str, item: Wire) -> None:
        output = self.outputs.get(item["id"])
        if output is None or output.final is not None:
            return
        if kind.endswith("added"):
            assert item == output.item
        else:
            self.closed(item, output)

    def ended(self, response: Wire) -> None:
        outputs = self.responses[response["id"]]
        if not self.closes and response["status"] == "completed":
            outputs = [output for output in outputs if output.final is not None]
        assert response["output"] == [output.final for output in outputs]
        status, details = response["status"], response["status_details"]
        statuses = {output.status for output in outputs}
        if status == "completed":
            assert details is None
            assert outputs or not self.closes
            assert statuses <= {"completed", "none"}
        else:
            assert details["type"] == status
        self.endings.append(response)

    def transcribed(self, what: str, event: Wire) -> None:
        item = event["item_id"]
        if what == "delta":
            self.heard[item] = self.heard.get(item, "") + event["delta"]
        elif what == "completed":
            said = self.heard.get(item)
            self.transcripts += said is not None
            assert event["transcript"].strip() == (said or event["transcript"]).strip() != ""
        elif what == "failed":
            assert item in event["error"]["message"]


def listener_of(case: str) -> Listener:
    """Somebody who knows what the server of a case leaves unsaid."""
    bounds = CASES[case]
    return Listener(bool(bounds["PART_TEXT"]), bool(bounds["INDEXES"]), not bounds["CUT_UNCLOSED"])


@cache
def heard(case: str) -> tuple[Listener, ...]:
    """What a listener makes of each run of a case."""
    found = []
    for drive in drives(case):
        listener = listener_of(case)
        for _, event in drive.said:
            listener.hear(event)
        found.append(listener)
    return tuple(found)


@EVERY_CASE
def test_every_response_tells_one_story(case: str) -> None:
    """Deltas, the closing chain and `response.done` agree on text, status, index and item."""
    assert any(listener.endings for listener in heard(case))
    assert any(listener.pieces for listener in heard(case))


def test_all_stories_are_told() -> None:
    """The cases hold every final state, several items and parts, and whole and cut items."""
    listeners = [listener for case in CASES for listener in heard(case)]
    endings = [response for listener in listeners for response in listener.endings]
    assert {response["status"] for response in endings} == {
        "completed",
        "cancelled",
        "incomplete",
        "failed",
    }
    outputs = [output for listener in listeners for output in listener.outputs.values()]
    assert {output.status for output in outputs if output.final} == {
        "completed",
        "incomplete",
        "none",  # an MCP call has none
    }
    assert {output.index for output in outputs} == {0, 1}
    assert {len(output.parts) for output in outputs} == {0, 1, 2}
    assert {len(response["output"]) for response in endings} == {0, 1, 2}
    assert any(listener.transcripts for listener in listeners)


def test_arguments_of_a_whole_call_are_json() -> None:
    """A client parses the arguments of a completed call; those of one that was cut are cut."""
    seen: Counter[str] = Counter()
    for case in CASES:
        for listener in heard(case):
            for status, arguments in listener.arguments:
                seen[status] += 1
                if status in ("completed", "none"):
                    assert isinstance(json.loads(arguments), dict), (case, arguments)
    assert seen["completed"] > 0
    assert seen["incomplete"] > 0


@pytest.mark.parametrize("pieces", range(40))
def test_arguments_are_cut_into_pieces(pieces: int) -> None:
    """Each piece holds something, together they are JSON, and so is what spaces follow."""
    cut = [piece_of(ARGUMENTS, number, pieces) for number in range(pieces)]
    assert all(cut)
    assert pieces == 0 or isinstance(json.loads("".join(cut)), dict)
    assert piece_of(ARGUMENTS, pieces, pieces) == " "


@pytest.mark.parametrize("pieces", [0, 1, 3, 20])
def test_a_call_is_cut_into_as_many_pieces_as_the_bounds_say(pieces: int) -> None:
    """Any number of pieces makes a whole that is JSON; every piece holds something."""
    brief = {**BRIEF, "AUDIO_OUT": 0, "CALL_OUT": 1, "ARGUMENTS": pieces}
    drive = Drive.of(Machine(scope("call", "a call", **brief).bounds)).by(
        *REPLY,
        "server.response.output_item.added.call[0]",
        "server.conversation.item.added.reply[0]",
        *["server.response.function_call_arguments.delta[0]"] * pieces,
        "server.response.function_call_arguments.done[0]",
        "server.conversation.item.done.reply[0]",
        "server.response.output_item.done[0]",
        "server.response.done[0]",
    )
    said = [event for _, event in drive.said]
    deltas = [e["delta"] for e in said if e["type"] == "response.function_call_arguments.delta"]
    assert len([delta for delta in deltas if delta]) == pieces
    (item,) = said[-1]["response"]["output"]
    assert isinstance(json.loads(item["arguments"]), dict)
    assert "".join(deltas) in ("", item["arguments"])
    assert said[-4]["arguments"] == said[-3]["item"]["arguments"] == item["arguments"]


@EVERY_CASE
def test_the_reason_of_an_end_is_who_ended_it(case: str) -> None:
    """What cut a response first is what its end says; nothing else does."""
    for drive in drives(case):
        causes: dict[int, str] = {}
        kept = False
        for taken in drive.taken:
            clause, slot = taken.rule.id, taken.rule.at.get("r", 0)
            kept = kept or clause == "server.keeps.response.cancel"
            if taken.rule.event == "response.created" and kept:
                kept = clause.endswith("aside")
                if not kept:
                    causes[slot] = "client_cancelled"
            elif clause.startswith("server.reads.response.cancel"):
                causes.setdefault(slot, "client_cancelled")
            elif clause.startswith("server.gives.up"):
                causes.setdefault(slot, clause.rpartition(".")[2])
            elif clause == "user.barges_in" and drive.machine.bounds["INTERRUPT_RESPONSE"]:
                for running in cut_by_speech(drive.machine, taken.before):
                    causes.setdefault(running, "turn_detected")
            elif taken.rule.event == "response.done" and taken.event is not None:
                assert ending(taken.event["response"]) == causes.get(slot, "completed")


def ending(response: Wire) -> str:
    """How a response ended, in the words of the model."""
    details = response["status_details"]
    return str(details["reason"] if response["status"] == "cancelled" else response["status"])


def cut_by_speech(machine: Machine, state: State) -> Iterator[int]:
    """Responses of the default conversation that are running."""
    for slot in range(machine.bounds["RESPONSES"]):
        active = machine.value(state, f"response[{slot}]") == machine.code("response", "active")
        running = machine.value(state, f"ending[{slot}]") == machine.code("ending", "running")
        if active and running and not machine.value(state, f"oob[{slot}]"):
            yield slot


# -- the conversation -------------------------------------------------------------------------


@attrs.define
class Chain:
    """The conversation as the wire tells it: ids in order, with those that were deleted."""

    items: list[str] = attrs.field(factory=list)
    deleted: set[str] = attrs.field(factory=set)
    before: dict[str, str | None] = attrs.field(factory=dict)
    """What `added` said."""
    kinds: set[str] = attrs.field(factory=set)
    """What was seen: first, behind, root, deleted, unplaced."""
    calls_placed: bool = True
    """It is said of a function call and of its output what stands before them."""
    opened: dict[str, set[str]] = attrs.field(factory=lambda: defaultdict(set))
    """Items by response; those that are no output of it in the end are gone."""

    def hear(self, taken: Taken) -> None:
        """Take in one event; fail if an item does not stand where it should."""
        event = taken.event
        assert event is not None
        kind = event["type"]
        if kind == "session.created":
            self.items, self.deleted, self.before = [], set(), {}
        elif kind == "conversation.item.deleted":
            self.deleted.add(event["item_id"])
        elif kind == "response.output_item.added":
            self.opened[event["response_id"]].add(event["item"]["id"])
        elif kind == "response.done":
            response = event["response"]
            self.deleted |= self.opened[response["id"]] - {one["id"] for one in response["output"]}
        elif kind == "input_audio_buffer.committed":
            if event["item_id"] not in self.items or taken.read is not None:
                self.add(event["item_id"], event["previous_item_id"], None)
            assert event["previous_item_id"] == self.before[event["item_id"]]
        elif kind == "conversation.item.added":
            if event["item"]["id"] not in self.items or taken.read is not None:
                call = event["item"]["type"].startswith("function_call")
                self.add(event["item"]["id"], event["previous_item_id"], taken.read, call=call)
            assert event["previous_item_id"] == self.before[event["item"]["id"]]
        elif kind == "conversation.item.done":
            self.done(event["item"]["id"], event["previous_item_id"])

    def add(
        self, name: str, previous: str | None, request: Wire | None, *, call: bool = False
    ) -> None:
        """A new item: behind the one that was asked for, or at the end."""
        placed = self.calls_placed or not call
        if name in self.items:
            self.items.remove(name)
        asked = (request or {}).get("previous_item_id")
        position = len(self.items)
        if asked == "root":
            position = 0
            self.kinds.add("root")
        elif asked:
            assert previous == (asked if placed else None)
            position = self.items.index(asked) + 1
            self.kinds.add("behind")
        standing = [item for item in self.items[:position] if item not in self.deleted]
        assert previous == (standing[-1] if standing and placed else None)
        self.kinds.add("unplaced" if not placed else "first" if previous is None else "after")
        if self.items[:position] != standing:
            self.kinds.add("deleted")
        self.items.insert(position, name)
        self.deleted.discard(name)
        self.before[name] = previous

    def done(self, name: str, previous: str | None) -> None:
        """An item is final: what stands before it now is what is said."""
        position = self.items.index(name)
        standing = [item for item in self.items[:position] if item not in self.deleted]
        assert previous == (standing[-1] if standing else None)
        if previous != self.before[name]:
            self.kinds.add("changed")


@cache
def chained(case: str) -> frozenset[str]:
    """What is seen of the conversation in a case, each run held against the chain."""
    kinds: set[str] = set()
    for drive in drives(case):
        chain = Chain(calls_placed=bool(CASES[case]["CALLS_PLACED"]))
        for taken in drive.taken:
            if taken.event is not None:
                chain.hear(taken)
        kinds |= chain.kinds
    return frozenset(kinds)


@EVERY_CASE
def test_the_conversation_is_a_chain(case: str) -> None:
    """An item follows the one before it that is still there; the first has none before it."""
    assert "first" in chained(case)


def test_items_are_added_everywhere() -> None:
    """The cases hold items at the beginning, behind others, behind deleted ones, and at the end."""
    kinds = set().union(*(chained(case) for case in CASES))
    assert kinds == {"first", "after", "behind", "root", "deleted", "changed", "unplaced"}


def test_a_turn_that_the_client_commits_has_another_id_than_announced() -> None:
    """The announced id is no item of the conversation, and nothing stands behind it."""
    changes = {**BRIEF, "TRACK_BUFFER": 1, "TRACK_USERS": 1, "COMMITS": 1, "CREATES": 1}
    drive = Drive.of(Machine(scope("commit", "a turn that is cut short", **changes).bounds)).by(
        "network.open",
        "server.session.created",
        "user.takes_turn[0]",
        "client.input_audio_buffer.append",
        "client.input_audio_buffer.append",
        "client.input_audio_buffer.commit",
        "server.input_audio_buffer.committed.manual[0]",
        "server.conversation.item.added.user[0]",
        "server.conversation.item.done.user[0]",
        "client.conversation.item.create[0]",
        "server.conversation.item.added.created[2]",
        "server.conversation.item.done.created[2]",
    )
    started, committed, added, done, behind, _ = (event for _, event in drive.said[1:])
    assert started["item_id"] == "item_user_1"
    assert committed["item_id"] == added["item"]["id"] == done["item"]["id"] == "item_user_2"
    assert {event["previous_item_id"] for event in (committed, added, done)} == {None}
    assert behind["previous_item_id"] == "item_user_2"


# -- one by one -------------------------------------------------------------------------------


def test_one_delta_is_as_long_as_the_bounds_say() -> None:
    """A delta of DELTA units of 100 ms is 24,000 samples of 16 bit a second."""
    for delta in (1, 3):
        assert len(base64.b64decode(encoded(0, 0, delta))) == delta * 4_800
    for case in ("audio-reply", "pause"):
        found = explored(case)
        way = found.way("server.response.output_audio.delta")
        event = Drive.of(found.machine).follow(way).said[-1][1]
        audio = base64.b64decode(event["delta"], validate=True)
        assert len(audio) == found.machine.bounds["DELTA"] * 4_800


@EVERY_CASE
def test_metadata_comes_back_with_the_response_that_it_was_given_for(case: str) -> None:
    """Each response has the metadata of its own request, and one that speech began has none."""
    for drive in drives(case):
        asked: deque[Any] = deque()
        aside: deque[Any] = deque()
        for taken in drive.taken:
            if taken.rule.clears:
                asked.clear()
                aside.clear()
            if taken.rule.id == "server.reads.response.create":
                asked.append(at(taken.read or {}, "response.metadata"))
            elif taken.rule.id == "server.reads.response.create.aside":
                aside.append(at(taken.read or {}, "response.metadata"))
            elif taken.rule.event == "response.created" and taken.event is not None:
                how = taken.rule.id.rpartition(".")[2]
                wanted = None
                if how not in ("turn", "early"):
                    wanted = (asked if how == "requested" else aside).popleft()
                assert taken.event["response"]["metadata"] == wanted


def test_all_kinds_of_metadata_are_seen() -> None:
    """Responses to speech, to a request and beside another one are all among the runs."""
    created = {
        (rule.id.rpartition(".")[2], event["response"]["metadata"] is None)
        for case in CASES
        for rule, event in events(case)
        if event["type"] == "response.created"
    }
    assert created == {("turn", True), ("early", True), ("requested", False), ("aside", False)}


def test_metadata_stays_with_its_response() -> None:
    """`response.done` repeats what `response.created` said of conversation and metadata."""
    for case in CASES:
        for drive in drives(case):
            told: dict[str, tuple[Any, Any]] = {}
            for _, event in drive.said:
                if event["type"] in ("response.created", "response.done"):
                    response = event["response"]
                    said = (response["metadata"], response["conversation_id"])
                    assert told.setdefault(response["id"], said) == said


def test_a_response_aside_has_no_conversation() -> None:
    """The response of the default conversation names it, one beside it does not."""
    where = {
        (rule.id.endswith("aside"), event["response"]["conversation_id"])
        for rule, event in events("aside")
        if event["type"] == "response.created"
    }
    assert where == {(True, None), (False, "conv_1")}


def test_times_are_those_of_the_session() -> None:
    """Positions of speech are milliseconds of the clock that the caller gives."""
    found = explored("vad-turn")
    for clause, key in (
        ("user.takes_turn", "audio_start_ms"),
        ("server.input_audio_buffer.speech_stopped", "audio_end_ms"),
    ):
        drive = Drive.of(found.machine).follow(found.way(clause))
        assert drive.said[-1][1][key] == round(drive.now * 1000) > 0


@EVERY_CASE
def test_a_cut_is_acknowledged_as_it_was_asked(case: str) -> None:
    """The answer to a truncation repeats the item, the part and the length."""
    for drive in drives(case):
        for taken in drive.taken:
            if taken.event is not None and taken.event["type"] == "conversation.item.truncated":
                assert taken.read is not None
                for name in ("item_id", "content_index", "audio_end_ms"):
                    assert taken.event[name] == taken.read[name]


def test_cuts_are_acknowledged_at_all() -> None:
    """A message can be cut to nothing, and to the whole."""
    drive = Drive.of(explored("audio-reply").machine).by(
        *SPOKEN,
        "app.interrupt",
        "client.conversation.item.truncate[0]#0",
        "client.conversation.item.truncate[0]#1",
        "server.conversation.item.truncated[0]",
        "server.conversation.item.truncated[0]",
    )
    assert [event["audio_end_ms"] for _, event in drive.said[-2:]] == [0, 300]


@EVERY_CASE
def test_messages_are_answered_in_the_order_they_came(case: str) -> None:
    """The server's inbox and that of the state are the same, whatever happens."""
    for drive in drives(case):
        waiting: list[Wire] = []
        for taken in drive.taken:
            if taken.sent is not None:
                waiting.append(taken.sent)
            if taken.rule.reads:
                assert taken.read is waiting.pop(0)
                assert taken.read is not None
                assert taken.read["type"] == taken.rule.reads
            if taken.rule.clears:
                waiting.clear()
        inbox = drive.state[-1]
        assert isinstance(inbox, tuple)
        assert [event for event, _, _ in inbox] == [m["type"] for m in drive.server.inbox]
        assert list(drive.server.inbox) == waiting


@EVERY_CASE
def test_an_item_that_was_created_is_what_the_client_sent(case: str) -> None:
    """The server gives an item back as it came, and as it stands in the conversation."""
    for drive in drives(case):
        created: dict[str, Wire] = {}
        for taken in drive.taken:
            if taken.rule.id == "server.conversation.item.added.created":
                assert taken.read is not None
                assert taken.event is not None
                sent = taken.read["item"]
                assert sent.items() <= taken.event["item"].items()
                created[sent["id"]] = taken.event["item"]
            elif taken.rule.id == "server.conversation.item.done.created":
                assert taken.event is not None
                assert taken.event["item"] == created[taken.event["item"]["id"]]


def test_a_call_and_its_output_are_put_back() -> None:
    """On a new socket the client may create the call again, and the answer to it behind it."""
    drive = Drive.of(explored("silent_expiry").machine).by(
        *CALLED, "client.call[0]", "app.tool.returns[0]",
        "client.conversation.item.create.output[0]",
        "server.conversation.item.added.created[3]", "server.conversation.item.done.created[3]",
        "network.closes.unannounced", "client.connect", "network.open", "server.session.created",
        "client.conversation.item.create.again[0]",
        "server.conversation.item.added.created[0]", "server.conversation.item.done.created[0]",
        "client.conversation.item.create.again[3]#2",
        "server.conversation.item.added.created[3]", "server.conversation.item.done.created[3]",
    )  # fmt: skip
    for taken in drive.taken:
        if taken.sent is not None:
            validate(taken.sent, kind="Client")
        if taken.event is not None:
            validate(taken.event)
    call, _, output, _ = (event["item"] for _, event in drive.said[-4:])
    assert (call["type"], output["type"]) == ("function_call", "function_call_output")
    assert call["call_id"] == output["call_id"] == "call_1"
    assert drive.said[-1][1]["previous_item_id"] == call["id"] == "item_reply_1"


def test_an_item_without_an_id_gets_one() -> None:
    """The client may leave the id of an item to the server."""
    drive = Drive.of(explored("updates").machine).by(
        "network.open", "server.session.created", "client.conversation.item.create[0]"
    )
    drive.server.names = Names()
    del drive.server.inbox[0]["item"]["id"]
    drive.by("server.conversation.item.added.created[3]")
    drive.by("server.conversation.item.done.created[3]")
    added, done = (event for _, event in drive.said[-2:])
    assert added["item"]["id"] == done["item"]["id"] == "item_made_1"
    validate(added)


def test_a_retrieved_item_is_what_it_is() -> None:
    """Status and kind of a retrieved item are those that the conversation last said."""
    statuses = set()
    for case in CASES:
        for drive in drives(case):
            last: dict[str, Wire] = {}
            for _, event in drive.said:
                if event["type"].endswith(("item.added", "item.done")):
                    last[event["item"]["id"]] = event["item"]
                elif event["type"] == "conversation.item.retrieved":
                    item = event["item"]
                    assert item["type"] == last[item["id"]]["type"]
                    if "status" in item:
                        assert item["status"] == last[item["id"]]["status"]
                        statuses.add(item["status"])
    assert statuses >= {"in_progress", "completed"}


# -- errors -----------------------------------------------------------------------------------

EXPECTED = {
    # clause: case, code and message, word for word as in the recordings
    "server.rejects.response.cancel": (
        "audio-reply",
        "response_cancel_not_active",
        "Cancellation failed: no active response found",
    ),
    "server.rejects.response.cancel.one": (
        "race",
        "response_cancel_not_active",
        "Cancellation failed: no active response found",
    ),
    "server.rejects.response.create": (
        "race",
        "conversation_already_has_active_response",
        "Conversation already has an active response in progress: resp_1. "
        "Wait until the response is finished before creating a new one.",
    ),
    "server.rejects.conversation.item.truncate.no_audio": (
        "audio-reply",
        "unsupported_content_type",
        "Only model output audio messages can be truncated",
    ),
    "server.rejects.conversation.item.truncate.unknown": (
        "audio-reply",
        "item_truncate_invalid_item_id",
        "Item with item_id not found: {item_id}",
    ),
    "server.rejects.conversation.item.delete": (
        "audio-reply",
        "item_delete_invalid_item_id",
        "Error deleting item: the item with id '{item_id}' does not exist.",
    ),
    "server.rejects.conversation.item.retrieve": (
        "updates",
        "item_retrieve_invalid_item_id",
        "Error retrieving item: the item with id '{item_id}' does not exist.",
    ),
    "server.rejects.conversation.item.create.previous": (
        "updates",
        "item_create_invalid_previous_item_id",
        "Error adding item: the previous item with id '{previous_item_id}' does not exist.",
    ),
    "server.rejects.conversation.item.create.call": (
        "tool-round",
        "invalid_tool_call_id",
        "Tool call ID '{call_id}' not found in conversation.",
    ),
    "server.rejects.input_audio_buffer.commit": (
        "manual-turn",
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
        "audio, but buffer only has 0.00ms of audio.",
    ),
    "server.rejects.session.update": (
        "VOICES",
        "cannot_update_voice",
        "Cannot update a conversation's voice if assistant audio is present.",
    ),
    "server.error.session_expired": (
        "reconnection",
        "session_expired",
        "Your session hit the maximum duration of 60 minutes.",
    ),
}
"""The errors whose wording is public; how long a message is stands in a test of its own."""


def rejected(case: str, clause: str) -> Drive:
    """A run to an error."""
    if case in CASES:
        found = explored(case)
    else:
        machine = Machine(audio_reply(**{**BRIEF, case: 1}).bounds)
        found = _Search(machine).until({clause}, 1, MOST)
    return Drive.of(found.machine).follow(found.way(clause))


@pytest.mark.parametrize("clause", EXPECTED)
def test_errors_are_worded_as_recorded(clause: str) -> None:
    """Type, code, message, parameter and event id are exactly those of the protocol."""
    case, code, message = EXPECTED[clause]
    taken = rejected(case, clause).taken[-1]
    read = taken.read or {}
    named = {**read, **read.get("item", {})}
    assert taken.event == {
        "type": "error",
        "event_id": (taken.event or {})["event_id"],
        "error": {
            "type": "invalid_request_error",
            "code": code,
            "message": message.format_map(named),
            "param": None,
            "event_id": read.get("event_id"),
        },
    }


def test_a_cut_beyond_the_audio_is_told_how_much_there_is() -> None:
    """The error says how long the message is, and what was asked for."""
    drive = Drive.of(explored("audio-reply").machine).by(
        *SPOKEN, "app.interrupt", "client.conversation.item.truncate[0]#3",
        "server.response.output_audio.delta[0]",
        "server.rejects.conversation.item.truncate.too_long[0]",
    )  # fmt: skip
    error = drive.said[-1][1]["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_value")
    assert error["message"] == "Audio content of 600ms is already shorter than 900ms"


@EVERY_CASE
def test_every_error_is_one_of_the_catalogue(case: str) -> None:
    """An error is its rule's entry of the catalogue, and says which message it is about."""
    for drive in drives(case):
        for taken in drive.taken:
            error = (taken.event or {}).get("error")
            if error is None:
                continue
            entry = ERRORS[taken.rule.error]
            assert (error["type"], error["code"]) == (entry.type, entry.code)
            assert "None" not in error["message"]
            assert error.get("event_id") == (taken.read or {}).get("event_id")


def test_an_active_response_is_named_by_its_id() -> None:
    """A response aside is newer, but is not the one that the default conversation waits for."""
    changes = {"AGAIN": 1, "REQUESTS": 2, "RESPONSES": 3}
    drive = Drive.of(Machine(rebounded(SCOPES["aside"], changes).bounds)).by(
        *REPLY,
        "client.response.create.aside",
        "server.reads.response.create.aside",
        "server.response.created.aside[1]",
        "app.generate_reply.again",
        "client.response.create",
        "server.rejects.response.create",
    )
    assert "in progress: resp_1." in drive.said[-1][1]["error"]["message"]


def test_a_response_that_is_to_come_is_named_by_the_id_that_it_will_have() -> None:
    """A request is rejected before the response that stands in its way was created."""
    changes = {"AGAIN": 1, "REQUESTS": 2, "RESPONSES": 3}
    drive = Drive.of(Machine(rebounded(SCOPES["aside"], changes).bounds)).by(
        *REPLY[:4],
        "app.generate_reply.again",
        "client.response.create",
        "client.response.create.aside",
        "server.reads.response.create",
        "server.rejects.response.create",
        "server.reads.response.create.aside",
        "server.response.created.aside[0]",
        "server.response.created.requested[1]",
    )
    error, aside, requested = (event for _, event in drive.said[-3:])
    assert "in progress: resp_1." in error["error"]["message"]
    assert (aside["response"]["id"], requested["response"]["id"]) == ("resp_2", "resp_1")


def test_a_request_is_lost_with_its_socket() -> None:
    """What was accepted on a socket that broke leaves neither its metadata nor its id."""
    changes = {"TURNS": 2, "AGAIN": 1, "REQUESTS": 2, "RESPONSES": 3, "DISTURBANCES": 2}
    drive = Drive.of(Machine(rebounded(SCOPES["reconnection"], changes).bounds)).by(
        *REPLY[:4],
        "app.generate_reply.again",
        "client.response.create",
        "server.reads.response.create",
        "server.rejects.response.create",
        "network.drops",
        "client.connect",
        *REPLY,
    )
    asked = [taken.sent["response"]["metadata"] for taken in drive.taken if taken.sent]
    response = drive.said[-1][1]["response"]
    assert len(asked) == 3
    assert response["metadata"] == asked[2] not in asked[:2]
    assert response["id"] == "resp_2"


# -- an id that exists ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "answers"),
    [("reconnection", ["error"]), ("duplicates_ignored", []),
     ("duplicates_appended", ["conversation.item.added", "conversation.item.done"])],
)  # fmt: skip
def test_an_item_that_exists(case: str, answers: list[str]) -> None:
    """A second item with the id of one that is there: rejected, ignored or added, as assumed."""
    machine = explored(case).machine
    m = machine.bounds["OUTS"]
    drive = Drive.of(machine).by(
        "network.open", "server.session.created", "user.takes_turn[0]",
        "server.input_audio_buffer.speech_stopped", "server.input_audio_buffer.committed[0]",
        "server.conversation.item.added.user[0]", "server.conversation.item.done.user[0]",
    )  # fmt: skip
    before = len(drive.said)
    (again,) = (
        number
        for number in machine.numbers("client.conversation.item.create.duplicate")
        if machine.resolved[number].address == m
    )
    drive.take(Step(again))
    while drive.state[-1] or len(drive.said) < before + len(answers):
        (number,) = (
            number
            for number in machine.environment(drive.state)
            if "conversation.item" in machine.rules[number].id
            and machine.rules[number].at.get("m") == m
        )
        drive.take(Step(number))
    said = [event for _, event in drive.said[before:]]
    assert [event["type"] for event in said] == answers
    for event in said:
        validate(event)
        name = drive.server.names.ids["item", m]
        assert at(event, "item.id") == name or f"'{name}'" in at(event, "error.message")


# -- the beta form ----------------------------------------------------------------------------


def words_of(event: Wire) -> Iterator[str]:
    """The types of all content in an event, and the modalities of a response."""
    response = event.get("response") or {}
    for item in [event.get("item") or {}, *response.get("output", [])]:
        yield from (part["type"] for part in item.get("content") or [])
    yield from response.get("modalities", [])
    if "part" in event:
        yield event["part"]["type"]


@EVERY_CASE
def test_the_beta_form_says_the_same_with_other_names(case: str) -> None:
    """Beta and GA runs of the same steps differ by names, and by the events that beta lacks."""
    machine = explored(case).machine
    for seed in range(2):
        ga = wandered(machine, seed)
        beta = Drive.of(machine, beta=True).follow(ga.steps)
        common = [(rule, event) for rule, event in ga.said if EVENTS[rule.event].beta]
        assert [rule for rule, _ in common] == [rule for rule, _ in beta.said]
        for (rule, old), (_, new) in zip(common, beta.said, strict=True):
            assert new == to_beta(old)
            assert new["type"] == EVENTS[rule.event].beta
            assert set(words_of(new)) <= {"audio", "text", "input_audio", "input_text"}
            assert "output_modalities" not in (new.get("response") or {})


def test_all_names_of_beta_are_used() -> None:
    """The cases hold every event that beta calls otherwise, and every one that it lacks."""
    spoken = {rule.event for case in CASES for rule, _ in events(case)}
    renamed = {name for name in spoken if EVENTS[name].beta not in (name, "")}
    assert len(renamed) == 7
    for case in CASES:
        for rule, event in events(case):
            assert (to_beta(event) is None) == (not EVENTS[rule.event].beta)


def test_texts_are_not_translated() -> None:
    """A text that looks like a name of the protocol stays as it is."""
    event = {"type": "response.output_text.done", "text": 'the "output_text" of "output_audio"'}
    assert to_beta(event) == {"type": "response.text.done", "text": event["text"]}


# -- more of the same -------------------------------------------------------------------------


@pytest.mark.slow
@EVERY_CASE
def test_long_searches_reach_no_other_clause(case: str) -> None:
    """A search of many more walks still misses what is said to be unreached, and only that."""
    machine = Machine(CASES[case])
    found = _Search(machine).until(set(), MOST, MOST)
    live = {rule.id for rule in machine.rules if speaks(rule)}
    assert live - found.clauses() == unreached(machine)
    for way in found.ways.values():
        drive, listener, chain = (
            Drive.of(machine).follow(way),
            listener_of(case),
            Chain(calls_placed=bool(CASES[case]["CALLS_PLACED"])),
        )
        for taken in drive.taken:
            if taken.event is not None:
                validate(taken.event, own=OF_ITS_OWN.get(case, ()))
                listener.hear(taken.event)
                chain.hear(taken)
