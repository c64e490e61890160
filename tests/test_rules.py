"""The laws of the rules as data, and of what they do under a client that knows no law.

Vocabulary, names and sources are checked by reading the rules; behaviour by walking every state
that they can reach in small scopes when the client takes every step that is possible, the
forbidden ones included.
"""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from realtime_protocol.assumptions import ASSUMPTIONS, assumed
from realtime_protocol.bounds import NOTHING_BUT_AUDIO, SCOPES, audio_reply, rebounded, scope
from realtime_protocol.expressions import LOCALS, ExpressionError, names
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Actor, Confidence, Disturbs, Rule
from realtime_protocol.rules import FIELDS, MACHINES, RULES
from realtime_protocol.state import Field, Message, State
from realtime_protocol.unrolled import Resolved, resolve_all
from realtime_protocol.vocabulary import ERRORS, EVENTS, out_of_scope

FACTS = Path(__file__).resolve().parents[2] / "shared" / "protocol-facts.md"

ACTS = {
    "app": {
        "generate_reply", "generate_reply_again", "interrupt", "interrupt_handle",
        "commit_user_turn", "clear_user_turn", "update_chat_ctx", "update_chat_ctx.remove",
        "update_instructions", "update_tools", "update_options", "hand_over", "close",
        "tool_returns", "tool_raises", "tool_hangs",
    },
    "client": {"connect", "close", "capture", "flush", "clear", "pause", "resume", "call"},
    "clock": {"deadline", "rotate"},
    "network": {"open", "refuse", "drop", "server_close"},
    "server": {""},
    "speaker": {"play", "drained", "cleared", "stick"},
    "user": {"speak"},
}  # fmt: skip
"""What is done without the wire, by actor; a server step without an event takes up a request."""

SPEAKS_AS = {"server": "server", "client": "client", "user": "server"}
"""Direction of the wire events of an actor; what the user does is announced by the server."""

BOUNDS = {
    "everything by voice": audio_reply(
        TEXT_OUT=1, CALL_OUT=1, MCP_OUT=1, OUTPUTS=2, PARTS=2, RATE_LIMITS=1,
        VOICES=1, COMMITS=1, CLEARINGS=1, NUDGES=1, ASIDES=1, CREATES=1, RETRIEVES=1, MISSING=1,
        RAISES=1, HANGS=1, SOCKETS=2, DROPS=1, REFUSALS=1, EXPIRIES=1, ROTATIONS=1, TROUBLES=1,
        FAILURES=1, REFUSED=1, AGAIN=1, CONTEXTS=1, REMOVALS=1, CHANGES=1, TOOLS=1, OPTIONS=1,
        HANDOVERS=1, CLOSES=1, HANDLES=1, FATALS=1, CONVERSATION_CREATED=1, SILENT_EXPIRY=1,
        CANCEL_HITS_NEXT=1, LATE_DELTAS=1, CANCEL_BY_ID=1, TRACK_USERS=1, TRACK_BUFFER=1,
        TRANSCRIPTION=1, EARLY_ASR=1, SEGMENTS=1, DEAF=1, ASR=1, PAUSES=1, STUCK=1, SIDEBAND=1,
        REPEATS=1, WAITS=1, ANEW=1,
    ).bounds,
    "nothing but text": audio_reply(AUDIO_OUT=0, TEXT_OUT=1, VAD=0, FULL=0, DUPLICATES=1).bounds,
    "as in beta": audio_reply(
        ITEM_DONE=0, USER_DONE=0, CREATED_DONE=0, DUPLICATES=2, BURST=0, RECORDED=1,
    ).bounds,
}  # fmt: skip
"""Bounds that between them leave no part of an expression unread."""


def texts(rule: Rule) -> Iterator[tuple[str, str]]:
    """Every expression of a rule, with the field that it is assigned to."""
    yield from ((text, "") for text in (rule.when, rule.permitted, rule.within))
    yield from ((text, "") for text in (rule.argument_limit, *rule.over.values()))
    if rule.address:
        yield rule.address, ""
    for target, text in rule.then.items():
        yield text, target
        yield from ((place, "") for place in slots_of(target))


def slots_of(target: str) -> list[str]:
    """What stands between the brackets of a target, unless it is every slot."""
    inside = target.rstrip("]").partition("[")[2]
    return [part.strip() for part in inside.split(",") if part.strip() not in ("", "*")]


KNOWN = {
    *(field.name for field in FIELDS),
    *(member for field in FIELDS for member in field.values),
    *BOUNDS["as in beta"],
    *LOCALS,
}
"""Every name but those of slots."""


def strange_names(rule: Rule) -> list[str]:
    """Names in a rule that are nothing anywhere, one line each."""
    own = {*rule.over, "i", "this"}
    strange = {name for text, _ in texts(rule) for name in names(text)} - KNOWN - own
    return [f"{rule.id}: {name}" for name in sorted(strange)]


def unresolved(rules: Iterable[Rule]) -> list[str]:
    """What is wrong with the names in expressions, one line each.

    A name has to be known wherever it stands, and to resolve where the bounds let it be read.
    """
    found = []
    for rule in rules:
        found += strange_names(rule)
    for bounds in BOUNDS.values():
        try:
            resolve_all(tuple(rules), FIELDS, bounds)
        except (ExpressionError, KeyError) as error:
            found.append(str(error))
    return found


def unlisted_events(rules: Iterable[Rule]) -> list[str]:
    """Events and acts that are not in the vocabulary, or go the wrong way."""
    found = []
    for rule in rules:
        known = EVENTS.get(rule.event)
        if rule.event in ACTS[rule.actor]:
            fine = not rule.sends
        else:
            fine = known is not None and SPEAKS_AS.get(rule.actor) == known.direction
        if not fine:
            found.append(f"{rule.id}: {rule.actor} cannot do {rule.event!r}")
        if rule.reads and (rule.reads not in EVENTS or EVENTS[rule.reads].direction != "client"):
            found.append(f"{rule.id}: {rule.reads!r} is no client event")
    return found


