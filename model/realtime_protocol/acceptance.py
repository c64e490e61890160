"""Is a recorded session a behaviour of the model?

Every event of the server must be a step of some rule, with the payload that the rule gives it, from
some state that the events before it can have led to. The client's messages are taken as they come:
whether they are wise is for the checks.

Laws:
- All states that fit are carried along, so a refusal means that no run of the model fits.
- A recording that begins late, ends early or lacks the client's side is accepted as such, and that
  is said.
- An `event_id` is given once.
- A refusal names the line, the event, a state, and what would have been accepted there.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from realtime_protocol.assumptions import assumed
from realtime_protocol.bounds import NOTHING_BUT_AUDIO, sizes
from realtime_protocol.machine import Machine, Step
from realtime_protocol.messages import Addressed, readings
from realtime_protocol.names import Names, at
from realtime_protocol.recordings import Event, Line, Recording
from realtime_protocol.rule import Rule
from realtime_protocol.state import State, show_message
from realtime_protocol.vocabulary import EVENTS
from realtime_protocol.wire import REPLAYED, Moment, Wire, template

ENDLESS = 1_000_000
"""More pieces of anything than a recording has."""


class UnknownEvent(ValueError):
    """An event that the vocabulary does not have, with its line."""


@attrs.define
class Config:
    """One way in which the model can have come here."""

    state: State
    names: Names
    unread: tuple[Wire | None, ...] = ()
    """The client's messages that the server has not read; None where they were not recorded."""
    trail: tuple[Any, ...] = ()
    """The steps taken, as a linked list: (before, rule number)."""


@attrs.frozen
class Refusal:
    """Why a recording is no behaviour of the model."""

    line: int
    event: str
    state: dict[str, object]
    expected: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        """The refusal in one paragraph."""
        return (
            f"line {self.line}: {self.event} is refused: {self.reason}; in {self.state}; "
            f"accepted there: {', '.join(self.expected) or 'nothing'}"
        )


@attrs.frozen
class Verdict:
    """What became of one recording."""

    name: str
    accepted: bool
    refusal: Refusal | None
    notes: tuple[str, ...]
    """In what respect the recording is only a part of a session."""
    steps: int
    """Server events taken."""
    looseness: float
    """Mean number of server event types that the model would have accepted at each step."""
    rules: tuple[str, ...]
    """Clause ids of the rules that one accepting run takes."""
    nodes: int
    edges: int


def accept(
    recording: Recording, assumptions: Iterable[str] = (), machine: Machine | None = None
) -> Verdict:
    """Fit a recording, whose events have GA names, to the model.

    `machine` saves compiling one, where its bounds are known to be large enough.

    Raises:
        UnknownEvent: an event is not in the vocabulary.
        UnknownAssumption: an assumption is not known.
    """
    return _Acceptor(recording, machine or Machine(bounds_of(recording, assumptions))).run()


def bounds_of(recording: Recording, assumptions: Iterable[str] = ()) -> dict[str, int]:
    """Bounds as large as a recording needs."""
    count: dict[str, int] = defaultdict(int)
    for line in recording.lines:
        count[str(line.event.get("type"))] += 1
    opened = [
        line.event
        for line in recording.lines
        if line.event.get("type") == "response.output_item.added"
    ]
    parts = [int(line.event.get("content_index") or 0) for line in recording.lines]
    bounds = {**NOTHING_BUT_AUDIO, **LARGE}
    bounds["RESPONSES"] = count["response.created"] + 1
    bounds["OUTPUTS"] = _outputs(opened)
    bounds["PARTS"] = max(parts, default=0) + 1
    bounds["USERS"] = (
        count["input_audio_buffer.speech_started"] + count["input_audio_buffer.committed"] + 1
    )
    bounds["NUDGES"] = count["input_audio_buffer.timeout_triggered"]
    bounds["CREATES"] = max(
        count["conversation.item.create"],
        count["conversation.item.added"] - len(opened) - count["input_audio_buffer.committed"],
        0,
    )
    if not recording.has_client:
        bounds["ASIDES"] = 0  # without metadata an aside cannot be told from a reply
    bounds.update(assumed(assumptions))
    return {**bounds, **sizes(bounds)}


