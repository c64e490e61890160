"""MCP tools, which the server lists and calls by itself.

No recording and no statement of the order exists (facts 2.5): the order of another vendor is taken,
and everything here is inferred.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.response import CLOSES, FIRST_DONE, LISTED, OWN, R
from realtime_protocol.rules.words import LIVE
from realtime_protocol.state import Field

FIELDS = (
    Field("listing", "the server lists the tools of an MCP server",
          ("none", "running", "completed", "failed")),
    Field("mcp", "how far an MCP call is", ("none", "arguments", "running", "ended"),
          over=("OUTS",)),
)  # fmt: skip

OPEN_CALL = f"{OWN} and kind[m] == mcp and {LISTED}"


def lists(event: str, when: str, then: str) -> Rule:
    """A rule of the listing of tools."""
    return Rule(
        id=f"server.{event}",
        actor="server",
        event=event,
        why="The server tells how the listing of MCP tools goes.",
        source=f"SDK {event.replace('.', '_')}.py; order: facts 2.5, 9.22 (open)",
        confidence="inferred",
        when=f"MCP_OUT == 1 and {LIVE} and listing == {when}",
        then={"listing": then},
    )


def calls(event: str, when: str, then: dict[str, str]) -> Rule:
    """A rule of one MCP call."""
    return Rule(
        id=f"server.response.{event}",
        actor="server",
        event=f"response.{event}",
        over={"m": "OUTS"},
        why="The server tells how its call of an MCP tool goes.",
        source=f"SDK response_{event.replace('.', '_')}.py; order: facts 2.5, 9.22 (open)",
        confidence="inferred",
        when=f"{OPEN_CALL} and {when}",
        then=then,
    )


RUNNING = f"mcp[m] == running and ending[{R}] == running and {CLOSES}"
ENDED = {"mcp[m]": "ended", "output[m]": "content_done", **FIRST_DONE}

RULES = (
    lists("mcp_list_tools.in_progress", "none", "running"),
    lists("mcp_list_tools.completed", "running", "completed"),
    lists("mcp_list_tools.failed", "running", "failed"),
    calls(
        "mcp_call_arguments.delta",
        f"mcp[m] == none and ending[{R}] == running and text[m] < ARGUMENTS",
        {"text[m]": "text[m] + 1"},
    ),
    calls("mcp_call_arguments.done", "mcp[m] == none", {"mcp[m]": "arguments"}),
    calls("mcp_call.in_progress", "mcp[m] == arguments", {"mcp[m]": "running"}),
    calls("mcp_call.completed", RUNNING, ENDED),
    calls("mcp_call.failed", f"mcp[m] == running and ({CLOSES})", ENDED),
)  # fmt: skip