def room_of(rule_id: str) -> str:
    """The machine that a rule belongs to."""
    return next(
        machine.__name__.rpartition(".")[2]
        for machine in MACHINES
        if any(rule.id == rule_id for rule in machine.RULES)
    )


# -- declarations -----------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["id", "field"])
def test_no_double_declarations(part: str) -> None:
    """Ids of rules are unique, and so are names of fields."""
    listed = [rule.id for rule in RULES] if part == "id" else [field.name for field in FIELDS]
    assert [name for name, count in collections.Counter(listed).items() if count > 1] == []


def test_every_room_is_in_the_composition() -> None:
    """The rules and fields are those of the machines, all of them, in their order."""
    assert [rule.id for room in MACHINES for rule in room.RULES] == [rule.id for rule in RULES]
    assert [f.name for room in MACHINES for f in room.FIELDS] == [f.name for f in FIELDS]
    assert all(room.RULES and room.FIELDS for room in MACHINES)
    folder = Path(MACHINES[0].__file__ or "").parent
    rooms = {path.stem for path in folder.glob("*.py")} - {"__init__", "words"}
    assert {machine.__name__.rpartition(".")[2] for machine in MACHINES} == rooms


NAMED_OTHERWISE = {
    "network.closes": "server_close",
    "network.closes.unannounced": "server_close",
    "server.late.delta": "response.output_audio.delta",
    "app.tool.returns": "tool_returns",
    "app.tool.raises": "tool_raises",
    "app.tool.never": "tool_hangs",
    "app.answers_turn": "generate_reply",
    "app.interrupt.handle": "interrupt_handle",
    "app.generate_reply.again": "generate_reply_again",
    "clock.passes": "deadline",
}
"""Rules whose id does not hold their event, with the event."""


def test_an_id_begins_with_its_actor_and_names_its_event() -> None:
    """A clause id says who does what, so it can be read without the rule."""
    otherwise = {}
    for rule in RULES:
        assert rule.id.startswith(f"{rule.actor}."), rule.id
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", rule.id), rule.id
        event = rule.reads if rule.event in ("", "error") else rule.event
        if rule.actor != "user" and event not in rule.id:
            otherwise[rule.id] = rule.event
    assert otherwise == NAMED_OTHERWISE


def strange_targets(rules: Iterable[Rule]) -> list[str]:
    """Keys of `then` that are no field, or have too few or too many slots."""
    over = {field.name: len(field.over) for field in FIELDS}
    found = []
    for rule in rules:
        for key in rule.then:
            name = key.partition("[")[0]
            count = 1 if key.endswith("[*]") else len(slots_of(key))
            if over.get(name) != count:
                found.append(f"{rule.id}: {key}")
    return found


def test_every_effect_is_on_a_field() -> None:
    """The keys of `then` are fields with as many slots as they have; what is planted is named."""
    assert strange_targets(RULES) == []
    for key in ("conection", "connection[0]", "connection[*]", "response", "response[0, 1]"):
        planted = attrs.evolve(RULES[0], then={key: "1"})
        assert strange_targets([planted]) == [f"{planted.id}: {key}"]


@cache
def resolved_under(name: str) -> tuple[Resolved, ...]:
    """All rules under some of the bounds above."""
    return resolve_all(RULES, FIELDS, BOUNDS[name]).rules


def test_every_name_resolves() -> None:
    """Every name in every expression is a local, a slot, a field, a bound or a member."""
    assert [name for rule in RULES for name in strange_names(rule)] == []
    assert all(resolved_under(name) for name in BOUNDS)


@pytest.mark.parametrize(
    "change",
    [
        {"when": "conection == closed"},
        {"when": "connection == shut"},
        {"when": "MCP_OUT == 2 and nonsense > 1"},
        {"when": "any(response[q] == actve for q in RESPONSES)"},
        {"when": "any(response[q] == active for q in RESPONSE)"},
        {"permitted": "turns < TURN"},
        {"within": "turn == opne"},
        {"argument_limit": "AUDIOS"},
        {"address": "ITEM"},
        {"over": {"r": "RESPONSE"}},
        {"then": {"connection": "shut"}},
        {"then": {"turns": "open"}},
        {"then": {"cut[*]": "1 if that == 0 else this"}},
    ],
)
def test_a_misspelt_name_is_found(change: dict[str, Any]) -> None:
    """A name that resolves to nothing is reported with its rule, also in a part that is off."""
    rule = attrs.evolve(next(rule for rule in RULES if rule.sends), **change)
    assert unresolved([rule]) != []


def test_a_name_means_one_thing() -> None:
    """No field, bound, local, slot and member share a name, so the order of look-up never decides.

    A member may have the name of a field with slots: that one is never written without brackets.
    """
    slotted = {field.name for field in FIELDS if field.over}
    members = {member for field in FIELDS for member in field.values}
    slots = {name for rule in RULES for name in rule.over} | {"i", "this"}
    own = re.compile(r" for (\w+) in ")
    slots |= {name for rule in RULES for text, _ in texts(rule) for name in own.findall(text)}
    single = {field.name for field in FIELDS} - slotted
    kinds = {
        "field": single, "bound": set(BOUNDS["as in beta"]), "local": set(LOCALS), "slot": slots,
        "member": members,
    }  # fmt: skip
    # names of the compiled functions, which a field would hide
    compiled = {"state", "found", "enabled", "target", "after", "urgent", "event", "min", "max"}
    shared = [single & compiled, {f"{name}_0" for name in slotted} & single]
    shared += [a & b for (_, a), (_, b) in itertools.combinations(kinds.items(), 2)]
    shared += [slotted & kinds[kind] for kind in ("bound", "local", "slot")]
    assert [names for names in shared if names] == []


def test_an_argument_is_named_only_where_there_is_a_message() -> None:
    """Only a step that sends or reads a message can speak of its argument, in guard and effect."""
    for rule in RULES:
        spoken = [text for text, _ in texts(rule) if text != rule.argument_limit]
        if any({"argument", "slot"} & names(text) for text in spoken):
            assert rule.sends or rule.reads, rule.id
        if rule.argument_limit != "0":
            assert rule.sends, rule.id
            assert names(rule.argument_limit) <= set(BOUNDS["as in beta"]), rule.id


