"""The reference server: the server half of the model, speaking the wire format.

Laws:
- It decides nothing: which event comes next is a rule that somebody chose, and what it says is a
  template of the model; this module fills in the names that it hands out.
- Every event validates against the types of the `openai` package, which a test checks.
- Ids are counted, so the same steps give the same bytes.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from realtime_conformance.accounts import CALL, MESSAGE, Item, Utterance
from realtime_conformance.sound import encoded
from realtime_conformance.spelling import Piece, cut, filled
from realtime_protocol.acceptance import arrange
from realtime_protocol.adoption import Adoption
from realtime_protocol.bounds import UNIT_MS
from realtime_protocol.machine import Machine
from realtime_protocol.names import Names, at
from realtime_protocol.rule import Rule
from realtime_protocol.state import State
from realtime_protocol.vocabulary import ERRORS, EVENTS
from realtime_protocol.wire import (
    Before,
    Called,
    Echo,
    Free,
    Heard,
    Id,
    Maybe,
    Metadata,
    Moment,
    Said,
    Say,
    Sound,
    Wire,
    Wrong,
    template,
)

WORDS = ("Certainly", " here", " is", " what", " you", " asked", " for", " today")
ARGUMENTS = '{"city": "London"}'
"""The arguments of a call; they are cut into as many pieces as the bounds say."""
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
NAMED = {
    "invalid_tool_call_id": "item.call_id",
    "item_create_duplicate_item_id": "item.id",
    "item_create_invalid_previous_item_id": "previous_item_id",
}
"""Where the message says what an error names, if it is not `item_id`."""


@attrs.define
class ReferenceServer:
    """Spells server steps as wire events; one instance for each run."""

    machine: Machine
    beta: bool = False
    inbox: deque[Wire] = attrs.field(factory=deque)
    """The client's messages as they came, in step with the inbox of the state."""
    names: Names = attrs.field(factory=Names)
    responses: int = 0
    """Responses created."""
    _given: dict[str, int] = attrs.field(factory=dict)
    """How many ids of each kind were handed out."""
    _asked: dict[str, deque[Any]] = attrs.field(factory=lambda: defaultdict(deque))
    """Metadata of the requests that were accepted: `requested`, or `aside` of the conversation."""
    _promised: str = ""
    """The id of a response that an error has named before it was created."""
    _cut: set[str] = attrs.field(factory=set)
    """Ids of the items of which the client truncated the sound, and with it the words."""
    _understood: set[str] = attrs.field(factory=set)
    """Ids of the spoken items of which the client was told every word."""

    def spell(self, rule: Rule, before: State, after: State, now: float) -> str | None:
        """The wire form of a step of the server, or of the user's speech; None if it has none.

        Takes the message that the step reads from the inbox. `now` is in seconds.
        """
        message = self.inbox.popleft() if rule.reads else None
        self._remember(rule, message)
        arrange(self.machine, self.names, rule, message, after)
        self._take_note(rule)
        moment = Moment(self.machine, rule, before, after)
        pieces = _pieces(moment)
        if not pieces:
            return None
        if rule.event == "response.created":
            self.responses += 1
            asked = self._asked[rule.id.rpartition(".")[2]]
            self.names.metadata[rule.at["r"]] = asked.popleft() if asked else None
        text = filled(pieces, _Filler(self, moment, message, round(now * 1000)))
        if self.beta:
            translated = to_beta(json.loads(text))
            return None if translated is None else json.dumps(translated)
        return text

    def learn(self, rule: Rule, slot: int, message: Wire) -> None:
        """Take in the id that a client gives to an item that it creates."""
        name = at(message, "item.id")
        if rule.event == "conversation.item.create" and isinstance(name, str):
            self.names.ids.setdefault(("item", slot), name)

    def adopt(self, adoption: Adoption) -> None:
        """Go on under another machine, in which items can have other slots."""
        self.machine = adoption.target
        self.names = self.names.moved(adoption.item)

    def _remember(self, rule: Rule, message: Wire | None) -> None:
        if rule.event == "session.created":
            self._asked.clear()
            self._promised = ""
        elif rule.reads == "response.create" and not rule.event:
            aside = at(message or {}, "response.conversation") == "none"
            metadata = at(message or {}, "response.metadata")
            self._asked["aside" if aside else "requested"].append(metadata)

    def _take_note(self, rule: Rule) -> None:
        """Keep what a step does to the words of an item."""
        if rule.event == "conversation.item.truncated":
            self._cut.add(self.names.ids["item", rule.at["m"]])
        elif rule.event == TRANSCRIBED:
            spoken = self.machine.bounds["OUTS"] + rule.at["u"]
            self._understood.add(self.names.ids["item", spoken])

    def conversation(self, state: State) -> tuple[Item, ...]:
        """The items that the server holds, in its order; none while there is no session."""
        machine = self.machine
        connection = machine.member("connection", machine.value(state, "connection"))
        if connection not in ("ready", "expiring"):
            return ()
        names = self.names
        return tuple(self._item(state, m) for m in names.order if m not in names.deleted)

    def _item(self, state: State, m: int) -> Item:
        """The item in slot `m`; below 0 is one that no rule speaks of any more."""
        name, created = self.names.ids["item", m], self.names.created.get(m)
        if created is not None:
            return item_of(name, created["item"])
        bounds = self.machine.bounds
        if m < 0 or m >= bounds["OUTS"] + bounds["USERS"]:
            return Item(name, MESSAGE, "user" if m < 0 else "system")
        if m >= bounds["OUTS"]:
            known = name in self._understood
            return Item(name, MESSAGE, "user", self.transcript(m) if known else None)
        return self._output(state, m, name)

    def transcript(self, m: int) -> str:
        """What the user said in the spoken item in slot `m`."""
        return self.names.text(m, 0) or WORDS[0]

    def _output(self, state: State, m: int, name: str) -> Item:
        kind = self.machine.member(f"kind[{m}]", self.machine.value(state, f"kind[{m}]"))
        if kind in ("call", "mcp"):
            call, whole = self.names.ids.get(("call", m), ""), f"whole[{m}]"
            said = f"{self.names.called.get(m, '')}({self.names.text(m, 0)})"
            # of a call that was cut nobody knows what it was to be
            known = said if self.machine.value(state, whole) else None
            return Item(name, CALL if kind == "call" else "mcp_call", text=known, call=call)
        known = None if name in self._cut else self._words(state, m)
        return Item(name, MESSAGE, "assistant", known)

    def _words(self, state: State, m: int) -> str:
        parts = self.machine.value(state, f"part[{m}]")
        return "".join(self.names.text(m, part) for part in range(parts))

    def said(self, state: State) -> tuple[Utterance, ...]:
        """The messages of all replies so far, on whatever connection."""
        ids = self.names.ids
        return tuple(
            Utterance(m, ids["item", m], self._words(state, m))
            for m in range(self.machine.bounds["OUTS"])
            if ("item", m) in ids and self._is_said(state, m)
        )

    def _is_said(self, state: State, m: int) -> bool:
        """Whether words of an item are for the user: those beside the conversation are not."""
        machine = self.machine
        aside = machine.value(state, f"oob[{m // machine.bounds['OUTPUTS']}]")
        return not aside and machine.value(state, f"part[{m}]") > 0

    def promised(self) -> str:
        """The id of the response of the default conversation that is to be created next."""
        self._promised = self._promised or self.next("resp")
        return self._promised

    def next(self, prefix: str) -> str:
        """The next name of a kind."""
        self._given[prefix] = self._given.get(prefix, 0) + 1
        return f"{prefix}_{self._given[prefix]}"

    def id(self, wanted: Id, moment: Moment) -> str:
        """The id in a slot: the one that is known, or a new one."""
        key = (wanted.kind, wanted.slot)
        if wanted.new or key not in self.names.ids:
            name = ""
            if wanted.kind == "response" and not moment.value("oob", wanted.slot):
                name, self._promised = self._promised, ""
            self.names.name(wanted, name or self.next(_prefix(wanted, moment.machine.bounds)))
        return self.names.ids[key]


