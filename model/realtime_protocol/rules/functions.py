"""Function calls: made by the model, carried out by the app, answered by the client.

A call may be answered as soon as its item is done, while its response is still going on.

Laws:
- A tool runs at most once for each call.
- Every call is answered once, unless its reply was interrupted before.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.words import CALM
from realtime_protocol.state import Field

FIELDS = (
    Field(
        "tool",
        "the function call in an output item",
        ("none", "running", "returned", "raised", "missing", "cancelled", "answered"),
        over=("OUTS",),
    ),
    Field("unknown", "calls of functions that do not exist", limit="MISSING", budget=True),
)

CALLED = "kind[m] == call and output[m] in (item_done, closed) and whole[m] == 1"

RULES = (
    Rule(
        id="client.call",
        actor="client",
        event="call",
        over={"m": "OUTS"},
        address="m",
        why="The client runs the function that the model has called, once its item is closed.",
        source="GUIDE, function calling; livekit function tools",
        confidence="documented",
        when=f"{CALLED} and tool[m] == none",
        then={"tool[m]": "running"},
        permitted="cut[m // OUTPUTS] == 0",
        within="output[m] == closed",
    ),
    Rule(
        id="app.tool.returns",
        actor="app",
        event="tool_returns",
        over={"m": "OUTS"},
        why="The function ends with a result, early or late.",
        source="livekit function tools",
        confidence="documented",
        when="tool[m] == running",
        then={"tool[m]": "cancelled if cut[m // OUTPUTS] == 1 else returned"},
    ),
    Rule(
        id="app.tool.raises",
        actor="app",
        event="tool_raises",
        over={"m": "OUTS"},
        disturbs="app",
        why="The function ends with an error; the model is told so.",
        source="livekit function tools, ToolError",
        confidence="documented",
        when=f"tool[m] == running and raises < RAISES and {CALM}",
        then={"tool[m]": "raised", "raises": "raises + 1", "changes": "changes + 1"},
    ),
    Rule(
        id="app.tool.never",
        actor="app",
        event="tool_hangs",
        over={"m": "OUTS"},
        disturbs="app",
        why="The function never ends.",
        source="livekit function tools",
        confidence="inferred",
        when=f"tool[m] == running and hangs < HANGS and {CALM}",
        then={"tool[m]": "cancelled", "hangs": "hangs + 1", "changes": "changes + 1"},
    ),
)