# -- vocabulary -------------------------------------------------------------------------------


def test_every_event_is_in_the_vocabulary() -> None:
    """A rule does an act of its actor, or a wire event that goes the way its actor speaks."""
    assert unlisted_events(RULES) == []


@pytest.mark.parametrize(
    "change",
    [
        {"event": "response.dome"},
        {"event": "response.cancel"},
        {"event": "play"},
        {"event": "session.created", "actor": "client"},
        {"event": "session.update", "actor": "server"},
        {"event": "capture", "actor": "client", "sends": True},
        {"event": "input_audio_buffer.speech_started", "actor": "app"},
        {"actor": "server", "event": "", "reads": "session.updated"},
        {"actor": "server", "event": "", "reads": "session.updat"},
    ],
)
def test_a_wrong_event_is_found(change: dict[str, Any]) -> None:
    """An event that does not exist, goes the other way, or is another actor's act is reported."""
    assert len(unlisted_events([attrs.evolve(RULES[0], **change)])) == 1


def unused_events(rules: Iterable[Rule]) -> set[str]:
    """Events of the vocabulary that no rule speaks of."""
    rules = list(rules)
    return set(EVENTS) - {rule.event for rule in rules} - {rule.reads for rule in rules}


def test_every_event_that_is_in_scope_has_a_rule() -> None:
    """The vocabulary lists no event that no rule speaks of, but those that it leaves out."""
    assert unused_events(RULES) - set(out_of_scope()) == set()
    without = [rule for rule in RULES if rule.event != "response.done"]
    assert "response.done" in unused_events(without) - set(out_of_scope())


def test_no_scope_has_an_event_that_is_left_out() -> None:
    """What the vocabulary leaves out of the model is at most the difference of a dialect."""
    events = {rule.id: rule.event for rule in RULES}
    left_out = {rule_id for rule_id, event in events.items() if event in out_of_scope()}
    assert {
        name: live & left_out for name, live in live_in_scopes().items() if live & left_out
    } == {}


def test_only_the_server_reads_and_only_the_client_sends() -> None:
    """Reading is the server's, sending the client's, and only a client step can be forbidden."""
    for rule in RULES:
        assert rule.actor == "server" or not rule.reads, rule.id
        assert rule.actor == "client" or not rule.sends, rule.id
        assert rule.actor == "client" or rule.permitted == rule.within == "True", rule.id
        assert rule.actor == "server" or not rule.urgent, rule.id
        assert not (rule.reads and rule.urgent), rule.id  # see test_unrolled
        assert rule.actor != "client" or not rule.disturbs, rule.id
        assert rule.address == "" or rule.reads or rule.is_client, rule.id


def test_who_disturbs_and_how() -> None:
    """Faults are of the server, the network and the speaker, the rest of user, app and clock."""
    by_kind: dict[str, set[str]] = collections.defaultdict(set)
    for rule in RULES:
        by_kind[rule.disturbs].add(rule.actor)
    assert by_kind["fault"] == {"server", "network", "speaker"}
    assert by_kind["interruption"] == {"user", "app", "network", "clock"}
    assert by_kind["app"] == {"app"}
    assert by_kind["clock"] == {"clock"}


def test_what_is_sent_is_read() -> None:
    """The messages that clients send and those that the server reads are the same, by slot too."""
    for name in BOUNDS:
        resolved = resolved_under(name)
        sent = {(one.rule.event, one.address or 0) for one in resolved if one.rule.sends}
        read: dict[str, set[int | None]] = collections.defaultdict(set)
        for one in resolved:
            if one.rule.reads:
                read[one.rule.reads].add(one.address)
        assert {event for event, _ in sent} == set(read)
        for event, slot in sent:
            assert {slot, None} & read[event], (event, slot)
    assert {rule.event for rule in RULES if rule.sends} == {rule.reads for rule in RULES} - {""}


# -- errors -----------------------------------------------------------------------------------

CARRIES_ERRORS = {"error", "conversation.item.input_audio_transcription.failed"}
"""Events that tell of an error of the catalogue."""


def test_errors_are_catalogued() -> None:
    """Every error of a rule is in the catalogue, and each of its variants; a planted one is not."""

    def strangers(rules: Iterable[Rule]) -> list[str]:
        listed = [(rule, key) for rule in rules for key in (rule.error, *rule.variants) if key]
        return [f"{rule.id}: {key}" for rule, key in listed if key not in ERRORS]

    assert strangers(RULES) == []
    rule = next(rule for rule in RULES if rule.variants)
    assert len(strangers([attrs.evolve(rule, error="eror", variants=("invalid_valu",))])) == 2
    assert all(entry.key == key for key, entry in ERRORS.items())


def test_an_error_is_told_where_the_catalogue_says() -> None:
    """A rule has an error exactly if its event tells of one, and its event can carry that one."""
    for rule in RULES:
        assert bool(rule.error) == (rule.event in CARRIES_ERRORS), rule.id
        assert rule.error or not rule.variants, rule.id
        assert rule.error not in rule.variants, rule.id
        if rule.event == "error" and rule.reads:
            assert all(
                ERRORS[key].where in ("error", "response.done")
                for key in (rule.error, *rule.variants)
            ), rule.id


def test_what_answers_no_message_is_a_fault() -> None:
    """An error that reads no message was caused by none: a fault, or a failed transcription."""
    for rule in RULES:
        if rule.error and not rule.reads:
            assert rule.disturbs == "fault" or rule.event in CARRIES_ERRORS - {"error"}, rule.id


# -- sources ----------------------------------------------------------------------------------

SOURCES = re.compile(r"\b(facts \d|SDK \w+|GUIDE|CAS\b|CAS-F|livekit|by definition:)")
CITED = re.compile(r"(?P<section>\d+(?:\.\d+)?)(?P<part>[abc]?)(?: #(?P<row>\d+))?(?: shapes? .+)?")


