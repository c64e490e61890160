"""The properties hold, say something, and can be broken: a fault is planted for every law.

Small versions of the scopes are looked at each time; all scopes, and all faults, are slow.
What is known to be wrong in the rules stands in `DEFECTS`, with its reason; a test fails when
something is wrong that is not listed, and a slow one when something listed is right.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import attrs
import networkx as nx
import pytest

from realtime_protocol import properties
from realtime_protocol.bounds import SCOPES, Scope, audio_reply, rebounded
from realtime_protocol.expressions import ExpressionError
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.properties import (
    ALWAYS,
    EVENTUALLY,
    PROPERTIES,
    SOMETIMES,
    Property,
    Row,
    UnknownProperty,
    Verdict,
    check_always,
    check_eventually,
    components,
    evaluate,
    find,
    fired,
    is_fair,
    lawless,
    never_looked_at,
    quotient,
    shown,
    shows,
    unfired,
)
from realtime_protocol.rule import Rule
from realtime_protocol.rules import RULES
from realtime_protocol.state import State

BRIEF = {
    "TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1, "TICKS": 0, "CLEARS": 0,
    "CANCELS": 1, "DELETES": 1, "TRUNCATES": 1,
}  # fmt: skip
CALM = {"TICKS": 0, "INTERRUPTIONS": 0}
MUTE = {"AUDIO_OUT": 0, "SPEAKER": 0}
TEXT = {**MUTE, "TEXT_OUT": 1, "TEXTS": 1}

CHANGES: Mapping[str, Mapping[str, int]] = {
    "audio-reply": {**BRIEF, "VAD": 0},
    "text-reply": {},
    "tool-round": {**MUTE, "VAD": 0, "TICKS": 0},
    "tool-update": {"VAD": 0},
    "two-items": {**CALM, "VAD": 0, "BURST": 0},
    "message-and-call": {**CALM, "VAD": 0},
    "mcp-tools": {**CALM, "VAD": 0},
    "two-parts": {**CALM, "VAD": 0},
    "vad-turn": {**CALM, "TURNS": 1, "RESPONSES": 1, "USERS": 1, "CANCELS": 0},
    "transcription": {**CALM, "USERS": 1, "CANCELS": 0},
    "vad-keeps-on": {"TICKS": 0, "DISTURBANCES": 2, "CANCELS": 0},
    "vad-asks": {"TICKS": 0, "CANCELS": 0},
    "manual-turn": {**CALM, "TRANSCRIPTION": 0, "CANCELS": 0},
    "idle-timeout": {**CALM, "TRANSCRIPTION": 0},
    "race": {"TICKS": 0, "DISTURBANCES": 1},
    "aside": CALM,
    "updates": {**CALM, "VAD": 0, "PLACES": 0},
    "hand-over": {**CALM, "VAD": 0, "RESPONSES": 1, "CANCELS": 0},
    "pause": {"TICKS": 0, "AUDIO": 1, "CANCELS": 0, "DELETES": 0},
    "reconnection": {**TEXT, "VAD": 0, "UPDATES": 1, "DELETES": 1},
}
"""What makes each scope small, and leaves in it what it is about."""

ASSUMING: Mapping[str, Mapping[str, int]] = {
    "late deltas": {"VAD": 0, "SPEAKER": 0, "LATE_DELTAS": 1},
    "cancel hits next": {
        **TEXT, "RESPONSES": 2, "TURNS": 2, "TRUNCATES": 0, "DELETES": 0, "CANCEL_HITS_NEXT": 1,
    },
    "silent expiry": {**TEXT, "VAD": 0, "EXPIRIES": 1, "SILENT_EXPIRY": 1},
    "conversation created": {**TEXT, **CALM, "VAD": 0, "CONVERSATION_CREATED": 1},
    "no item done": {**TEXT, "ITEM_DONE": 0, "USER_DONE": 0, "CREATED_DONE": 0},
    "limits early": {**TEXT, "VAD": 0, "RATE_LIMITS": 1, "LIMITS_EARLY": 1},
    "sideband": {"VAD": 0, "SPEAKER": 0, "TRUNCATES": 0, "DELETES": 0, "SIDEBAND": 1},
    "sideband lost": {
        **CALM, "VAD": 0, "SPEAKER": 0, "TRUNCATES": 0, "DELETES": 0, "SIDEBAND": 1,
        "SOCKETS": 2, "DROPS": 1,
    },
    "early turn": {
        **TEXT, "TURNS": 2, "RESPONSES": 2, "TRACK_USERS": 1, "USERS": 2, "TICKS": 0,
        "TRUNCATES": 0, "DELETES": 0, "EARLY_ITEM": 1, "EARLY_RESPONSE": 1, "CUT_UNCLOSED": 1,
    },
    "early turn lost": {
        **TEXT, **CALM, "EARLY_ITEM": 1, "EARLY_RESPONSE": 1, "USER_DONE": 0, "SOCKETS": 2,
        "DROPS": 1, "CANCELS": 0, "TRUNCATES": 0, "DELETES": 0,
    },
    "unclosed": {"TRUNCATES": 1, "DELETES": 1, "CUT_UNCLOSED": 1, "TICKS": 0},
    "unclosed call": {
        **CALM, "CALL_OUT": 1, "CALLS_FROM": 2, "OUTPUTS": 2, "BURST": 0, "INDEXES": 0,
        "CUT_UNCLOSED": 1, "CANCELS": 0, "SPEAKER": 0,
    },
    "repeated": {
        **TEXT, **CALM, "EARLY_ITEM": 1, "TRANSCRIPTION": 1, "EARLY_ASR": 1, "ASR": 2,
        "TRACK_USERS": 1, "INTERIMS": 1, "CANCELS": 0,
    },
    "transcript first": {"VAD": 0, "TRANSCRIPT_FIRST": 1},
    "replayed": {**TEXT, **CALM, "VAD": 0, "REPLAYS": 1, "CREATES": 2, "CONTEXTS": 1},
}  # fmt: skip
"""Small scopes with an answer to what the sources leave open, or a dialect leaves out."""

QUIET = {**TEXT, "VAD": 0, "CANCELS": 0, "TRUNCATES": 0, "DELETES": 0}
LAWLESS: Mapping[str, Mapping[str, int]] = {
    "messages": {"VAD": 0, "SPEAKER": 0, "VOICES": 1, "CANCELS": 0, "DELETES": 2},
    "creations": {**QUIET, "DELETES": 1, "CREATES": 1, "CONTEXTS": 1},
    "outputs": {**QUIET, "TEXT_OUT": 0, "CALL_OUT": 1, "CALLS_FROM": 1, "DELETES": 1},
    "created anew": {
        **QUIET, "TEXT_OUT": 0, "CALL_OUT": 1, "CALLS_FROM": 1, "DELETES": 1, "ANEW": 1,
    },
    "retrievals": {**QUIET, "DELETES": 1, "RETRIEVES": 1},
    "commits": {**QUIET, "TRACK_BUFFER": 1, "COMMITS": 1, "CLEARS": 1, "CLEARINGS": 1},
    "put back": {**QUIET, "SOCKETS": 2, "DROPS": 1, "REPEATS": 1},
    "put back unseen": {**QUIET, "SOCKETS": 2, "DROPS": 1, "REPEATS": 1, "DUPLICATES": 1},
    "put back twice": {**QUIET, "SOCKETS": 2, "DROPS": 1, "REPEATS": 1, "DUPLICATES": 2},
}  # fmt: skip
"""Small scopes for a client that does whatever is possible; each with another kind of message."""

DEFECTS: Mapping[tuple[str, str], str] = {}
"""Laws that the rules break, by scope."""


def small(name: str) -> Scope:
    """A scope, made small, or one under an assumption."""
    if name in ASSUMING:
        return audio_reply(**{**BRIEF, **ASSUMING[name]})
    return rebounded(SCOPES[name], CHANGES[name])


@cache
def graph(name: str) -> Graph:
    """The graph of a small scope."""
    return enumerate_graph(Machine(small(name).bounds))


def without_law() -> Iterator[tuple[str, Graph]]:
    """What clients that know no law can do."""
    for name, changes in LAWLESS.items():
        yield name, lawless(Machine(audio_reply(**{**BRIEF, **changes}).bounds), 20_000)


@cache
def report() -> tuple[Row, ...]:
    """Everything about the small scopes, and those under assumptions."""
    return tuple(evaluate((name, graph(name)) for name in (*CHANGES, *ASSUMING)))


@cache
def lawless_report() -> tuple[Row, ...]:
    """What holds of everybody else, and what happens, whatever the client does."""
    laws = [law for law in (*ALWAYS, *SOMETIMES) if law.of != "client" or law in SOMETIMES]
    return tuple(evaluate(without_law(), laws))


def violations(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Every law that is broken, by scope and id, with the way there."""
    return {
        (row.scope, row.id): " > ".join(row.verdict.path)
        for row in rows
        if row.outcome == "violated" and row.verdict is not None
    }


