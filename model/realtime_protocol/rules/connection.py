"""The connection: handshake, the first event of the session, and its configuration.

The app and the user act once the session is configured; what they can do earlier, drops, expiry
and reconnection belong to a scope of their own.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

FIELDS = (
    Field("connection", "the socket and the session on it", ("closed", "open", "ready")),
    Field("updates", "session.update messages that the client has sent", limit="UPDATES"),
    Field("configured", "session.update messages that the server has answered", limit="UPDATES"),
)

RULES = (
    Rule(
        id="network.open",
        actor="network",
        event="open",
        why="The handshake succeeds.",
        source="SDK realtime_connect; CAS, every session",
        confidence="observed",
        when="connection == closed",
        then={"connection": "open"},
    ),
    Rule(
        id="server.session.created",
        actor="server",
        event="session.created",
        why="It is the first event on the socket.",
        source="SDK session_created_event.py; CAS, every session",
        confidence="documented",
        when="connection == open",
        then={"connection": "ready"},
    ),
    Rule(
        id="client.session.update",
        actor="client",
        event="session.update",
        sends=True,
        why="A client may change any field of the session except the model at any time; the "
        "options of this scope are set before the first turn.",
        source="SDK session_update_event.py",
        confidence="documented",
        when="connection != closed and updates < UPDATES and turns == 0",
        then={"updates": "updates + 1"},
    ),
    Rule(
        id="server.session.updated",
        actor="server",
        event="session.updated",
        reads="session.update",
        why="The reply holds the full effective configuration.",
        source="SDK session_updated_event.py; CAS, every session",
        confidence="documented",
        when="connection == ready",
        then={"configured": "configured + 1"},
    ),
)