def citations(source: str) -> list[tuple[str, str]]:
    """Sections of the facts that a source cites, each with a row of its table or ''.

    `facts 2.1 shape 1, 3.3a, 8 #2, #3` is two sections and two rows of section 8.
    """
    found, section = [], ""
    for listed in re.findall(r"facts ([^;:]*)", source):
        for part in re.sub(r"\([^)]*\)", "", listed).split(","):
            text = part.strip()
            if text.startswith("#"):
                found.append((section, text[1:]))
            elif match := CITED.fullmatch(text):
                section = match["section"]
                found.append((section, match["row"] or match["part"] or ""))
            else:
                assert not text[:1].isdigit(), f"cannot read {text!r} in {source!r}"
    return found


@cache
def sections() -> frozenset[tuple[str, str]]:
    """Everything in the facts that can be cited: sections, parts of them, rows, open questions."""
    if not FACTS.exists():
        pytest.skip(f"no facts at {FACTS}")
    found, section = set(), ""
    for line in FACTS.read_text("utf-8").splitlines():
        if heading := re.match(r"#+ (\d+(?:\.\d+)?)", line):
            section = heading[1]
            found |= {(section, ""), (section.partition(".")[0], "")}
        elif row := re.match(r"\| (\d+)\w? \|", line):
            found.add((section, row[1]))
        elif part := re.match(r"\*\*\(([abc])\)", line):
            found.add((section, part[1]))
        elif (number := re.match(r"(\d+)\. ", line)) and "." not in section:
            found.add((f"{section}.{number[1]}", ""))
    return frozenset(found)


def wrong_citations(rules: Iterable[Rule]) -> list[str]:
    """What rules cite of the facts that is not there, one line each."""
    return [
        f"{rule.id}: facts {section} {row}"
        for rule in rules
        for section, row in citations(rule.source)
        if (section, row) not in sections()
    ]


def test_every_rule_says_why_and_whence() -> None:
    """Reason and source are written out, and actor, confidence and disturbance are known words."""
    for rule in RULES:
        assert len(rule.why.split()) > 2, rule.id
        assert rule.why.endswith("."), rule.id
        assert SOURCES.search(rule.source), rule.id
        assert rule.confidence in get_args(Confidence), rule.id
        assert rule.actor in get_args(Actor), rule.id
        assert rule.disturbs in get_args(Disturbs), rule.id
    assert not SOURCES.search("an unattributed log")


def test_citations_are_understood() -> None:
    """Lists, rows, parts, shapes and remarks are read as they are written."""
    assert citations("SDK x.py; facts 2.1 shapes 3 and 4, 3.3a; CAS") == [("2.1", ""), ("3.3", "a")]
    assert citations("facts 7.1, 8 #2, #3; the race: facts 9.4 (open)") == [
        ("7.1", ""), ("8", "2"), ("8", "3"), ("9.4", ""),
    ]  # fmt: skip
    assert citations("SDK session_created_event.py; CAS, every session") == []


def test_every_section_that_is_cited_exists() -> None:
    """Each `facts N.M` is a section of the facts, each `8 #N` a row, each 9.N an open question."""
    assert wrong_citations(RULES) == []
    for source in ("facts 2.9", "facts 8 #99", "facts 9.40 (open)", "facts 3.3, #7", "facts 3.1b"):
        assert len(wrong_citations([attrs.evolve(RULES[0], source=source)])) == 1, source
    assert sum(len(citations(rule.source)) for rule in RULES) > 100


def test_what_is_open_is_inferred_or_told_apart() -> None:
    """A rule that rests on an open question alone does not claim to have been documented."""
    for rule in RULES:
        cited = [section for section, _ in citations(rule.source)]
        if cited and all(section.startswith("9.") for section in cited):
            assert rule.confidence == "inferred" or re.search(r"SDK|CAS", rule.source), rule.id


# -- what is live where -----------------------------------------------------------------------


@cache
def live_in_scopes() -> Mapping[str, frozenset[str]]:
    """The rules that each scope leaves in, by scope."""
    return {
        name: frozenset(one.rule.id for one in resolve_all(RULES, FIELDS, each.bounds).rules)
        for name, each in SCOPES.items()
    }


BASIS = scope(
    "basis", "", SOCKETS=2, EXPIRIES=1, CREATES=2, CONTEXTS=1, TRANSCRIPTION=1, EARLY_ASR=1, ASR=2
)
"""What the assumptions are about, beside an audio reply."""

NEVER_LIVE: set[str] = set()
"""Rules that no scope and no assumption has."""


def answered_by(rule: Rule) -> list[str]:
    """The assumptions that switch on what a rule names."""
    named, plain = {name for text, _ in texts(rule) for name in names(text)}, NOTHING_BUT_AUDIO
    return [
        name
        for name, made in ASSUMPTIONS.items()
        if any(bound in named and value > plain[bound] for bound, value in made.bounds.items())
    ]


def test_every_rule_is_live_somewhere() -> None:
    """Each rule is left in by a scope, or by one under an assumption; those that are not, named."""
    live = frozenset().union(*live_in_scopes().values())
    missing = [rule for rule in RULES if rule.id not in live]
    found = {rule.id for rule in missing}
    for name in sorted({name for rule in missing for name in answered_by(rule)}):
        bounds = rebounded(BASIS, assumed([name])).bounds
        found -= {one.rule.id for one in resolve_all(RULES, FIELDS, bounds).rules}
    assert found == NEVER_LIVE
    assert {rule.id for rule in missing} >= {"server.late.delta"}  # not vacuous: some are off


def test_every_assumption_does_something() -> None:
    """Each sets bounds that exist, to a value that they do not have, and that some rule reads."""
    read = {name for rule in RULES for text, _ in texts(rule) for name in names(text)}
    read |= {"LENGTH", *itertools.chain(*(field.over for field in FIELDS))}
    plain = SCOPES["audio-reply"].bounds
    for name, made in ASSUMPTIONS.items():
        for bound, value in made.bounds.items():
            assert plain[bound] != value, name
    only_on_the_wire = {"PART_TEXT", "INDEXES", "CALLS_PLACED", "CONTENTS", "DETAILS"}
    for bound in {bound for made in ASSUMPTIONS.values() for bound in made.bounds}:
        assert bound in read | only_on_the_wire, bound


