"""All rules and the fields they speak of, one module for each machine.

This is the only place where the protocol is written down. Adding a rule here adds it to the
graph, the explorer and the Hypothesis machine without another edit; a server event that is new
needs a spelling in the reference server, and a new act of the app a call of the client.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules import (
    connection,
    conversation,
    functions,
    input_audio,
    mcp,
    people,
    playout,
    requests,
    response,
    sideband,
)
from realtime_protocol.state import Field

MACHINES = (
    connection,
    input_audio,
    requests,
    response,
    mcp,
    sideband,
    conversation,
    functions,
    playout,
    people,
)

FIELDS: tuple[Field, ...] = tuple(field for machine in MACHINES for field in machine.FIELDS)
RULES: tuple[Rule, ...] = tuple(rule for machine in MACHINES for rule in machine.RULES)
