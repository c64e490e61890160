"""Client requests about a response: `response.create` and `response.cancel`, and their answers.

Requests are read in the order they were sent (facts 2.4).
"""

from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

FIELDS = (
    Field("asked", "the app wants a reply that the client has not requested yet", limit="1"),
    Field("requested", "a response.create has no response.created yet", limit="1"),
    Field("cancels", "response.cancel messages sent since the reply was begun", limit="CANCELS"),
    Field("cancelling", "those of them that the server has not rejected", limit="CANCELS"),
)

RULES = (
    Rule(
        id="client.response.create",
        actor="client",
        event="response.create",
        sends=True,
        why="The client requests the reply that the app asked for, once.",
        source="SDK response_create_event.py; facts 7.1",
        confidence="documented",
        when="asked == 1",
        then={"asked": "0", "requested": "1"},
    ),
    Rule(
        id="server.reads.response.create",
        actor="server",
        event="",
        reads="response.create",
        why="With no response active the request is accepted; response.created follows.",
        source="SDK response_create_event.py; facts 7.1",
        confidence="documented",
        when="response == none",
        then={"response": "pending"},
    ),
    Rule(
        id="client.response.cancel",
        actor="client",
        event="response.cancel",
        sends=True,
        why="A client cancels the response of the default conversation that is in progress, or "
        "that it has requested, once; again only if the server found nothing to cancel.",
        source="SDK response_cancel_event.py; facts 4",
        confidence="documented",
        when="interruptions + ticks > 0 and cancels < CANCELS",
        then={"cancels": "cancels + 1", "cancelling": "cancelling + 1"},
        permitted="cancelling == 0 and (response == active or requested == 1)",
        within="cancels < TRIES",
    ),
    Rule(
        id="server.reads.response.cancel",
        actor="server",
        event="",
        reads="response.cancel",
        why="A running response is cut; its closing chain and response.done(cancelled) answer.",
        source="SDK response_cancel_event.py; facts 4",
        confidence="documented",
        when="response == active and ending == running",
        then={"ending": "client_cancelled"},
    ),
    Rule(
        id="server.rejects.response.cancel",
        actor="server",
        event="error",
        reads="response.cancel",
        error="response_cancel_not_active",
        why="Nothing is left to cancel: not created yet, already being cut, completed or done.",
        source="openai-agents-js #189, livekit/agents #6223, hashintel/hash #9399; facts 4, 8 #1",
        confidence="observed",
        when="not (response == active and ending == running)",
        then={"cancelling": "cancelling - 1"},
    ),
)