APART = {
    frozenset({"sideband", machine.__name__.rpartition(".")[2]})
    for machine in MACHINES
    if not machine.__name__.endswith("sideband")
}
"""Machines that no scope has both of: a dialect beside anything."""


def test_every_pair_of_machines_meets() -> None:
    """Two machines are live in one scope, so their rules interleave; those that never are named."""
    rooms = {
        rule.id: machine.__name__.rpartition(".")[2]
        for machine in MACHINES
        for rule in machine.RULES
    }
    together = [{rooms[rule_id] for rule_id in live} for live in live_in_scopes().values()]
    apart = {
        frozenset(pair)
        for pair in itertools.combinations(sorted(set(rooms.values())), 2)
        if not any(set(pair) <= room for room in together)
    }
    assert apart == APART


def test_a_voice_can_be_changed_while_there_is_audio() -> None:
    """Some scope lets the client change the voice where a message has audio.

    Else `server.rejects.session.update` counts as live everywhere, and fires nowhere.
    """
    assert any(s.bounds["VOICES"] and s.bounds["AUDIO_OUT"] for s in SCOPES.values())


# -- every state that the rules can reach -----------------------------------------------------

NONE = {
    "TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1, "CANCELS": 0,
    "CLEARS": 0, "TRUNCATES": 0, "DELETES": 0, "TICKS": 0, "INTERRUPTIONS": 0,
}  # fmt: skip
MUTED = {**NONE, "SPEAKER": 0, "VAD": 0}
TEXT = {**NONE, "AUDIO_OUT": 0, "TEXT_OUT": 1, "TEXTS": 1, "SPEAKER": 0}
TYPED = {**TEXT, "VAD": 0}
CALL = {**TYPED, "TEXT_OUT": 0, "CALL_OUT": 1, "ARGUMENTS": 1}
TWO = {"TURNS": 2, "RESPONSES": 2, "USERS": 2}

LAWLESS: dict[str, dict[str, int]] = {
    "truncates": {**NONE, "TRUNCATES": 1, "INTERRUPTIONS": 1, "VAD": 0},
    "deletes": {**MUTED, "DELETES": 2, "INTERRUPTIONS": 1, "VOICES": 1},
    "gone": {**MUTED, "TRUNCATES": 1, "DELETES": 1, "RETRIEVES": 1, "INTERRUPTIONS": 1},
    "cancels": {**MUTED, "CANCELS": 2, "TICKS": 1, "LATE_DELTAS": 1},
    "pause": {**NONE, "PAUSES": 1, "STUCK": 1, "INTERRUPTIONS": 1},
    "fails": {
        **TYPED, "FAILURES": 1, "RATE_LIMITS": 1, "REFUSED": 1, "TROUBLES": 1, "DISTURBANCES": 2,
        "CONVERSATION_CREATED": 1, "HANDLES": 1, "INTERRUPTIONS": 1,
    },
    "turn": {
        **TEXT, "TRANSCRIPTION": 1, "EARLY_ASR": 1, "SEGMENTS": 1, "DEAF": 1, "ASR": 3,
        "TRACK_USERS": 1,
    },
    "barge-in": {**TEXT, **TWO, "INTERRUPTIONS": 1},
    "kept": {**TEXT, "INTERRUPTIONS": 1, "CANCELS": 1, "CANCEL_HITS_NEXT": 1},
    "keeps on": {
        **TEXT, **TWO, "INTERRUPTIONS": 1, "INTERRUPT_RESPONSE": 0, "DISTURBANCES": 2,
        "REFUSED": 1,
    },
    "asks": {**TEXT, **TWO, "INTERRUPTIONS": 1, "CREATE_RESPONSE": 0, "TRACK_USERS": 1},
    "manual": {**TYPED, "TRACK_BUFFER": 1, "COMMITS": 1, "TRACK_USERS": 1, "USERS": 2},
    "clears": {**TYPED, "TRACK_BUFFER": 1, "CLEARS": 2, "CLEARINGS": 1},
    "idle": {**TEXT, **TWO, "NUDGES": 1, "TRACK_USERS": 1},
    "call": {**CALL, "RESPONSES": 2, "RAISES": 1, "HANGS": 1, "MISSING": 1},
    "mcp": {**CALL, "CALL_OUT": 0, "MCP_OUT": 1},
    "parts": {**TYPED, "PARTS": 2, "OUTPUTS": 2},
    "race": {
        **TYPED, "RESPONSES": 2, "REQUESTS": 2, "AGAIN": 1, "CANCEL_BY_ID": 1, "CANCELS": 1,
    },
    "aside": {**TYPED, "RESPONSES": 2, "ASIDES": 1, "TEXTS": 0},
    "creates": {**TYPED, "CREATES": 1, "CONTEXTS": 1, "REFUSED": 1},
    "twice": {**TYPED, "REPEATS": 1},
    "twice unseen": {**TYPED, "REPEATS": 1, "DUPLICATES": 1},
    "twice added": {**TYPED, "REPEATS": 1, "DUPLICATES": 2},
    "anew": {**MUTED, "DELETES": 1, "INTERRUPTIONS": 1, "ANEW": 1},
    "copies": {**CALL, "ANEW": 1},
    "removes": {**TEXT, "REMOVALS": 1, "DELETES": 1, "TRACK_USERS": 1},
    "app": {**TEXT, "CHANGES": 1, "TOOLS": 1, "OPTIONS": 1, "HANDOVERS": 1, "CLOSES": 1},
    "drop": {**TEXT, "SOCKETS": 2, "DROPS": 1, "TRACK_USERS": 1},
    "drop call": {**CALL, "SOCKETS": 2, "DROPS": 1},
    "ends": {
        **TYPED, "SOCKETS": 2, "WAITS": 2, "REFUSALS": 1, "EXPIRIES": 1, "ROTATIONS": 1,
        "FATALS": 1, "SILENT_EXPIRY": 1,
    },
    "aside cut": {**TYPED, "OUTPUTS": 2, "ASIDES": 1, "CANCELS": 1},
    "beta": {
        **NONE, "SPEAKER": 0, "INTERRUPTIONS": 1, "ITEM_DONE": 0, "USER_DONE": 0,
        "CREATED_DONE": 0, "LIMITS_EARLY": 1, "SIDEBAND": 1,
    },
    "early turns": {
        **TEXT, **TWO, "INTERRUPTIONS": 1, "EARLY_ITEM": 1, "EARLY_RESPONSE": 1,
        "CUT_UNCLOSED": 1, "USER_DONE": 0, "TRACK_USERS": 1,
    },
    "repeats": {
        **TEXT, "TRANSCRIPTION": 1, "EARLY_ASR": 1, "ASR": 3, "INTERIMS": 1, "TRACK_USERS": 1,
        "EARLY_ITEM": 1,
    },
    "words first": {**MUTED, "TRANSCRIPT_FIRST": 1, "REPLAYS": 1, "CREATES": 1, "OUTPUTS": 2},
}  # fmt: skip
"""Bounds under which every state is visited: small ones, each with another part of the protocol."""