def _outputs(opened: Sequence[Event]) -> int:
    """Most items of one response: by index, or by number where indexes do not tell them apart."""
    indexes = [int(event.get("output_index") or 0) + 1 for event in opened]
    of_each = Counter(str(event.get("response_id")) for event in opened)
    return max([1, *indexes, *of_each.values()])


LARGE = {
    **dict.fromkeys(
        (
            "TURNS", "REQUESTS", "TRANSCRIPTS", "AUDIO", "TEXTS", "ARGUMENTS", "UPDATES", "CANCELS",
            "TRIES", "TRUNCATES", "DELETES", "RETRIEVES", "DISTURBANCES", "INTERRUPTIONS",
            "COMMITS", "CLEARS", "ASR", "ASIDES", "FAILURES", "REFUSED", "TROUBLES", "EXPIRIES",
            "REMOVALS", "MISSING", "VOICES",
        ),
        ENDLESS,
    ),
    **dict.fromkeys(
        (
            "AUDIO_OUT", "TEXT_OUT", "CALL_OUT", "MCP_OUT", "RATE_LIMITS", "VAD", "TRACK_USERS",
            "TRACK_BUFFER", "TRANSCRIPTION", "EARLY_ASR", "SEGMENTS", "DEAF", "RECORDED", "REPEATS",
        ),
        1,
    ),
    "FULL": 0,
    "TICKS": 0,
    "SPEAKER": 0,
}  # fmt: skip
"""Every part of the protocol switched on, without limits; the app and the speaker are not seen."""


OF_KNOWN_ITEMS = (
    "client.conversation.item.create.again",
    "client.conversation.item.create.duplicate",
)
"""Creations of an item that there was or is; without the client's side none is assumed."""

STAGES = (
    *itertools.product(("listed", "streaming"), ("running", "turn_detected", "client_cancelled")),
    *itertools.product(
        ("audio_done", "content_done", "part_done", "item_done", "closed"),
        ("completed", "turn_detected", "client_cancelled"),
    ),
)
"""How far a response can be whose beginning was not recorded, and how it ends."""