def broken(name: str, law: str, rules: Sequence[Rule]) -> Verdict:
    """The verdict on a law in a small scope under other rules."""
    found = find(law)
    faulty = enumerate_graph(Machine(small(name).bounds, rules), 60_000)
    if found.kind == "leads-to":
        return check_eventually(quotient(faulty), found)
    return check_always(faulty, found)


def edited(
    clause: str,
    then: Mapping[str, str] | None = None,
    rules: Sequence[Rule] = RULES,
    **changes: Any,
) -> tuple[Rule, ...]:
    """The rules with one of them changed; what `then` does not name keeps its effect."""
    assert clause in {rule.id for rule in rules}
    return tuple(
        attrs.evolve(rule, then={**rule.then, **(then or {})}, **changes)
        if rule.id == clause
        else rule
        for rule in rules
    )


def dropped(*clauses: str) -> tuple[Rule, ...]:
    """The rules without some."""
    assert set(clauses) <= {rule.id for rule in RULES}
    return tuple(rule for rule in RULES if rule.id not in clauses)


def planted(
    when: str, then: Mapping[str, str], rules: Sequence[Rule] = RULES, slots: str = "OUTS"
) -> tuple[Rule, ...]:
    """The rules and one more, of a faulty server; its slot is `m`."""
    fault = Rule(
        id="server.planted",
        actor="server",
        event="",
        why="A fault.",
        source="this test",
        confidence="inferred",
        over={"m": slots},
        when=when,
        then=dict(then),
    )
    return (*rules, fault)