def _prefix(wanted: Id, bounds: Mapping[str, int]) -> str:
    """What an id begins with; an item's says what it is."""
    if wanted.kind != "item":
        return "resp" if wanted.kind == "response" else "call"
    kinds = (("OUTS", "reply"), ("MADE", "user"), ("ANSWER", "made"), ("ITEMS", "output"))
    return "item_" + next(name for end, name in kinds if wanted.slot < bounds[end])


@attrs.frozen
class _EventId:
    """The id of an event, which no template names."""


_PIECES: dict[tuple[Any, ...], tuple[Piece, ...]] = {}
"""What steps say before names are filled in: runs take the same steps again and again."""
MOST_PIECES = 1 << 16


def _pieces(moment: Moment) -> tuple[Piece, ...]:
    """What a step says, which depends on the step alone; empty if it says nothing."""
    rule = moment.rule
    key = (moment.machine, rule.id, *rule.at.values(), moment.before, moment.after)
    pieces = _PIECES.get(key)
    if pieces is None:
        if len(_PIECES) >= MOST_PIECES:
            _PIECES.clear()
        said = template(moment)
        whole = None if said is None else {"type": rule.event, "event_id": _EventId(), **said}
        pieces = _PIECES[key] = () if whole is None else cut(whole, _FILLS, _Filler.fill)
    return pieces


