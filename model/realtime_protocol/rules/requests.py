"""Client requests about a response: `response.create` and `response.cancel`, and their answers.

Requests are read in the order they were sent (facts 2.4).
A cancel without an id addresses slot 0, and means the response of the default conversation that is
in progress; one with the id of response `r` addresses slot `r + 1`.

Laws:
- A request has one answer: what it asks for, or an error.
- A cancel never stops a response outside of the default conversation, unless it names it.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.words import ACTIVE, CALM, LIVE, OPEN, RUNS
from realtime_protocol.state import Field

MEANT = f"((response[i] == active and oob[i] == 0) or (i == begun and not {ACTIVE}))"
"""Response `i` is what a cancel without an id means: the active one, else the one to come."""
UNREAD = "(cancelling[{i}] > (1 if ending[{i}] == client_cancelled else 0))"
"""A cancel that means response `i` is on its way: it was neither applied nor rejected."""

FIELDS = (
    Field("asked", "a reply that the app wants and the client has not requested: wanted, or "
          "interrupted meanwhile", ("no", "yes", "withdrawn")),
    Field("requested", "response.create messages without a response.created", limit="REQUESTS"),
    Field("pending", "a response.create was read and its response.created is to come", limit="1"),
    Field("recalled", "the reply that is requested was interrupted before it began", limit="1"),
    Field("asides", "out-of-band responses requested", limit="ASIDES", budget=True),
    Field("aside", "an out-of-band response was read and its response.created is to come",
          limit="ASIDES"),
    Field("cancels", "response.cancel messages sent since the reply was begun", limit="CANCELS",
          budget=True),
    Field("cancelling", "those of them that mean a response, or the one that is to come in its "
          "slot, and that the server has not rejected", limit="CANCELS", over=("RESPONSES",),
          budget=True),
)  # fmt: skip

RULES = (
    Rule(
        id="client.response.create",
        actor="client",
        event="response.create",
        sends=True,
        why="The client requests the reply that the app asked for, once, and not while a response "
        "is active or was requested. One that was interrupted before need not be requested any "
        "more; if it is, it is cut.",
        source="SDK response_create_event.py; facts 7.1",
        confidence="documented",
        when=f"{OPEN} and asked != no and requested < REQUESTS",
        then={"asked": "no", "requested": "requested + 1",
              "recalled": "1 if asked == withdrawn else recalled"},
        permitted=f"requested == 0 and not {ACTIVE}",
        within="asked == yes",
    ),
    Rule(
        id="server.reads.response.create",
        actor="server",
        event="",
        reads="response.create",
        address="0",
        why="With no response active the request is accepted; response.created follows.",
        source="SDK response_create_event.py; facts 7.1",
        confidence="documented",
        when=f"{LIVE} and argument == 0 and not {ACTIVE} and pending == 0",
        then={"pending": "1"},
    ),
    Rule(
        id="server.rejects.response.create",
        actor="server",
        event="error",
        reads="response.create",
        address="0",
        error="conversation_already_has_active_response",
        why="Only one response at a time may write to the default conversation.",
        source="SDK response_create_event.py; facts 7.1, 8 #2, #3, #4; the race with a turn: "
        "livekit/agents #6817",
        confidence="observed",
        when=f"{LIVE} and argument == 0 and ({ACTIVE} or pending > 0)",
        then={"requested": "requested - 1", "recalled": "0"},
    ),
    Rule(
        id="server.rejects.response.create.refused",
        actor="server",
        event="error",
        reads="response.create",
        address="0",
        error="rate_limit_exceeded",
        disturbs="fault",
        why="A request that is in order can be refused: rate limit, quota, length.",
        source="facts 8 #30, #31, #33",
        confidence="inferred",
        when=f"{LIVE} and argument == 0 and refused < REFUSED and {CALM}",
        then={"requested": "requested - 1", "recalled": "0", "refused": "refused + 1",
              "faults": "faults + 1"},
    ),
    Rule(
        id="client.response.create.aside",
        actor="client",
        event="response.create",
        sends=True,
        address="1",
        why="A response outside of the default conversation may run beside others.",
        source="SDK response_create_event.py; facts 7.1",
        confidence="documented",
        when=f"{OPEN} and asides < ASIDES",
        then={"asides": "asides + 1"},
        within="turns > 0",
    ),
    Rule(
        id="server.reads.response.create.aside",
        actor="server",
        event="",
        reads="response.create",
        address="1",
        why="An out-of-band request is accepted whatever else is active.",
        source="SDK response_create_event.py; facts 7.1",
        confidence="documented",
        when=LIVE,
        then={"aside": "aside + 1"},
    ),
    Rule(
        id="client.response.cancel",
        actor="client",
        event="response.cancel",
        sends=True,
        address="0",
        why="A client cancels the response of the default conversation that is in progress, or "
        "that it has requested, once; again only if the server found nothing to cancel. Of what it "
        "has cancelled it plays no more.",
        source="SDK response_cancel_event.py; facts 4",
        confidence="documented",
        when=f"{OPEN} and interruptions + ticks + changes > 0 and cancels < CANCELS",
        then={
            "cancels": "cancels + 1",
            "cancelling[*]": f"this + 1 if {MEANT} else this",
            "cut[*]": "1 if response[i] == active and oob[i] == 0 else this",
            "recalled": "1 if requested > 0 else recalled",
        },
        permitted=f"({ACTIVE} or requested > 0)"
        f" and all(cancelling[i] == 0 or not ({MEANT}) for i in RESPONSES)",
        within="cancels < TRIES",
    ),
    Rule(
        id="client.response.cancel.one",
        actor="client",
        event="response.cancel",
        sends=True,
        over={"r": "RESPONSES"},
        address="r + 1",
        why="A cancel may name its response; so a late one is discarded without touching another.",
        source="SDK response_cancel_event.py; facts 4",
        confidence="documented",
        when=f"{OPEN} and response[r] != unused and cancels < CANCELS",
        then={"cancels": "cancels + 1", "cancelling[r]": "cancelling[r] + 1", "cut[r]": "1"},
        permitted="cancelling[r] == 0 and response[r] == active",
        within="cancels < TRIES and CANCEL_BY_ID == 1 and cut[r] == 1",
    ),
    Rule(
        id="server.reads.response.cancel",
        actor="server",
        event="",
        reads="response.cancel",
        over={"r": "RESPONSES"},
        address="0",
        why="A running response is cut; its closing chain and response.done(cancelled) answer.",
        source="SDK response_cancel_event.py; facts 4",
        confidence="documented",
        when=f"{LIVE} and response[r] == active and oob[r] == 0 and ending[r] == running",
        then={"ending[r]": "client_cancelled"},
    ),
    Rule(
        id="server.reads.response.cancel.one",
        actor="server",
        event="",
        reads="response.cancel",
        over={"r": "RESPONSES"},
        address="r + 1",
        why="The response that is named is cut, if it is running.",
        source="SDK response_cancel_event.py; facts 4",
        confidence="documented",
        when=f"{LIVE} and response[r] == active and ending[r] == running",
        then={"ending[r]": "client_cancelled"},
    ),
    Rule(
        id="server.rejects.response.cancel",
        actor="server",
        event="error",
        reads="response.cancel",
        address="0",
        error="response_cancel_not_active",
        why="Nothing is left to cancel: not created yet, already being cut, completed or done.",
        source="openai-agents-js #189, livekit/agents #6223, hashintel/hash #9399; facts 4, 8 #1",
        confidence="observed",
        when=f"{LIVE} and not {RUNS}",
        then={"cancelling[*]": f"this - 1 if {UNREAD.format(i='i')}"
              f" and all(q >= i or not {UNREAD.format(i='q')} for q in RESPONSES) else this"},
    ),
    Rule(
        id="server.rejects.response.cancel.one",
        actor="server",
        event="error",
        reads="response.cancel",
        over={"r": "RESPONSES"},
        address="r + 1",
        error="response_cancel_not_active",
        why="The response that is named is not running.",
        source="facts 4 (claim only), 9.5 (open)",
        confidence="inferred",
        when=f"{LIVE} and not (response[r] == active and ending[r] == running)",
        then={"cancelling[r]": "max(cancelling[r] - 1, 0)"},
    ),
    Rule(
        id="server.keeps.response.cancel",
        actor="server",
        event="",
        reads="response.cancel",
        address="0",
        why="A cancel that finds its response already cut by turn detection is held against the "
        "next one.",
        source="facts 4 (second-hand), 9.6 (open)",
        confidence="inferred",
        when=f"CANCEL_HITS_NEXT == 1 and {LIVE} and not {RUNS} and kept == 0"
        " and any(ending[q] == turn_detected for q in RESPONSES)",
        then={"kept": "1"},
    ),
)  # fmt: skip