class _Acceptor:
    """One recording being read."""

    def __init__(self, recording: Recording, machine: Machine) -> None:
        self.recording = recording
        self.machine = machine
        self.has_client = recording.has_client
        self.by_event: dict[str, list[int]] = defaultdict(list)
        self.silent: list[int] = []
        self.client: dict[tuple[str, int], list[int]] = defaultdict(list)
        for number, rule in enumerate(self.machine.rules):
            if rule.actor in ("server", "user") and rule.event in EVENTS:
                self.by_event[rule.event].append(number)
            elif rule.actor == "server" and not rule.event:
                self.silent.append(number)
            elif rule.sends:
                address = self.machine.resolved[number].address or 0
                self.client[rule.event, address].append(number)
        self.readers = [
            number for number, rule in enumerate(self.machine.rules) if rule.reads and rule.event
        ]
        """Rules that answer a message with an event."""
        self.sent: dict[tuple[State, int, int], State] = {}
        """States with a message that was not recorded; emptied with each event."""
        self.configs: list[Config] = []
        self.seen_ids: set[str] = set()
        self.offered = 0
        self.steps = 0

    def run(self) -> Verdict:
        lines = [line for line in self.recording.lines if not line.gap]
        self._check_events(lines)
        self.configs = list(self._beginnings(lines))
        for line in lines:
            if line.direction == "client":
                self.configs = self._sent(line)
                continue
            refusal = self._received(line)
            if refusal is not None:
                return self._verdict(refusal)
        return self._verdict(None)

    def _check_events(self, lines: Sequence[Line]) -> None:
        for line in lines:
            event = str(line.event.get("type"))
            if event not in EVENTS:
                raise UnknownEvent(f"line {line.number}: {event!r} is no event of the protocol")

    # beginnings

    def _beginnings(self, lines: Sequence[Line]) -> Iterator[Config]:
        machine = self.machine
        opened = self._with(machine.initial, {"connection": "open"})
        first = next((line.event for line in lines if line.direction == "server"), {})
        if first.get("type") == "session.created":
            yield Config(opened, Names())
            return
        ready = self._with(machine.initial, {"connection": "ready"})
        yield Config(ready, Names(whole=False))
        yield from self._in_the_middle(ready)

    def _in_the_middle(self, ready: State) -> Iterator[Config]:
        """A response that was under way before the recording began."""
        for kind, (stage, ending) in itertools.product(("audio", "text", "call"), STAGES):
            values: dict[str, int | str] = {
                "begun": 1, "response[0]": "active", "opened[0]": 1, "kind[0]": kind,
                "output[0]": stage, "part[0]": 1, "item[0]": "present", "turns": 1,
                "ending[0]": ending, "whole[0]": int(ending == "completed"),
            }  # fmt: skip
            names = Names(whole=False, torn=frozenset({0}))
            names.place(0)
            yield Config(self._with(ready, values), names)

    def _with(self, state: State, values: dict[str, int | str]) -> State:
        """A state with some fields set, those that the bounds leave out apart."""
        machine = self.machine
        changed = list(state)
        for name, value in values.items():
            if name in machine.at:
                number = value if isinstance(value, int) else machine.code(name, value)
                changed[machine.at[name]] = number
        return tuple(changed)

    # the client

    def _sent(self, line: Line) -> list[Config]:
        event = str(line.event.get("type"))
        found = []
        for config in self.configs:
            if event == "input_audio_buffer.append":
                found.append(self._appended(config))
                continue
            for addressed in readings(
                self.machine, config.names, config.state, dict(line.event), exact=False
            ):
                number = self._sender(config, event, addressed)
                if number is not None:
                    put = self._put(config, number, addressed.argument, dict(line.event))
                    found.append(put)
        return found or self.configs

    def _sender(self, config: Config, event: str, addressed: Addressed) -> int | None:
        """The rule of a message: one that may be taken, or else the first that sends such."""
        numbers = self.client.get((event, addressed.slot), [])
        for number in numbers:
            if self.machine.enabled(config.state, Step(number, addressed.argument)):
                return number
        return numbers[0] if numbers else None

    def _appended(self, config: Config) -> Config:
        state = self._with(config.state, {"buffer": "enough"})
        return attrs.evolve(config, state=state)

    def _put(self, config: Config, number: int, argument: int, message: Wire | None) -> Config:
        """Put a message into the inbox: the effect of its rule, whatever its guard says."""
        machine = self.machine
        rule = machine.rules[number]
        state = machine.forced(config.state, Step(number, argument))
        names = config.names.copy()
        name = at(message or {}, "item.id")
        address = machine.resolved[number].address
        if rule.event == "conversation.item.create" and isinstance(name, str):
            assert address is not None
            names.ids.setdefault(("item", address), name)
        return Config(state, names, (*config.unread, message), (config.trail, number))

    # the server

    def _received(self, line: Line) -> Refusal | None:
        self.sent.clear()
        reachable = self._closure(self.configs)
        enabled = [(config, self._offers(config)) for config in reachable]
        kinds = {self.machine.rules[n].event for _, offers in enabled for n in offers}
        self.offered += len(kinds)
        self.steps += 1
        event = str(line.event.get("type"))
        name = line.event.get("event_id")
        found = [
            after
            for config, offers in enabled
            for number in offers
            if self.machine.rules[number].event == event
            and (after := self._step(config, number, dict(line.event))) is not None
        ]
        repeated = name is not None and name in self.seen_ids
        if name is not None:
            self.seen_ids.add(str(name))
        if found and not repeated:
            self.configs = _merged(found)
            return None
        if repeated:
            reason = f"its event_id {name!r} was given before"
        elif event in kinds:
            reason = "its order fits, but not what it says"
        else:
            reason = "no rule allows it"
        shown = self._shown(reachable[0].state) if reachable else {}
        return Refusal(line.number, event, shown, tuple(sorted(kinds)), reason)

    def _shown(self, state: State) -> dict[str, object]:
        """What a state has that the first does not."""
        begin = self.machine.show(self.machine.initial)
        return {k: v for k, v in self.machine.show(state).items() if begin[k] != v}

    def _offers(self, config: Config) -> list[int]:
        """Rules with a wire event that the server can take."""
        numbers = [
            number
            for number in self.machine.environment(config.state)
            if self.machine.rules[number].event in EVENTS
        ]
        if not self.has_client:
            numbers += self._assumed(config, self.readers)
        return numbers

    def _assumed(self, config: Config, numbers: Iterable[int]) -> list[int]:
        """Rules that could be taken if the client had sent what they read."""
        if config.unread:
            return []
        return [n for n in numbers if self._sending(config, n) is not None]

    def _before_reading(self, config: Config, number: int) -> Config | None:
        """The configuration with the message that a rule reads, if that enables it."""
        sending = self._sending(config, number)
        return None if sending is None else self._put(config, *sending, None)

    def _sending(self, config: Config, number: int) -> tuple[int, int] | None:
        """The rule that sends what a rule reads, and the argument, if that enables it."""
        rule = self.machine.rules[number]
        if not rule.reads:
            return None
        address = self.machine.resolved[number].address or 0
        for sender in self.client.get((rule.reads, address), ()):
            if not self._in_turn(config, sender):
                continue
            for argument in (0, 1):
                if self.machine.enabled(self._with_message(config, sender, argument), Step(number)):
                    return sender, argument
        return None

    def _with_message(self, config: Config, sender: int, argument: int) -> State:
        """The state with a message that was not recorded, which several rules may read."""
        key = config.state, sender, argument
        if key not in self.sent:
            self.sent[key] = self.machine.forced(config.state, Step(sender, argument))
        return self.sent[key]

    def _in_turn(self, config: Config, sender: int) -> bool:
        """Whether the slot of a message that was not recorded is the next one."""
        rule = self.machine.rules[sender]
        if "c" in rule.at:
            return self.machine.value(config.state, "created") == rule.at["c"]
        return rule.id not in OF_KNOWN_ITEMS

    def _step(self, config: Config, number: int, event: Wire) -> Config | None:
        """Take a step of the server, if the payload fits; None if it does not."""
        machine = self.machine
        if not machine.enabled(config.state, Step(number)):
            assumed = self._before_reading(config, number)
            if assumed is None:
                return None
            config = assumed
        rule = machine.rules[number]
        after = machine.after(config.state, Step(number))
        message = config.unread[0] if rule.reads else None
        names = config.names.copy()
        arrange(machine, names, rule, message, after)
        said = template(Moment(machine, rule, config.state, after))
        if said is None or not names.fits(said, event, message):
            return None
        unread = config.unread[1:] if rule.reads else config.unread
        return Config(after, names, unread, (config.trail, number))

    def _closure(self, configs: Sequence[Config]) -> list[Config]:
        """All configurations, and those that the server's silent steps lead to."""
        found = list(configs)
        for config in found:  # grows while it is gone through
            numbers = [n for n in self.silent if self.machine.enabled(config.state, Step(n))]
            if not self.has_client:
                numbers += self._assumed(config, [n for n in self.silent if n not in numbers])
            for number in numbers:
                here = config
                if not self.machine.enabled(config.state, Step(number)):
                    here = self._before_reading(config, number) or config
                after = self.machine.after(here.state, Step(number))
                unread = here.unread[1:] if self.machine.rules[number].reads else here.unread
                found.append(Config(after, here.names, unread, (here.trail, number)))
        return found

    # the end

    def _verdict(self, refusal: Refusal | None) -> Verdict:
        rules, nodes, edges = self._covered()
        return Verdict(
            name=self.recording.name,
            accepted=refusal is None,
            refusal=refusal,
            notes=self._notes(),
            steps=self.steps,
            looseness=self.offered / self.steps if self.steps else 0.0,
            rules=rules,
            nodes=nodes,
            edges=edges,
        )

    def _covered(self) -> tuple[tuple[str, ...], int, int]:
        """Rules, nodes and edges of one run that fits."""
        if not self.configs:
            return (), 0, 0
        numbers = []
        trail = self.configs[0].trail
        while trail:
            trail, number = trail
            numbers.append(number)
        rules = tuple(sorted({self.machine.rules[number].id for number in numbers}))
        # counters grow with every step of a run, so each step is an edge to a node of its own
        return rules, len(numbers) + 1, len(numbers)

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self.configs and not self.configs[0].names.whole:
            notes.append("starts after session.created")
        if not self.has_client:
            notes.append("without the client's side")
        ended = any(not self._under_way(config.state) for config in self.configs)
        if not ended:
            notes.append("ends with something under way")
        return tuple(notes)

    def _under_way(self, state: State) -> bool:
        responses = range(self.machine.bounds["RESPONSES"])
        active = any(self.machine.value(state, f"response[{r}]") == 1 for r in responses)
        return active or bool(state[-1])