@attrs.define
class _Filler:
    """Fills in one template."""

    server: ReferenceServer
    moment: Moment
    message: Wire | None
    now_ms: int

    def fill(self, part: Any) -> Any:
        """The value that a part of a template stands for."""
        if isinstance(part, dict):
            filled = {key: self.fill(value) for key, value in part.items()}
            return {
                key: value
                for key, value in filled.items()
                if value is not None or not isinstance(part[key], Maybe)
            }
        if isinstance(part, list):
            return [self.fill(value) for value in part]
        fill: Callable[[_Filler, Any], Any] | None = _FILLS.get(type(part))
        return part if fill is None else fill(self, part)

    def event(self, part: _EventId) -> str:  # noqa: ARG002
        return self.server.next("event")

    def id(self, part: Id) -> str:
        return self.server.id(part, self.moment)

    def say(self, part: Say) -> str:
        kind = self.moment.member("kind", part.item)
        piece = WORDS[part.number % len(WORDS)]
        if kind in ("call", "mcp"):
            bounds = self.moment.machine.bounds
            # what may be complete after any piece is complete after each
            count = bounds["ARGUMENTS"] if kind == "call" and bounds["FULL"] else 1
            piece = piece_of(ARGUMENTS, part.number, count)
        said = self.server.names.said
        key = (part.item, part.part)
        said[key] = (*said.get(key, ()), piece)
        return piece

    def said(self, part: Said) -> str:
        names = self.server.names
        if part.alone:
            names.said.setdefault((part.item, part.part), (part.alone,))
        return names.text(part.item, part.part)

    def called(self, part: Called) -> str:
        return self.server.names.called.setdefault(part.item, part.default)

    def heard(self, part: Heard) -> str:
        said = self.server.names.said
        key = (part.item, 0)
        if not part.whole:
            said[key] = (*said.get(key, ()), WORDS[len(said.get(key, ())) % len(WORDS)])
            return said[key][-1]
        return self.server.transcript(part.item)

    def before(self, part: Before) -> str | None:
        return self.server.names.before(part.item)[0]

    def echo(self, part: Echo) -> Any:
        return at(self.server.names.message(part, self.message) or {}, part.key)

    def metadata(self, part: Metadata) -> Any:
        return self.server.names.metadata.get(part.response)

    def sound(self, part: Sound) -> str:
        return encoded(part.item, part.number, self.moment.machine.bounds["DELTA"])

    def free(self, part: Free) -> Any:
        if part.echo is not None:
            return self.echo(part.echo)
        return self.now_ms if part.now else part.default

    def maybe(self, part: Maybe) -> Any:
        return self.fill(part.value)

    def wrong(self, part: Wrong) -> Wire:
        entry = ERRORS[part.keys[0]]
        message = self.message or {}
        values: dict[str, Any] = {name: f"<{name}>" for name in entry.placeholders}
        length = 0
        if part.item is not None and part.item < self.moment.machine.bounds["OUTS"]:
            deltas = self.moment.value("audio", part.item)
            length = deltas * self.moment.machine.bounds["DELTA"] * UNIT_MS
        values.update(
            id=self._named(part, message),
            has=length,
            asked=message.get("audio_end_ms", 0),
            minutes="60",
        )
        error = {
            "type": entry.type,
            "code": entry.code,
            "message": entry.message.format_map(values),
            "param": None if entry.param is None else entry.param.format_map(values),
        }
        if self.moment.rule.event == "error":
            error["event_id"] = message.get("event_id")
        return error

    def _named(self, part: Wrong, message: Wire) -> Any:
        """What an error is about: a part of the message, an item, or the active response."""
        key = part.keys[0]
        if key == "conversation_already_has_active_response":
            return self._active()
        named = at(message, NAMED.get(key, "item_id"))
        return named or self.server.names.ids.get(("item", -1 if part.item is None else part.item))

    def _active(self) -> str:
        """The response of the default conversation: the one that is active, or is to come."""
        moment = self.moment
        for slot in range(moment.machine.bounds["RESPONSES"]):
            if moment.member("response", slot) == "active" and not moment.value("oob", slot):
                return self.server.names.ids["response", slot]
        return self.server.promised()