def walk(graph: Graph, path: Sequence[str]) -> State:
    """The state that a path leads to, found by its labels alone."""
    state = graph.machine.initial
    for label in path:
        rules = graph.machine.rules
        (state,) = {
            target
            for number, argument, target in graph.successors[state]
            if shown(rules[number], argument) == label
        }
    return state


# -- the model --------------------------------------------------------------------------------


def test_ids_are_unique_and_say_what_is_meant() -> None:
    """No two properties share an id, and each has a sentence and a source."""
    ids = [law.id for law in PROPERTIES]
    assert len(ids) == len(set(ids))
    assert all(law.about.endswith(".") and law.source for law in PROPERTIES)


def test_every_rule_that_is_named_exists() -> None:
    """A misspelt clause id would make a law say nothing."""
    clauses = [rule.id for rule in RULES]
    patterns = {pattern for law in PROPERTIES for pattern in (*law.rules, *law.unless)}
    patterns |= {*properties.OPTIONAL, *properties.ENDS}
    unmatched = [one for one in patterns if not any(properties.named(c, (one,)) for c in clauses)]
    assert unmatched == []


def test_no_law_is_broken_in_the_small_scopes() -> None:
    """Nothing is wrong but what is listed."""
    found = violations(report())
    assert {key: path for key, path in found.items() if key not in DEFECTS} == {}
    assert {key for key in DEFECTS if key[0] in ASSUMING} <= found.keys()


def test_every_law_says_something() -> None:
    """The premise of every law holds in some small scope."""
    assert never_looked_at(report()) == ()


def test_what_binds_others_holds_whatever_the_client_does() -> None:
    """Server, network, user and speaker keep their laws with a client that knows none."""
    assert violations(lawless_report()) == {}


def test_everything_happens_somewhere() -> None:
    """Every rule fires, every error is answered and every ending is reached."""
    shown_somewhere = {
        row.id
        for row in (*report(), *lawless_report())
        if row.kind == "sometimes" and row.outcome == "holds"
    }
    assert {law.id for law in SOMETIMES} - shown_somewhere == set()


OF_A_DIALECT = {
    "call-is-live",
    "call-sounds-once",
    "call-falls-silent",
    "early-response-waits",
    "early-item-is-of-a-turn",
    "speech-is-announced",
}


WRONGED = (
    "client.conversation.item.create.anew",
    "client.conversation.item.create.copy",
    "client.conversation.item.create.duplicate",
    "server.rejects.conversation.item.truncate.*",
    "server.rejects.conversation.item.delete",
    "server.rejects.conversation.item.retrieve",
    "server.rejects.conversation.item.create.duplicate",
    "server.rejects.conversation.item.create.previous",
    "server.rejects.conversation.item.create.call",
    "server.rejects.input_audio_buffer.commit",
)
"""What happens only with a client that does wrong."""
ASSUMED = (
    "server.conversation.created",
    "network.closes.unannounced",
    "server.keeps.response.cancel",
    "server.late.delta",
    "server.ignores.conversation.item.create.duplicate",
    "server.output_audio_buffer.*",
    "server.conversation.item.added.speech",
    "server.conversation.item.added.replayed",
    "server.conversation.item.input_audio_transcription.completed.so_far",
    "server.response.created.early",
    "server.response.output_audio_transcript.done.first",
    "server.response.output_audio.done.last",
    "user.barges_in.unclosed",
    "server.input_audio_buffer.speech_started.unclosed",
)
"""What happens only under an assumption."""


def shown_by_no_scope(rows: Sequence[Row]) -> set[str]:
    """Rules that never fire in a report; and whatever else does not happen, unless they are why."""
    missing = [row.id for row in rows if row.kind == "sometimes" and row.outcome != "holds"]
    silent = {clause for clause in missing if clause.startswith("fires.")}
    rest = {
        clause
        for clause in missing
        if clause not in silent and not {f"fires.{rule}" for rule in find(clause).rules} & silent
    }
    return {clause.removeprefix("fires.") for clause in silent} | rest


@pytest.mark.slow  # 770,000 states
def test_the_laws_in_all_scopes() -> None:
    """What is listed is broken, and nothing else; every law says something.

    A correct client sees every rule fire, every error and every ending, but what is listed.
    """
    rows = evaluate(
        (name, enumerate_graph(Machine(scope.bounds))) for name, scope in SCOPES.items()
    )
    assert violations(rows).keys() == {key for key in DEFECTS if key[0] in SCOPES}
    assert set(never_looked_at(rows)) == OF_A_DIALECT
    elsewhere = {rule.id for rule in RULES if properties.named(rule.id, (*WRONGED, *ASSUMED))}
    assert shown_by_no_scope(rows) == elsewhere


