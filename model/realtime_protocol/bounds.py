"""Scopes and profiles: which part of the protocol, how much of it, and how far it is covered.

A bound is a whole number that the rules name; 0 switches a part off. `DELTA` and `STEP` give the
lengths of one audio delta and one playout step in units of `UNIT_MS` milliseconds.

Laws:
- A scope says only where it differs from `NOTHING_BUT_AUDIO`; sizes that follow are computed.
- More of something never takes a behaviour away: from 1 on where 0 has a meaning of its own, and
  but for switches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

UNIT_MS = 100
"""Milliseconds of audio in one unit of playout."""

Cover = Literal["cover", "paths", "exhaust"]


@attrs.frozen(kw_only=True)
class Scope:
    """A part of the protocol with bounds of its own."""

    name: str
    about: str
    bounds: Mapping[str, int]


@attrs.frozen(kw_only=True)
class Profile:
    """A set of scopes and how far each is covered.

    `cover`: every step at every node by at least one way in, and the tail after each interruption
    point: every step at every node of it where the scope is `thorough`, and a few ways through it
    elsewhere.
    `paths`: every path of what nobody disturbs, each disturbance at every node of it, and the cover
    of what follows.
    `exhaust`: every path.
    """

    name: str
    about: str
    cover: Cover
    scopes: Mapping[str, Scope]
    tail_runs: int = 0
    """Runs for one tail of a thorough scope, or as many as taking every step of it needs."""
    brief_runs: int = 1
    """Runs for one tail of any other scope, at most."""
    thorough: frozenset[str] = frozenset()
    """Names of the scopes whose tails are gone step by step."""
    every_path: frozenset[str] = frozenset()
    """Names of the scopes that are covered by `paths`."""
    every_way: bool = False
    """Whether a disturbance is tried by every way into its node."""
    bursts: int = 0
    """How many server events of a run may come right behind another."""
    least: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    """Smallest bounds of a scope that may go by the name of this profile."""

    def cover_of(self, scope: str) -> Cover:
        """How far a scope is covered."""
        return "paths" if scope in self.every_path else self.cover


NOTHING_BUT_AUDIO: Mapping[str, int] = {
    # how many there are
    "TURNS": 1,  # replies that are begun
    "RESPONSES": 1,
    "OUTPUTS": 1,  # items of one response
    "LATER_OUTPUTS": 0,  # items of a response after the first; 0 for as many as of the first
    "PARTS": 1,  # content parts of one message
    "USERS": 1,  # spoken turns whose items are told apart, those that interrupt included
    "TRACK_USERS": 0,  # the user's items can be named later
    "REQUESTS": 1,  # response.create messages in flight
    # what a response holds
    "AUDIO_OUT": 1,
    "TEXT_OUT": 0,
    "CALL_OUT": 0,
    "MCP_OUT": 0,
    "CALLS_FROM": 0,  # index plus one of the first item that can be a call
    "BURST": 1,  # an item may open before the one before it is closed
    "TRANSCRIPTS": 2,
    "AUDIO": 2,
    "AUDIO_DELTAS": 1,  # audio goes over the socket
    "TEXTS": 0,
    "ARGUMENTS": 0,
    "FULL": 1,  # a message that completes has all of its deltas
    "RATE_LIMITS": 0,
    # playout
    "DELTA": 3,
    "STEP": 2,
    "SPEAKER": 1,
    "PAUSES": 0,
    "STUCK": 0,
    # the session and its turns
    "UPDATES": 4,  # session.update messages in flight
    "VOICES": 0,
    "VAD": 1,
    "CREATE_RESPONSE": 1,
    "INTERRUPT_RESPONSE": 1,
    "TRACK_BUFFER": 0,
    "COMMITS": 0,
    "CLEARS": 2,
    "CLEARINGS": 0,
    "NUDGES": 0,
    "TRANSCRIPTION": 0,
    "EARLY_ASR": 0,
    "SEGMENTS": 0,
    "DEAF": 0,
    "ASR": 0,
    # what the client may send, beyond what it needs
    "CANCELS": 4,
    "TRIES": 1,
    "CANCEL_BY_ID": 0,
    "TRUNCATES": 2,
    "DELETES": 2,
    "RETRIEVES": 0,
    "CREATES": 0,
    "PLACES": 0,  # largest place of an item that the graph holds
    "ANEW": 0,  # items that the client deletes and creates anew; a call also under another id
    "REPEATS": 0,  # a client that does wrong may create an item under an id that one has
    "ASIDES": 0,
    # disturbances
    "DISTURBANCES": 1,
    "INTERRUPTIONS": 1,
    "TICKS": 1,
    "WAITS": 0,
    "HANDLES": 0,
    "AGAIN": 0,
    "CONTEXTS": 0,
    "REMOVALS": 0,
    "CHANGES": 0,
    "TOOLS": 0,
    "OPTIONS": 0,
    "HANDOVERS": 0,
    "CLOSES": 0,
    "MISSING": 0,
    "RAISES": 0,
    "HANGS": 0,
    # faults
    "SOCKETS": 1,
    "DROPS": 0,
    "REFUSALS": 0,
    "EXPIRIES": 0,
    "ROTATIONS": 0,
    "FATALS": 0,
    "TROUBLES": 0,
    "FAILURES": 0,
    "REFUSED": 0,
    "RECORDED": 0,  # a recording is read: the app is not seen, and the user may speak at any time
    # answers to what the sources leave open; see `assumptions`
    "CONVERSATION_CREATED": 0,
    "SILENT_EXPIRY": 0,
    "CANCEL_HITS_NEXT": 0,
    "LATE_DELTAS": 0,
    "DUPLICATES": 0,
    "ITEM_DONE": 1,  # conversation.item.done is sent of what a response produces,
    "USER_DONE": 1,  # of what the user said,
    "CREATED_DONE": 1,  # and of what the client creates
    "LIMITS_EARLY": 0,  # rate_limits.updated follows response.created
    "PART_TEXT": 1,  # content_part.done says the text of a text message
    "SIDEBAND": 0,  # the audio goes another way, and its playout is told of
    "REPLAYS": 0,  # items of an earlier session enter the conversation before session.updated
    "EARLY_ITEM": 0,  # a spoken item is added behind speech_started
    "INTERIMS": 0,  # a transcription has no deltas, and is completed again and again
    "EARLY_RESPONSE": 0,  # the response of a turn may be created while the turn is heard
    "CUT_UNCLOSED": 0,  # speech ends a response before it is announced, and nothing is closed
    "TRANSCRIPT_FIRST": 0,  # an audio message closes its transcript, its part, and then its audio
    "INDEXES": 1,  # items of one response are told apart by output_index
    "CALLS_PLACED": 1,  # conversation.item.added of a call and of its output says what is before it
    "CONTENTS": 1,  # events of a message and of arguments repeat its content and its index
    "DETAILS": 1,  # status_details say why a response ended
}

MINIMA = {
    "TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1, "TURNS": 1, "RESPONSES": 1,
    "OUTPUTS": 1, "PARTS": 1, "SOCKETS": 1, "REQUESTS": 1,
}  # fmt: skip
SWITCHES = (
    "AUDIO_OUT", "TEXT_OUT", "CALL_OUT", "MCP_OUT", "BURST", "FULL", "RATE_LIMITS", "SPEAKER",
    "STUCK", "VOICES", "VAD", "CREATE_RESPONSE", "INTERRUPT_RESPONSE", "TRACK_BUFFER",
    "TRACK_USERS", "TRANSCRIPTION", "EARLY_ASR", "SEGMENTS", "DEAF", "CANCEL_BY_ID", "HANDLES",
    "AGAIN", "CONTEXTS", "REMOVALS", "CHANGES", "TOOLS", "OPTIONS", "HANDOVERS", "CLOSES", "FATALS",
    "CLEARINGS",
    "CONVERSATION_CREATED", "SILENT_EXPIRY", "CANCEL_HITS_NEXT", "LATE_DELTAS", "ITEM_DONE",
    "USER_DONE", "CREATED_DONE", "LIMITS_EARLY", "PART_TEXT", "AUDIO_DELTAS", "SIDEBAND",
    "RECORDED", "REPEATS", "REPLAYS", "EARLY_ITEM", "INTERIMS", "EARLY_RESPONSE",
    "CUT_UNCLOSED", "TRANSCRIPT_FIRST", "INDEXES", "CALLS_PLACED", "CONTENTS", "DETAILS",
)  # fmt: skip
"""Bounds that only say whether there is something."""
MAXIMA = {**dict.fromkeys(SWITCHES, 1), "DUPLICATES": 2}


def sizes(bounds: Mapping[str, int]) -> dict[str, int]:
    """What follows from the bounds: numbers of slots, and where each kind of item begins."""
    outs = bounds["RESPONSES"] * bounds["OUTPUTS"]
    made = outs + bounds["USERS"] + bounds["NUDGES"]
    answer = made + bounds["CREATES"]
    answers = outs if bounds["CALL_OUT"] else 0
    copies = answers if bounds["ANEW"] else 0
    return {
        "LENGTH": bounds["DELTA"] * bounds["AUDIO"],
        "WORDS": max(bounds["TEXTS"], bounds["ARGUMENTS"]),
        "OUTS": outs,
        "MADE": made,
        "ANSWER": answer,
        "ANSWERS": answers,
        "COPY": answer + answers,
        "COPIES": copies,
        "ITEMS": answer + answers + copies,
    }


def scope(name: str, about: str, **changes: int) -> Scope:
    """A scope that differs from `NOTHING_BUT_AUDIO` in `changes`.

    Raises:
        ValueError: an unknown bound, or one that is too small or too large.
    """
    return rebounded(Scope(name=name, about=about, bounds=NOTHING_BUT_AUDIO), changes)


def rebounded(scope: Scope, changes: Mapping[str, int]) -> Scope:
    """A scope with some bounds changed.

    Raises:
        ValueError: an unknown bound, or one that is too small or too large.
    """
    unknown = sorted(set(changes) - set(NOTHING_BUT_AUDIO))
    if unknown:
        expected = ", ".join(NOTHING_BUT_AUDIO)
        raise ValueError(f"unknown bound {unknown[0]!r}; expected one of {expected}")
    bounds = {**scope.bounds, **changes}
    if "RESPONSES" not in changes:
        bounds["RESPONSES"] = max(bounds["RESPONSES"], bounds["TURNS"])  # one for each reply
    for name in NOTHING_BUT_AUDIO:
        least, value = MINIMA.get(name, 0), bounds[name]
        if value < least:
            raise ValueError(f"bound {name} must be at least {least}, got {value}")
        if value > MAXIMA.get(name, value):
            raise ValueError(f"bound {name} must be at most {MAXIMA[name]}, got {value}")
    return attrs.evolve(scope, bounds={**bounds, **sizes(bounds)})


def audio_reply(**changes: int) -> Scope:
    """The audio-reply scope under bounds of one's own.

    Raises:
        ValueError: an unknown bound, or one that is too small or too large.
    """
    return scope(
        "audio-reply",
        "one reply with an audio message, begun by the app or by a user turn, and interrupted",
        **changes,
    )


BRIEF = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1}
"""One of everything, for scopes that are about something else than the message."""

TEXT = {**BRIEF, "AUDIO_OUT": 0, "TEXT_OUT": 1, "TEXTS": 1, "SPEAKER": 0}
"""Messages of text, which nobody plays."""

_SCOPES = (
    audio_reply(),
    scope(
        "muted-reply",
        "the same reply to an agent without audio output, as where an app shows transcripts",
        SPEAKER=0,
    ),
    scope(
        "text-reply",
        "one reply of text, interrupted, failed or left incomplete",
        **{**TEXT, "TEXTS": 2, "RATE_LIMITS": 1, "FAILURES": 1, "HANDLES": 1},
    ),
    scope(
        "tool-round",
        "a function call, carried out by the app, answered, and the reply to that",
        **{
            **BRIEF,
            "RESPONSES": 2,
            "CALL_OUT": 1,
            "ARGUMENTS": 1,
            "TEXTS": 1,
            "RAISES": 1,
            "HANGS": 1,
            "MISSING": 1,
            "REFUSED": 1,
        },
    ),
    scope(
        "tool-update",
        "the app changes the context while a function is called or runs",
        **{
            **TEXT,
            "RESPONSES": 2,
            "CALL_OUT": 1,
            "ANEW": 2,
            "ARGUMENTS": 1,
            "CONTEXTS": 1,
            "CREATES": 1,
            "PLACES": 1,
            "TRACK_USERS": 1,
            "INTERRUPTIONS": 0,
            "TICKS": 0,
        },
    ),
    scope(
        "two-items",
        "one response with two spoken messages, closed in both orders",
        **{**BRIEF, "OUTPUTS": 2, "TICKS": 0},
    ),
    scope(
        "message-and-call",
        "one response with a message and a function call behind it",
        **{
            **TEXT,
            "RESPONSES": 2,
            "OUTPUTS": 2,
            "LATER_OUTPUTS": 1,
            "CALL_OUT": 1,
            "CALLS_FROM": 2,
            "ARGUMENTS": 1,
            "TICKS": 0,
        },
    ),
    scope(
        "mcp-tools",
        "tools of an MCP server, which the server lists and calls itself, beside a function call",
        **{
            **TEXT,
            "RESPONSES": 2,
            "CALL_OUT": 1,
            "MCP_OUT": 1,
            "ARGUMENTS": 1,
            "DISTURBANCES": 0,  # the order is not recorded; disturbed it has 13 times as many nodes
        },
    ),
    scope("two-parts", "one message of two content parts", **{**TEXT, "PARTS": 2}),
    scope(
        "vad-turn",
        "spoken turns, transcribed while a reply to them is made, and interrupted",
        **{
            **TEXT,
            "TURNS": 2,
            "RESPONSES": 2,
            "USERS": 2,
            "TRACK_USERS": 1,
            "TRANSCRIPTION": 1,
            "ASR": 1,
            "REFUSED": 1,
            "TICKS": 0,
            "DISTURBANCES": 2,  # the turn of a barge-in, and the refusal of its reply
        },
    ),
    scope(
        "transcription",
        "the transcript of a spoken turn, early, in pieces, or failed, beside the reply to it",
        **{
            **TEXT,
            "USERS": 2,
            "TRACK_USERS": 1,
            "TRANSCRIPTION": 1,
            "EARLY_ASR": 1,
            "SEGMENTS": 1,
            "DEAF": 1,
            "ASR": 2,
        },
    ),
    scope(
        "vad-keeps-on",
        "turn detection that does not interrupt: a turn may end while a response is active",
        **{
            **TEXT,
            "TURNS": 2,
            "RESPONSES": 2,
            "USERS": 3,
            "TRACK_USERS": 1,
            "INTERRUPT_RESPONSE": 0,
            "REFUSED": 1,
            "DISTURBANCES": 2,  # the turn of a barge-in, and the refusal of its reply
        },
    ),
    scope(
        "vad-asks",
        "turn detection that creates no response: the client asks for each",
        **{
            **TEXT,
            "TURNS": 2,
            "RESPONSES": 2,
            "USERS": 3,
            "TRACK_USERS": 1,
            "AGAIN": 1,
            "CREATE_RESPONSE": 0,
        },
    ),
    scope(
        "manual-turn",
        "turns taken by hand: append, commit, clear",
        **{
            **TEXT,
            "VAD": 0,
            "TRACK_BUFFER": 1,
            "COMMITS": 1,
            "CLEARINGS": 1,
            "TRACK_USERS": 1,
            "USERS": 1,
            "TRANSCRIPTION": 1,
            "ASR": 1,
            "DEAF": 1,
            "SPEAKER": 0,
        },
    ),
    scope(
        "idle-timeout",
        "nobody speaks: the server takes a turn for the user",
        **{
            **TEXT,
            "TURNS": 2,
            "RESPONSES": 2,
            "USERS": 3,
            "TRACK_USERS": 1,
            "NUDGES": 1,
            "TRANSCRIPTION": 1,
            "ASR": 1,
        },
    ),
    scope(
        "race",
        "a reply that the app asks for while another is under way, and cancels by id",
        **{
            **TEXT,
            "RESPONSES": 2,
            "REQUESTS": 2,
            "AGAIN": 1,
            "CANCEL_BY_ID": 1,
            "TRIES": 2,
            "REFUSED": 1,
            "DISTURBANCES": 2,
            "USERS": 2,
            "TRACK_USERS": 1,
        },
    ),
    scope(
        "aside",
        "a response outside of the default conversation beside a reply",
        **{**TEXT, "RESPONSES": 2, "ASIDES": 1, "CANCEL_BY_ID": 1},
    ),
    scope(
        "updates",
        "what the app changes while a reply is under way: context, instructions, tools, options",
        **{
            **TEXT,
            "VOICES": 1,
            "CREATES": 2,
            "PLACES": 1,
            "REPEATS": 1,
            "CONTEXTS": 1,
            "REMOVALS": 1,
            "CHANGES": 1,
            "TOOLS": 1,
            "OPTIONS": 1,
            "RETRIEVES": 1,
            "REFUSED": 1,
            "TRACK_USERS": 1,
            "USERS": 2,
        },
    ),
    scope(
        "hand-over",
        "another agent takes over, or the session is closed, while a reply is heard",
        **{
            **BRIEF,
            "VOICES": 1,
            "CHANGES": 1,
            "HANDOVERS": 1,
            "TRACK_USERS": 1,
            "USERS": 2,
            "CREATES": 1,
            "CLOSES": 1,
            "RESPONSES": 2,
            "AGAIN": 1,
            "TICKS": 0,
        },
    ),
    scope(
        "pause",
        "an interruption that may be a false one, and a speaker that never reports",
        **{**BRIEF, "AUDIO": 2, "PAUSES": 1, "STUCK": 1},
    ),
    scope(
        "reconnection",
        "the socket drops, is refused, expires, or is rotated, and the conversation is put back",
        **{
            **BRIEF,
            "SOCKETS": 2,
            "WAITS": 2,
            "REPEATS": 1,
            "DROPS": 1,
            "REFUSALS": 1,
            "EXPIRIES": 1,
            "ROTATIONS": 1,
            "FATALS": 1,
            "TROUBLES": 1,
            "TRACK_USERS": 1,
            "USERS": 2,
            "TICKS": 0,
        },
    ),
)
SCOPES: Mapping[str, Scope] = {scope.name: scope for scope in _SCOPES}

_LEAST = {"TRANSCRIPTS": 2, "AUDIO": 2, "DELTA": 3, "INTERRUPTIONS": 1, "TICKS": 1}
LEAST = {"audio-reply": _LEAST, "muted-reply": _LEAST}

QUICK = Profile(
    name="quick",
    about="every step at every node, and the tail of every interruption",
    cover="cover",
    tail_runs=16,
    thorough=frozenset(LEAST),
    least=LEAST,
    scopes=SCOPES,
)

STANDARD = Profile(
    name="standard",
    about="every path of a reply, disturbed at every node of it; elsewhere every disturbance at "
    "every node by every way in; and one burst on a cover",
    cover="cover",
    tail_runs=16,
    thorough=frozenset(LEAST),
    every_path=frozenset(LEAST),
    every_way=True,
    bursts=1,
    least=LEAST,
    scopes=SCOPES,
)

WIDER: Mapping[str, Mapping[str, int]] = {
    "tool-round": {"DISTURBANCES": 2},
    "vad-turn": {"USERS": 3, "TICKS": 1, "EARLY_ASR": 1, "SEGMENTS": 1, "DEAF": 1, "ASR": 2},
    "race": {"DISTURBANCES": 3},
    "updates": {"DISTURBANCES": 2},
    "hand-over": {"DISTURBANCES": 2},
    "pause": {"DISTURBANCES": 2},
    "reconnection": {"DISTURBANCES": 2, "SOCKETS": 3, "DROPS": 2, "FAILURES": 1},
}
"""What `full` has more of: disturbances that meet, turns, sockets."""

FULL = Profile(
    name="full",
    about="every path, with more disturbances, turns and sockets",
    cover="exhaust",
    bursts=1,
    least=LEAST,
    scopes={name: rebounded(scope, WIDER.get(name, {})) for name, scope in SCOPES.items()},
)

PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (QUICK, STANDARD, FULL)}


def below(profile: Profile, scope: Scope) -> list[str]:
    """Every bound of `scope` that is smaller than the profile's name promises, as `NAME=N`."""
    return [
        f"{name}={scope.bounds[name]}"
        for name, value in profile.least.get(scope.name, {}).items()
        if scope.bounds[name] < value
    ]


def one_more_turn(scope: Scope) -> dict[str, int]:
    """Bounds of the fresh turn after a run: one turn more, as short as a turn can be."""
    bounds = dict(scope.bounds)
    for name in ("TURNS", "RESPONSES"):
        bounds[name] += 1
    # a turn of the run may still wait for the app to ask for its reply
    bounds["RESPONSES"] += 1 - bounds["CREATE_RESPONSE"]
    bounds["USERS"] += bounds["TRACK_USERS"]
    bounds.update(TRANSCRIPTS=1, AUDIO=1, STEP=bounds["DELTA"])
    return {**bounds, **sizes(bounds)}