_FILLS: Mapping[type, Callable[[_Filler, Any], Any]] = {
    _EventId: _Filler.event,
    Id: _Filler.id,
    Say: _Filler.say,
    Said: _Filler.said,
    Called: _Filler.called,
    Heard: _Filler.heard,
    Before: _Filler.before,
    Echo: _Filler.echo,
    Metadata: _Filler.metadata,
    Sound: _Filler.sound,
    Free: _Filler.free,
    Maybe: _Filler.maybe,
    Wrong: _Filler.wrong,
}


def item_of(name: str, wire: Wire) -> Item:
    """An item as a client created it, under the id that it has."""
    kind, call = str(wire.get("type")), str(wire.get("call_id") or "")
    if kind == CALL:
        return Item(name, kind, text=f"{wire.get('name')}({wire.get('arguments')})", call=call)
    if kind != MESSAGE:
        return Item(name, kind, text=str(wire.get("output")), call=call)
    parts = [part.get("text", part.get("transcript")) for part in wire.get("content") or ()]
    said = None if None in parts else "".join(map(str, parts))
    return Item(name, kind, str(wire.get("role")), said)


def piece_of(text: str, number: int, count: int) -> str:
    """Piece `number` of a JSON text in `count` pieces; spaces, if there are more or it is short."""
    if number >= count:
        return " "
    text = text.ljust(count)
    return text[number * len(text) // count : (number + 1) * len(text) // count]


BETA_WORDS = {"output_audio": "audio", "output_text": "text", "output_modalities": "modalities"}


def to_beta(event: Wire) -> Wire | None:
    """The beta form of a GA event; None where the beta protocol has no such event.

    Content types of the model lose their prefix and names change as the vocabulary says; everything
    else is alike (facts 1.2).
    """
    name = EVENTS[event["type"]].beta
    if not name:
        return None
    text = json.dumps({**event, "type": name})
    for old, new in BETA_WORDS.items():
        text = text.replace(f'"{old}"', f'"{new}"')  # within a text the quotes are escaped
    translated: Wire = json.loads(text)
    return translated