# -- faults -----------------------------------------------------------------------------------

R = "m // OUTPUTS"
TEXT_DELTA = {"text[m]": "text[m] + 1"}
CAPTURE, TRUNCATE = "client.speaker.capture", "client.conversation.item.truncate"
PLAYS = "segment[m] in (open, flushed) and played[m] < DELTA * captured[m]"
CAPTURES = "SPEAKER == 1 and captured[m] < audio[m] and segment[m] in (none, open)"

FAULTS: Mapping[str, tuple[str, tuple[Rule, ...]]] = {
    "one-response": (
        "vad-keeps-on",
        edited("server.response.created.turn", when="turn == due and begun == r"),
    ),
    "created-when-free": (
        "vad-keeps-on",
        edited("server.response.created.turn", when="turn == due and begun == r"),
    ),
    "slots-in-order": (
        "text-reply",
        edited("server.response.created.requested", {"begun": "r"}),
    ),
    "done-closes-items": (
        "text-reply",
        edited("server.response.done", when="response[r] == active and opened[r] > 0"),
    ),
    "done-is-last": (
        "text-reply",
        planted(f"response[{R}] == done and text[m] < TEXTS", TEXT_DELTA),
    ),
    "unused-is-empty": (
        "text-reply",
        planted(f"response[{R}] == unused and connection == ready", {"kind[m]": "text"}),
    ),
    "begins-uncut": ("vad-keeps-on", planted("turn == due", {f"cut[{R}]": "1"})),
    "output-goes-forward": (
        "text-reply",
        planted("output[m] == part_done", {"output[m]": "listed"}),
    ),
    "no-delta-after-done": (
        "text-reply",
        planted("output[m] == part_done and text[m] < TEXTS", TEXT_DELTA),
    ),
    "no-delta-before-part": (
        "text-reply",
        planted("output[m] == listed and text[m] < TEXTS", TEXT_DELTA),
    ),
    "cut-sends-no-more": (
        "text-reply",
        edited(
            "server.response.output_text.delta", when="output[m] == streaming and text[m] < TEXTS"
        ),
    ),
    "ending-is-final": ("text-reply", edited("server.response.done", {"ending[r]": "completed"})),
    "completed-is-whole": (
        "text-reply",
        edited("server.response.output_text.done", when="output[m] == streaming"),
    ),
    "oob-is-not-cut": (
        "aside",
        planted(f"oob[{R}] == 1 and ending[{R}] == running", {f"ending[{R}]": "turn_detected"}),
    ),
    "oob-adds-nothing": (
        "aside",
        planted(f"oob[{R}] == 1 and output[m] == opened", {"item[m]": "present"}),
    ),
    "requests-are-counted": (
        "text-reply",
        edited("server.reads.response.create", {"pending": "0"}),
    ),
    "pending-is-requested": (
        "text-reply",
        edited("client.response.create", {"requested": "requested"}),
    ),
    "updates-are-counted": (
        "text-reply",
        edited("server.session.updated", {"updates": "updates"}),
    ),
    "withdrawn-is-recalled": (
        "text-reply",
        edited("client.response.create", {"recalled": "recalled"}, within="True"),
    ),
    "recalled-begins-cut": (
        "text-reply",
        edited("server.response.created.requested", {"cut[r]": "0"}),
    ),
    "cut-has-a-cause": (
        "hand-over",
        edited("app.hand_over", {"cut[*]": "1 if response[i] == active else this"}),
    ),
    "cancel-once": ("text-reply", edited("client.response.cancel", permitted="True")),
    "cancel-by-id-once": (
        "race",
        edited("client.response.cancel.one", permitted="True", within="CANCEL_BY_ID == 1"),
    ),
    "request-waits": ("race", edited("client.response.create", permitted="True")),
    "commit-has-sound": (
        "manual-turn",
        edited("client.input_audio_buffer.commit", permitted="buffer == enough"),
    ),
    "socket-is-empty": ("reconnection", edited("network.drops", {"item[*]": "this"})),
    "closed-sends-nothing": (
        "reconnection",
        edited("network.drops", clears=False),
    ),
    "deleted-stays-deleted": (
        "audio-reply",
        planted("item[m] == deleted", {"item[m]": "present"}),
    ),
    "deleted-is-not-listed": (
        "audio-reply",
        edited("server.conversation.item.added.reply", when="output[m] == opened"),
    ),
    "deleted-is-not-named": (
        "audio-reply",
        edited(TRUNCATE, permitted="0 < argument and argument <= audio[m]", within="True"),
    ),
    "deletion-is-minded": ("audio-reply", edited(TRUNCATE, within=f"cut[{R}] == 1")),
    "place-is-known": (
        "updates",
        edited("client.conversation.item.create", permitted="True", within="context > 0"),
    ),
    "truncate-is-accepted": (
        "audio-reply",
        edited(TRUNCATE, permitted="True", within=f"cut[{R}] == 1"),
    ),
    "delete-is-accepted": (
        "reconnection",
        edited("client.conversation.item.delete", permitted="True", within="True"),
    ),
    "known-or-remembered": (
        "reconnection",
        planted("memory[m] == 1", {"item[m]": "present"}),
    ),
    "added-then-done": (
        "vad-asks",
        edited("server.conversation.item.added.user", {"entry[0]": "1"}),
    ),
    "waits-for-a-socket": ("reconnection", edited("clock.passes", when="waits < WAITS")),
    "waits-in-a-session": (
        "vad-turn",
        edited("server.conversation.item.done.user", {"unanswered": "1"}),
    ),
    "transcribed-once": (
        "vad-turn",
        planted("heard[m] == 1 and connection == ready", {"asr[m]": "1"}, slots="USERS"),
    ),
    "only-calls-run": ("tool-round", planted("kind[m] == none", {"tool[m]": "running"})),
    "call-is-complete": (
        "tool-round",
        edited("client.call", when="kind[m] == call and tool[m] == none", within="True"),
    ),
    "call-runs-once": ("tool-round", planted("tool[m] == returned", {"tool[m]": "running"})),
    "call-is-answered-once": (
        "tool-round",
        planted(
            "tool[m] == answered and unknown < MISSING",
            {"tool[m]": "returned", "unknown": "unknown + 1"},
        ),
    ),
    "cut-call-asks-no-more": (
        "tool-round",
        edited(
            "client.conversation.item.create.output",
            {"asked": "yes if begun < RESPONSES else asked"},
        ),
    ),
    "captured-was-sent": (
        "audio-reply",
        edited(CAPTURE, when="SPEAKER == 1 and captured[m] < AUDIO and output[m] == streaming"),
    ),
    "played-was-captured": (
        "audio-reply",
        edited(
            "speaker.play",
            {"played[m]": "played[m] + 1"},
            when="output[m] == streaming and played[m] < LENGTH",
        ),
    ),
    "cut-is-not-captured": ("audio-reply", edited(CAPTURE, when=CAPTURES)),
    "cut-stays-cut": ("audio-reply", planted(f"cut[{R}] == 1", {f"cut[{R}]": "0"})),
    "one-segment-open": ("two-items", edited(CAPTURE, when=CAPTURES, within="True")),
    "segment-has-audio": (
        "audio-reply",
        planted("segment[m] == none and output[m] == streaming", {"segment[m]": "open"}),
    ),
    "silent-once-stopped": (
        "audio-reply",
        planted("segment[m] == cleared and played[m] < LENGTH", {"played[m]": "played[m] + 1"}),
    ),
    "finished-once": ("audio-reply", planted("segment[m] == finished", {"segment[m]": "flushed"})),
    "heard-in-order": (
        "two-items",
        edited("speaker.play", when=PLAYS, rules=edited(CAPTURE, when=CAPTURES, within="True")),
    ),
    "only-cut-is-dropped": (
        "audio-reply",
        edited("client.speaker.clear", when="True", within="True"),
    ),
    "silent-while-paused": ("pause", edited("speaker.play", when=PLAYS)),
    "call-is-live": (
        "sideband",
        edited(
            "server.output_audio_buffer.started",
            when=f"sounding[m] == no and response[{R}] == unused and connection == ready",
        ),
    ),
    "call-sounds-once": (
        "sideband",
        planted("sounding[m] == ended", {"sounding[m]": "started"}),
    ),
    "early-response-waits": (
        "early turn",
        edited(
            "server.response.output_item.added.text",
            when=f"response[{R}] == active and opened[{R}] == 0",
        ),
    ),
    "early-item-is-of-a-turn": (
        "early turn",
        edited("server.input_audio_buffer.committed", {"entered": "entered"}),
    ),
    "response-ends": ("text-reply", dropped("server.response.done")),
    "request-is-begun": ("text-reply", dropped("server.response.created.requested")),
    "requests-are-answered": ("text-reply", dropped("server.reads.response.create")),
    "inbox-is-read": ("text-reply", dropped("server.session.updated")),
    "reply-is-requested": ("text-reply", dropped("client.response.create")),
    "change-is-sent": ("updates", dropped("client.session.update")),
    "context-is-sent": ("updates", dropped("client.conversation.item.create")),
    "creation-is-answered": ("updates", dropped("server.conversation.item.added.created")),
    "added-is-done": ("vad-asks", dropped("server.conversation.item.done.user")),
    "speech-is-announced": (
        "unclosed",
        dropped("server.input_audio_buffer.speech_started.unclosed"),
    ),
    "turn-is-committed": ("vad-asks", dropped("server.input_audio_buffer.committed")),
    "turn-is-answered": ("vad-keeps-on", dropped("server.response.created.turn")),
    "turn-is-asked-for": ("vad-asks", dropped("app.answers_turn")),
    "turn-is-transcribed": (
        "vad-turn",
        dropped(
            "server.conversation.item.input_audio_transcription.completed",
            "server.conversation.item.input_audio_transcription.failed",
        ),
    ),
    "commit-is-answered": ("manual-turn", dropped("server.input_audio_buffer.committed.manual")),
    "segment-is-finished": ("audio-reply", dropped("speaker.drained")),
    "cut-is-silenced": ("audio-reply", dropped("client.speaker.clear", "speaker.drained")),
    "call-falls-silent": (
        "sideband",
        dropped("server.output_audio_buffer.stopped", "server.output_audio_buffer.cleared"),
    ),
    "function-ends": ("tool-round", dropped("app.tool.returns")),
    "call-is-answered": ("tool-round", dropped("client.conversation.item.create.output")),
    "tools-are-listed": (
        "mcp-tools",
        dropped("server.mcp_list_tools.completed", "server.mcp_list_tools.failed"),
    ),
    "session-begins": ("text-reply", dropped("server.session.created")),
    "expired-is-closed": ("reconnection", dropped("network.closes", "client.close")),
    "leaving-is-left": ("hand-over", dropped("client.close")),
}
"""For every law a small scope, and rules that break it there."""