Edge = tuple[int, int, State]


@attrs.frozen
class Reached:
    """Every state and step of a machine."""

    machine: Machine
    steps: dict[State, list[Edge]]

    def edges(self) -> Iterator[tuple[State, Rule, State]]:
        """Every step: where from, by which rule, where to."""
        for state, outgoing in self.steps.items():
            for number, _, target in outgoing:
                yield state, self.machine.rules[number], target


def widened(bounds: Mapping[str, int]) -> list[Field]:
    """The fields with two values more than they may have.

    The range analysis takes what lies beyond the range of a field as impossible, so that a rule
    that goes too far would be hidden by it.
    """
    return [
        attrs.evolve(field, values=(*field.values, "beyond", "far beyond"))
        if field.values
        else attrs.evolve(field, limit=str(field.top(bounds) + 2))
        for field in FIELDS
    ]


def reached(changes: Mapping[str, int], rules: Iterable[Rule], limit: int = 40_000) -> Reached:
    """Everything that rules lead to."""
    bounds = scope("small", "", **changes).bounds
    machine = Machine(bounds, tuple(rules), widened(bounds))
    steps: dict[State, list[Edge]] = {}
    waiting = [machine.initial]
    while waiting:
        state = waiting.pop()
        if state not in steps:
            steps[state] = machine.successors(state)
            waiting += [target for _, _, target in steps[state]]
            if len(steps) > limit:
                pytest.fail(f"more than {limit} states, such as {machine.show(state)}")
    return Reached(machine, steps)


def tops(machine: Machine) -> dict[str, int]:
    """The largest value that each live field may have."""
    slots = (slot for field in FIELDS for slot in field.unrolled(machine.bounds))
    return {slot.name: slot.top(machine.bounds) for slot in slots if slot.name in machine.at}


def without_law(rules: Iterable[Rule] = RULES) -> list[Rule]:
    """The rules with a client that may do whatever is possible."""
    return [attrs.evolve(rule, permitted="True", within="True") for rule in rules]


@cache
def lawless(name: str) -> Reached:
    """Every state and step under one of the bounds above, whatever the client does."""
    return reached(LAWLESS[name], without_law())


def changed(rule_id: str, **parts: Any) -> list[Rule]:
    """The rules without law, and with another rule in place of one of them."""
    return without_law(attrs.evolve(r, **parts) if r.id == rule_id else r for r in RULES)


EVERYWHERE = pytest.mark.parametrize("name", LAWLESS)


def test_every_rule_fires() -> None:
    """Each rule leads somewhere in one of the small scopes."""
    fired = {rule.id for name in LAWLESS for _, rule, _ in lawless(name).edges()}
    assert {rule.id for rule in RULES} - fired == set()


def test_every_value_is_taken() -> None:
    """Each field takes every value of its range; a member that no state has is a dead word."""
    seen: dict[str, set[object]] = collections.defaultdict(set)
    possible: dict[str, set[object]] = collections.defaultdict(set)
    for name in LAWLESS:
        found = lawless(name)
        most = tops(found.machine)
        for position, field in enumerate(found.machine.fields):
            base = field.name.partition("[")[0]
            seen[base].update({state[position] for state in found.steps})
            possible[base].update(range(most[field.name] + 1))
    left = {name: possible[name] - seen[name] for name in possible if possible[name] - seen[name]}
    # the first socket is asked for from the start
    assert left == {"sockets": {0}}
    assert set(seen) == {field.name for field in FIELDS}


def out_of_range(found: Reached) -> dict[str, set[object]]:
    """Values that a field may not have and has, by field."""
    wrong = {}
    for name, most in tops(found.machine).items():
        held = {state[found.machine.at[name]] for state in found.steps}
        if strange := held - set(range(most + 1)):
            wrong[name] = strange
    return wrong


@EVERYWHERE
def test_every_field_stays_in_its_range(name: str) -> None:
    """No field leaves the range that it declares, whatever the client does."""
    assert out_of_range(lawless(name)) == {}


@pytest.mark.parametrize(
    ("name", "rule_id", "part", "wrong"),
    [
        ("app", "client.session.update", {"updates": "updates + 2"}, {"updates": {2}}),
        ("turn", "server.session.created", {"connection": "ready", "turn": "4 + 1"}, {"turn": {5}}),
        (
            "race",
            "client.response.create",
            {"asked": "0", "requested": "requested - 1"},
            {"requested": {-1}},
        ),
    ],
)
def test_a_field_out_of_range_is_found(
    name: str, rule_id: str, part: dict[str, str], wrong: dict[str, set[int]]
) -> None:
    """An effect that goes too far shows in some state, and no analysis hides it."""
    found = out_of_range(reached(LAWLESS[name], changed(rule_id, then=part)))
    assert found.keys() >= wrong.keys()