def arrange(machine: Machine, names: Names, rule: Rule, message: Wire | None, after: State) -> None:
    """Keep the order of the conversation as a server step changes it."""
    bounds = machine.bounds
    if rule.event == "input_audio_buffer.committed":
        _place_spoken(names, bounds["OUTS"] + rule.at["u"], by_hand=bool(rule.reads))
    elif rule.id == "user.barges_in.unclosed":
        names.deleted |= _taken_away(machine, rule.at["r"], after)
    elif rule.id == "server.conversation.item.added.replayed":
        names.created[rule.at["m"]] = REPLAYED
        names.place(rule.at["m"])
    elif rule.event == "conversation.item.deleted":
        names.deleted |= {rule.at["m"]}
    elif rule.event == "session.created":
        names.order, names.deleted = (), frozenset()
    elif rule.event == "conversation.item.added" and "u" not in rule.at:
        item = rule.at["m"] if "m" in rule.at else bounds["OUTS"] + bounds["USERS"] + rule.at["n"]
        previous = at(message or {}, "previous_item_id")
        names.place(item, names.slot("item", previous), first=previous == "root")


def _place_spoken(names: Names, item: int, *, by_hand: bool) -> None:
    """Place an item that is committed; what has been added before stays where it is."""
    if by_hand or item not in names.order:
        names.place(item)


def _taken_away(machine: Machine, response: int, state: State) -> set[int]:
    """The items of a response that are not in the conversation any more."""
    outputs = machine.bounds["OUTPUTS"]
    items = range(response * outputs, (response + 1) * outputs)
    return {m for m in items if _member(machine, state, f"item[{m}]") == "deleted"}


def _member(machine: Machine, state: State, name: str) -> str:
    return machine.member(name, machine.value(state, name))


def _merged(configs: Sequence[Config]) -> list[Config]:
    """Each state once for the same names."""
    found: dict[Any, Config] = {}
    for config in configs:
        key = (config.state, tuple(sorted(config.names.ids.items())))
        found.setdefault(key, config)
    return list(found.values())


def show_unread(config: Config) -> list[str]:
    """The messages that the server has not read, for a person."""
    inbox = config.state[-1]
    assert isinstance(inbox, tuple)
    return [show_message(message) for message in inbox]