QUICK = ("one-response", "truncate-is-accepted", "no-delta-after-done", "response-ends")
"""One of each kind."""


def test_there_is_a_fault_for_every_law() -> None:
    """No law is left without rules that break it."""
    assert list(FAULTS) == [law.id for law in (*ALWAYS, *EVENTUALLY)]


@pytest.mark.parametrize(
    "law",
    [
        # a machine and a graph for each take half a minute
        pytest.param(law, marks=() if law in QUICK else pytest.mark.slow)
        for law in FAULTS
    ],
)
def test_the_fault_is_noticed(law: str) -> None:
    """The law is broken by the fault, and not without; the way there can be walked."""
    name, rules = FAULTS[law]
    before = {row.outcome for row in report() if (row.scope, row.id) == (name, law)}
    assert "violated" not in before or (name, law) in DEFECTS
    found = broken(name, law, rules)
    assert found.outcome == "violated"
    assert not found.holds
    faulty = enumerate_graph(Machine(small(name).bounds, rules))
    assert walk(faulty, found.path) == found.state


def test_what_does_not_happen_is_missed() -> None:
    """A rule that is left out does not fire, and its ending is not reached."""
    rules = dropped("server.gives.up.failed")
    without = enumerate_graph(Machine(small("text-reply").bounds, rules))
    laws = [find("ends.failed"), find("fires.server.gives.up.failed"), find("ends.completed")]
    assert [row.outcome for row in evaluate([("faulty", without)], laws)] == [
        "violated",
        "violated",
        "holds",
    ]
    assert "server.gives.up.failed" in unfired([without])
    assert "server.gives.up.failed" not in unfired([without, graph("text-reply")])