def said_twice(found: Reached) -> set[str]:
    """What everybody but the client says in some state without changing it."""
    machine = found.machine
    still = {
        n
        for n, one in enumerate(machine.resolved)
        if not one.rule.is_client and one.rule.event and not one.rule.reads
    }
    wrong = set()
    for state, outgoing in found.steps.items():
        moving = {number for number, _, _ in outgoing}
        wrong |= {machine.rules[n].id for n in machine.environment(state) if n in still - moving}
    return wrong


@EVERYWHERE
def test_nothing_is_said_twice(name: str) -> None:
    """Whatever is said unasked changes the state: else it could be said without end.

    Such an event would be no edge of the graph either, since edges to themselves are left out.
    """
    assert said_twice(lawless(name)) == set()


def test_what_is_said_twice_is_found() -> None:
    """An event that changes nothing is noticed."""
    rules = changed("server.rate_limits.updated", then={"limits": "limits"})
    assert said_twice(reached(LAWLESS["fails"], rules)) == {"server.rate_limits.updated"}


def answers(found: Reached) -> collections.Counter[tuple[str, int]]:
    """How many rules take up the message at the head of the inbox: each event, and how often.

    In every state where the server is up and nothing is urgent. Rules that answer otherwise by a
    fault or an open question are not counted.
    """
    machine = found.machine
    connection, ready = machine.at["connection"], machine.code("connection", "ready")
    counted = collections.Counter[tuple[str, int]]()
    for state in found.steps:
        inbox = inbox_of(state)
        if not inbox or state[connection] != ready:
            continue
        enabled = [machine.rules[number] for number in machine.environment(state)]
        readers = [rule for rule in enabled if rule.reads]
        assert {rule.reads for rule in readers} <= {inbox[0][0]}
        if not any(rule.urgent for rule in enabled):
            plain = [
                r for r in readers if not r.disturbs and r.id != "server.keeps.response.cancel"
            ]
            counted[inbox[0][0], len(plain)] += 1
    return counted


def inbox_of(state: State) -> tuple[Message, ...]:
    """The messages that the server has not read."""
    inbox = state[-1]
    assert isinstance(inbox, tuple)
    return inbox


@EVERYWHERE
def test_one_answer_to_every_message(name: str) -> None:
    """A message at the head of the inbox is taken up by exactly one rule once the session is up."""
    counted = answers(lawless(name))
    assert {key: times for key, times in counted.items() if key[1] != 1} == {}


def test_every_message_is_answered_somewhere() -> None:
    """Together the small scopes have every message that a client sends."""
    answered = {event for name in LAWLESS for event, count in answers(lawless(name)) if count == 1}
    assert answered == {rule.event for rule in RULES if rule.sends}


@pytest.mark.parametrize(
    ("name", "rule_id", "when", "wrong"),
    [
        ("deletes", "server.rejects.conversation.item.delete", "False", 0),
        ("deletes", "server.rejects.conversation.item.delete", "connection == ready", 2),
    ],
)
def test_no_answer_and_two_answers_are_found(
    name: str, rule_id: str, when: str, wrong: int
) -> None:
    """A message that nobody reads, or two rules do, is noticed."""
    counted = answers(reached(LAWLESS[name], changed(rule_id, when=when)))
    assert counted["conversation.item.delete", wrong] > 0


@EVERYWHERE
def test_urgent_steps_never_compete(name: str) -> None:
    """At most one urgent step is enabled: what must follow at once is one event, not a choice."""
    machine = lawless(name).machine
    urgent = {number for number, rule in enumerate(machine.rules) if rule.urgent}
    for state in lawless(name).steps:
        assert len(urgent.intersection(machine.environment(state))) < 2, machine.show(state)


ENDS = (
    "response", "pending", "requested", "cancelling", "limits", "speech", "turn", "asr", "buffer",
    "commits", "item", "entry", "sent", "updates", "listed_conversation", "aside",
    "kept", "barged", "manual", "nudged", "unanswered", "listing",
)  # fmt: skip
"""What a server knows of a session: nothing of it is there on a new socket."""


@pytest.mark.parametrize("name", ENDS)
def test_a_session_ends_with_its_socket(name: str) -> None:
    """Every rule that ends a socket takes with it what the server knows of the session."""
    ending = [rule for rule in RULES if rule.clears]
    assert len(ending) > 3
    for rule in ending:
        assert name in {key.partition("[")[0] for key in rule.then}, rule.id


def stuck(found: Reached) -> list[object]:
    """The first state with a response that nobody but the client or a disturbance moves on."""
    machine = found.machine
    responses = [n for name, n in machine.at.items() if name.partition("[")[0] == "response"]
    active, ready = machine.code("response[0]", "active"), machine.code("connection", "ready")
    for state in found.steps:
        begun = any(state[n] == active for n in responses)
        if begun and machine.value(state, "connection") == ready and not machine.progress(state):
            return [machine.show(state)]
    return []


@EVERYWHERE
def test_a_response_that_is_begun_goes_on(name: str) -> None:
    """Whatever the client does, the server has a next event for it until it is done."""
    assert stuck(lawless(name)) == []


def test_a_call_of_an_mcp_tool_goes_on_outside_of_the_conversation() -> None:
    """The same for the items of a response beside the conversation, which are never listed."""
    bounds = {**TYPED, "TEXT_OUT": 0, "MCP_OUT": 1, "ASIDES": 1, "RESPONSES": 2}
    assert stuck(reached(bounds, without_law())) == []


def test_a_response_that_is_stuck_is_found() -> None:
    """Without its last event a response is seen to be stuck."""
    assert stuck(reached(LAWLESS["fails"], changed("server.response.done", when="False")))


# -- what the machines promise, everywhere ----------------------------------------------------


class View:
    """A state by the names of its fields; members of enumerations are spelled out."""

    def __init__(self, machine: Machine, state: State) -> None:
        self._machine, self._state = machine, state
        self.bounds = machine.bounds

    def number(self, name: str) -> int:
        """The number in a field."""
        return self._machine.value(self._state, name)

    def word(self, name: str) -> str:
        """The member of an enumeration."""
        return self._machine.member(name, self._machine.value(self._state, name))


