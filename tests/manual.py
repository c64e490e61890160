"""The commands, files and programs that the manual shows, cut out of its pages.

A block follows the line that says what it is:

- `<!-- command: NAME -->`, or `<!-- command: NAME, exit N -->`: shell commands, run in their order;
- `<!-- file: NAME -->`: a file that the commands of the page need;
- `<!-- python: NAME -->`: a program, run behind the commands before it;
- `<!-- run elsewhere -->`: shell commands that CI or another test runs.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

BLOCK = re.compile(
    r"^<!-- (?P<kind>command|file|python|run elsewhere)(?:: (?P<name>[^,\n]+?))?"
    r"(?:, exit (?P<code>\d+))? -->\n```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class Block:
    """One block: what it is, its name, its text, and the exit code of its last command."""

    kind: str
    name: str
    text: str
    code: int = 0


def blocks(page: Path) -> list[Block]:
    """The marked blocks of a page, in their order."""
    return [
        Block(found["kind"], found["name"] or "", found["text"], int(found["code"] or 0))
        for found in BLOCK.finditer(page.read_text("utf-8"))
    ]


def fences(page: Path) -> list[tuple[str, str]]:
    """Language and text of every block of a page, marked or not."""
    return [(f["language"], f["text"]) for f in FENCE.finditer(page.read_text("utf-8"))]


def lines(text: str) -> list[str]:
    """The commands of a block, one a line, without comments and with continued lines joined."""
    joined = text.replace("\\\n", " ")
    stripped = (re.sub(r"\s+#.*", "", line).strip() for line in joined.split("\n"))
    return [line for line in stripped if line]