# -- always -----------------------------------------------------------------------------------


def law(**parts: object) -> Property:
    """A property of this test."""
    about = {"id": "test", "kind": "invariant", "of": "server", "about": "A test.", "source": "-"}
    return Property(**{**about, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "says_nothing",
    [
        law(given="speech == speaking and turn == none", holds="False"),
        law(kind="stable", given="begun > 0 and turns == 0", holds="begun"),
        law(kind="precondition", rules=("no.such.rule",), holds="False"),
        law(kind="leads-to", given="begun > 0 and asked == 1 and asked == 0", holds="False"),
    ],
    ids=lambda law: law.kind,
)
def test_a_law_without_a_premise_is_vacuous(says_nothing: Property) -> None:
    """What says nothing has not passed."""
    (row,) = evaluate([("text-reply", graph("text-reply"))], [says_nothing])
    assert (row.outcome, row.premise) == ("vacuous", 0)
    assert row.verdict is not None
    assert not row.verdict.holds
    assert never_looked_at([row]) == ("test",)


def test_the_premise_is_counted() -> None:
    """States for an invariant, steps for the others, each once."""
    known = graph("text-reply")
    position = known.machine.at["asked"]
    asked = [state for state in known.successors if state[position] == 1]
    steps = [edge for state in asked for edge in known.successors[state]]
    requests = [
        edge for edge in steps if known.machine.rules[edge[0]].id == "client.response.create"
    ]
    counts = [
        check_always(known, law(given="asked == 1")).premise,
        check_always(known, law(kind="stable", given="asked == 1", holds="True")).premise,
        check_always(known, law(kind="precondition", rules=("client.response.create",))).premise,
    ]
    assert counts == [len(asked), len(steps), len(requests)]
    assert min(counts) > 0


def test_the_shortest_way_is_shown() -> None:
    """The path is no longer than the shortest one in networkx."""
    known = graph("text-reply")
    found = check_always(known, law(holds="begun == 0"))
    assert found.state is not None
    wide = known.to_networkx()
    begun = known.machine.at["begun"]
    ends = [state for state in known.successors if state[begun] == 1]
    assert len(found.path) == min(
        nx.shortest_path_length(wide, known.machine.initial, state) for state in ends
    )
    assert walk(known, found.path) == found.state


def test_the_offending_step_is_the_last_of_the_path() -> None:
    """A law about steps names the step that breaks it, and where that leads."""
    known = graph("text-reply")
    found = check_always(known, law(kind="stable", given="begun == 0", holds="begun"))
    assert found.path[-1].startswith("server.response.created")
    assert walk(known, found.path) == found.state


def test_a_step_that_is_excused_is_not_looked_at() -> None:
    """`unless` takes rules out of a step law."""
    excused = law(
        kind="stable", given="begun == 0", holds="begun", unless=("server.response.created.*",)
    )
    assert check_always(graph("text-reply"), excused).holds


def test_the_argument_is_that_of_the_message() -> None:
    """Of a step that sends it is the one it sends, of one that reads the one at the head."""
    known = graph("audio-reply")
    for clause in (TRUNCATE, "server.conversation.item.truncated"):
        assert check_always(
            known, law(kind="precondition", rules=(clause,), holds="argument == 1")
        ).holds
        assert not check_always(
            known, law(kind="precondition", rules=(clause,), holds="argument == 0")
        ).holds


# -- eventually -------------------------------------------------------------------------------

REOPENS = f"output[m] == closed and response[{R}] == active"
TOGGLE = {"limits": "1 - limits"}


def eventually(rules: Sequence[Rule], law: str, **changes: int) -> Verdict:
    """The verdict on a law of the text-reply scope under other rules and bounds."""
    bounds = rebounded(small("text-reply"), changes).bounds
    return check_eventually(quotient(enumerate_graph(Machine(bounds, rules))), find(law))


def test_a_livelock_is_found() -> None:
    """A server that opens what it has closed, again and again, never comes to the end."""
    found = eventually(planted(REOPENS, {"output[m]": "item_done"}), "response-ends")
    assert found.outcome == "violated"
    assert {"server.response.output_item.done[0]", "server.planted[0]"} <= set(found.loop)


def test_a_livelock_that_a_budget_hides_is_found() -> None:
    """The graph has no cycle, since the server may do it twice; without the count it does."""
    rules = planted(
        f"{REOPENS} and troubles < TROUBLES",
        {"output[m]": "item_done", "troubles": "troubles + 1"},
    )
    bounds = rebounded(small("text-reply"), {"TROUBLES": 2}).bounds
    known = enumerate_graph(Machine(bounds, rules))
    assert len(known.topological()) == known.nodes
    found = check_eventually(quotient(known), find("response-ends"))
    assert found.outcome == "violated"
    assert {"server.response.output_item.done[0]", "server.planted[0]"} <= set(found.loop)


def test_a_server_that_toggles_for_ever_hides_no_dead_end() -> None:
    """Something always happens, and the response still never ends."""
    rules = planted("connection == ready", TOGGLE, rules=dropped("server.response.done"))
    found = eventually(rules, "response-ends")
    assert found.outcome == "violated"
    assert "server.planted[0]" in found.loop


def test_fairness_breaks_a_loop_that_is_no_livelock() -> None:
    """What toggles beside the reply does not keep it from its end, nor anything else."""
    rules = planted("connection == ready", TOGGLE)
    known = enumerate_graph(Machine(small("text-reply").bounds, rules))
    rows = {row.id: row.outcome for row in evaluate([("toggling", known)], EVENTUALLY)}
    assert set(rows.values()) == {"holds", "vacuous"}
    assert rows["response-ends"] == "holds"


def test_a_loop_that_is_excused_is_no_violation() -> None:
    """A client that sends one update after the other keeps the inbox from being empty, and may."""
    bounds = rebounded(small("text-reply"), {"CHANGES": 1, "OPTIONS": 1, "DISTURBANCES": 2}).bounds
    merged = quotient(enumerate_graph(Machine(bounds)))
    excused = find("inbox-is-read")
    assert check_eventually(merged, excused).holds
    found = check_eventually(merged, attrs.evolve(excused, unless=()))
    assert found.outcome == "violated"
    assert {"client.session.update", "server.session.updated"} <= set(found.loop)


@pytest.mark.parametrize(
    "clause", ["server.response.done", "server.session.updated", "client.response.create"]
)
def test_dead_ends_are_found_as_networkx_finds_them(clause: str) -> None:
    """A law is broken if a state where it waits leads to one with nothing fair left to do."""
    known = enumerate_graph(Machine(small("text-reply").bounds, dropped(clause)))
    machine = known.machine
    fair = {number for number, rule in enumerate(machine.rules) if is_fair(rule)}
    inbox = len(machine.fields)
    waits = {state for state in known.successors if state[inbox]}
    inside: Any = known.to_networkx().subgraph(waits)
    dead = {
        state for state in waits if not fair & {number for number, _, _ in known.successors[state]}
    }
    reached = {state for state in waits if dead & ({state} | nx.descendants(inside, state))}
    found = check_eventually(quotient(known), find("inbox-is-read"))
    assert (found.outcome == "violated") == bool(reached)


def test_the_quotient_is_the_graph_without_its_counts() -> None:
    """Classes are told apart by what is no budget, and every step is there, once."""
    known = graph("text-reply")
    merged = quotient(known)
    kept = [n for n, field in enumerate(known.machine.fields) if not field.budget]
    seen = {state: (*(state[n] for n in kept), state[-1]) for state in known.successors}
    assert len(merged.members) == len(set(seen.values())) < known.nodes
    for members in merged.members:
        assert len({seen[state] for state in members}) == 1
    concrete = {
        (merged.class_of[state], number, merged.class_of[target])
        for state, outgoing in known.successors.items()
        for number, _, target in outgoing
    }
    listed = [(n, rule, to) for n, steps in enumerate(merged.steps) for rule, to in steps]
    assert len(listed) == len(set(listed))
    assert set(listed) == concrete


def test_components_are_those_of_networkx() -> None:
    """Strongly connected, with a cycle; on graphs drawn from a seed, with loops and without."""
    draw = random.Random(7)
    for size in (0, 1, 5, 20, 60):
        for _ in range(20):
            edges = [(draw.randrange(size), draw.randrange(size)) for _ in range(2 * size)]
            onward = {n: [b for a, b in edges if a == n] for n in range(size)}
            drawn: nx.DiGraph[int] = nx.DiGraph()
            drawn.add_nodes_from(range(size))
            drawn.add_edges_from(edges)
            loops = {frozenset({a}) for a, b in edges if a == b}
            parts = map(frozenset, nx.strongly_connected_components(drawn))
            expected = {part for part in parts if len(part) > 1 or part in loops}
            assert set(components(range(size), onward.__getitem__)) == expected


def test_components_of_a_long_chain_need_no_recursion() -> None:
    """A cycle through 50,000 nodes is one component."""
    size = 50_000
    (found,) = components(range(size), lambda n: [(n + 1) % size])
    assert len(found) == size


def test_who_is_fair() -> None:
    """Disturbances are not, nor people; a client is where it owes something."""
    fair = {rule.id for rule in RULES if is_fair(rule)}
    assert {"network.open", "speaker.drained", "app.tool.returns", "client.connect"} <= fair
    unfair = {"user.barges_in", "app.generate_reply", "clock.deadline", "client.response.cancel"}
    assert not unfair & fair


# -- sometimes --------------------------------------------------------------------------------


def test_a_lawless_client_goes_everywhere() -> None:
    """Its states hold those of a correct one, and it sends what is forbidden."""
    correct = graph("audio-reply")
    wide = lawless(correct.machine, 5_000)
    assert "server.rejects.conversation.item.truncate.no_audio" in fired(wide)
    assert "server.rejects.conversation.item.truncate.no_audio" not in fired(correct)
    tiny = Machine(audio_reply(**BRIEF, **MUTE, VAD=0, INTERRUPTIONS=0).bounds)
    assert set(enumerate_graph(tiny).successors) < set(lawless(tiny, 5_000).successors)


def test_a_lawless_exploration_ends_at_its_limit() -> None:
    """No more states are expanded, and those that were met are there without steps."""
    wide = lawless(graph("audio-reply").machine, 50)
    assert sum(1 for steps in wide.successors.values() if steps) <= 50 < wide.nodes
    assert {edge[2] for steps in wide.successors.values() for edge in steps} <= set(wide.successors)


def test_steps_and_states_are_counted() -> None:
    """`shows` counts steps of rules, or states."""
    known = graph("text-reply")
    cancels = shows(known, find("fires.client.response.cancel"))
    rules = known.machine.rules
    assert cancels == sum(
        rules[number].id == "client.response.cancel"
        for steps in known.successors.values()
        for number, _, _ in steps
    )
    assert shows(known, find("ends.completed")) > 0


# -- wrong use --------------------------------------------------------------------------------


def test_an_unknown_property_raises_with_the_choices() -> None:
    """The message has what was asked for and what there is."""
    with pytest.raises(UnknownProperty, match=r"'one-respons'.*one-response, created-when-free"):
        find("one-respons")
    assert find("one-response").id == "one-response"


def test_a_property_of_another_kind_raises() -> None:
    """Each check says which kinds it takes."""
    known = graph("text-reply")
    with pytest.raises(UnknownProperty, match=r"'leads-to'; expected invariant"):
        check_always(known, find("response-ends"))
    with pytest.raises(UnknownProperty, match=r"'invariant'; expected leads-to"):
        check_eventually(quotient(known), find("one-response"))
    with pytest.raises(UnknownProperty, match=r"'invariant'; expected sometimes"):
        shows(known, find("one-response"))


def test_a_promise_about_a_budget_raises() -> None:
    """The quotient does not have it."""
    with pytest.raises(ExpressionError, match="'turns', a budget"):
        check_eventually(
            quotient(graph("text-reply")),
            law(kind="leads-to", given="turns > 0", holds="asked == 0"),
        )


def test_a_name_that_means_nothing_raises() -> None:
    """Neither in the language nor of the message at hand."""
    with pytest.raises(ExpressionError, match="'nonsense'"):
        check_always(graph("text-reply"), law(holds="nonsense == 1"))
    with pytest.raises(ExpressionError, match="'slot' means nothing in a property"):
        check_always(graph("text-reply"), law(holds="slot == 1"))