def on_an_open_socket(before: View, rule: Rule, after: View) -> bool:
    """The server speaks on a socket only: `session.created` first, and all else behind it."""
    if rule.actor != "server":
        return True
    return before.word("connection") == ("open" if rule.event == "session.created" else "ready")


def begins_uncut(before: View, rule: Rule, after: View) -> bool:
    """A response that begins was interrupted only if its request was recalled."""
    if rule.event != "response.created":
        return True
    recalled = before.number("recalled") if rule.id.endswith(".requested") else 0
    return after.number(f"cut[{rule.at['r']}]") == recalled


def closes_in_order(before: View, rule: Rule, after: View) -> bool:
    """An item is closed behind the one before it."""
    if rule.event != "response.output_item.done" or rule.at["m"] % before.bounds["OUTPUTS"] == 0:
        return True
    return before.word(f"output[{rule.at['m'] - 1}]") == "closed"


def is_listed_before_it_is_done(before: View, rule: Rule, after: View) -> bool:
    """An item of the default conversation is closed behind its `conversation.item.added`."""
    if rule.event != "response.output_item.done":
        return True
    m = rule.at["m"]
    aside = before.number(f"oob[{m // before.bounds['OUTPUTS']}]")
    return bool(aside) or before.word(f"output[{m}]") != "opened"


def closes_whole_parts(before: View, rule: Rule, after: View) -> bool:
    """A part that is closed complete has all of its deltas."""
    if rule.event != "response.content_part.done" or before.bounds["FULL"] == 0:
        return True
    m, bounds = rule.at["m"], before.bounds
    deltas = (before.number(f"text[{m}]"), before.number(f"audio[{m}]"))
    full = (bounds["TEXTS"], 0) if before.word(f"kind[{m}]") == "text" else (0, bounds["AUDIO"])
    return before.number(f"whole[{m}]") == 0 or deltas == full


def answers_what_was_called(before: View, rule: Rule, after: View) -> bool:
    """A call is answered once its item is done."""
    if rule.id != "client.conversation.item.create.output":
        return True
    return before.word(f"output[{rule.at['m']}]") in ("item_done", "closed")


def leaves_what_is_done(before: View, rule: Rule, after: View) -> bool:
    """A response is created, active and then done or lost, and never comes back."""
    for r in range(before.bounds["RESPONSES"]):
        was, now = before.number(f"response[{r}]"), after.number(f"response[{r}]")
        if now < was or (was == 2 and now == 3):
            return False
        if now != was and was == 1 and rule.event != "response.done" and not rule.clears:
            return False
    return True


def one_by_one(before: View, rule: Rule, after: View) -> bool:
    """At most one response writes to the default conversation."""
    responses = range(after.bounds["RESPONSES"])
    return (
        sum(
            after.word(f"response[{r}]") == "active" and after.number(f"oob[{r}]") == 0
            for r in responses
        )
        < 2
    )


Law = Callable[[View, Rule, View], bool]


def broken(found: Reached, law: Law) -> list[object]:
    """The first step that breaks a law, and the state that it is taken in."""
    machine, told = found.machine, dict[State, View]()
    for state, rule, target in found.edges():
        before = told.setdefault(state, View(machine, state))
        after = told.setdefault(target, View(machine, target))
        if not law(before, rule, after):
            return [rule.label, machine.show(state)]
    return []


PLANTS: dict[Law, tuple[str, str, dict[str, Any]]] = {
    on_an_open_socket: ("ends", "server.session.updated", {"when": "connection in (open, ready)"}),
    begins_uncut: ("race", "server.response.created.requested", {
        "then": {"begun": "r + 1", "response[r]": "active", "pending": "0", "cut[r]": "1"}}),
    closes_in_order: ("parts", "server.response.output_item.done", {"when": "output[m] > opened"}),
    is_listed_before_it_is_done: ("gone", "server.response.output_item.done", {
        "when": "output[m] == opened"}),
    closes_whole_parts: ("deletes", "server.response.output_audio.done", {
        "when": "output[m] == streaming"}),
    answers_what_was_called: ("call", "client.conversation.item.create.output", {
        "when": "tool[m] == missing"}),
    leaves_what_is_done: ("barge-in", "server.response.created.turn", {
        "when": "turn == due and r == 0", "then": {"response[r]": "active", "turn": "none"}}),
    one_by_one: ("keeps on", "server.response.created.turn", {
        "when": "turn == due and begun == r", "then": {
            "response[r]": "active", "turn": "none", "begun": "r + 1"}}),
}  # fmt: skip
"""Each law, and a rule that breaks it in some scope."""


@pytest.mark.parametrize("law", PLANTS, ids=lambda law: law.__name__)
def test_a_broken_promise_is_found(law: Law) -> None:
    """With a rule that breaks it, each law is seen to be broken."""
    name, rule_id, parts = PLANTS[law]
    assert broken(reached(LAWLESS[name], changed(rule_id, **parts)), law) != []


MORE: dict[str, dict[str, int]] = {
    "beta cut": {**NONE, "OUTPUTS": 2, "SPEAKER": 0, "INTERRUPTIONS": 1, "ITEM_DONE": 0},
    "drop idle": {**TEXT, **TWO, "NUDGES": 1, "SOCKETS": 2, "DROPS": 1, "DISTURBANCES": 2},
}
"""Parts of the protocol that no scope has together; with a client that keeps the law."""


ONE_LAW: dict[str, Law] = {"drop idle": on_an_open_socket}
"""The law that a larger part was added for."""


@cache
def explored(name: str) -> Reached:
    """Every state and step under any of these bounds."""
    return lawless(name) if name in LAWLESS else reached(MORE[name], RULES)


@pytest.mark.parametrize(
    ("law", "name"),
    [
        pytest.param(law, name, id=f"{law.__name__}-{name}")
        for law in PLANTS
        for name in (*LAWLESS, *MORE)
        if name not in ONE_LAW or law is ONE_LAW[name]
    ],
)  # fmt: skip
def test_the_machines_keep_their_promises(law: Law, name: str) -> None:
    """Each law holds at every step that anybody can take, in each small scope."""
    assert broken(explored(name), law) == []
