"""All mutants of one file: what is changed where, under a name that stays.

Laws:
- A mutant replaces a piece of the text; all around it stays as it was, to the byte.
- Its id is its function, its operator, and which of those it is there.
- Its key says the same by the code itself and no line, so an argument about it outlives a release.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import libcst as cst
import libcst.matchers as m
from libcst.metadata import (
    ByteSpanPositionProvider,
    CodeRange,
    MetadataWrapper,
    PositionProvider,
)

from realtime_conformance.mutation.operators import OPERATORS, UNREAD, Change
from realtime_conformance.mutation.targets import Targets

HEADS: dict[type[cst.CSTNode], Callable[[cst.CSTNode], cst.CSTNode]] = {
    cst.If: lambda node: node.test,  # type: ignore[attr-defined]
    cst.While: lambda node: node.test,  # type: ignore[attr-defined]
    cst.For: lambda node: node.iter,  # type: ignore[attr-defined]
    cst.With: lambda node: node.items[-1],  # type: ignore[attr-defined]
}
"""Where the head of a statement with a body ends."""


@attrs.frozen(kw_only=True)
class Mutant:
    """One change of one file.

    `start` and `size` are bytes; `lines` the first and the last line of the statement around it, or
    of its head if it has a body, counted from 1.
    """

    id: str
    function: str
    operator: str
    statement: str
    """The text of the statement around it, or of its head, on one line."""
    before: str
    after: str
    occurrence: int
    """Which one it is, of those in its function that read the same; from 1."""
    start: int
    size: int
    line: int
    lines: tuple[int, int]

    @property
    def key(self) -> tuple[str, str, str, str, str, int]:
        """What it is by its code."""
        return (
            self.function,
            self.operator,
            self.statement,
            self.before,
            self.after,
            self.occurrence,
        )

    def applied(self, source: bytes) -> bytes:
        """The file with the change."""
        return source[: self.start] + self.after.encode() + source[self.start + self.size :]

    def diff(self, source: bytes, name: str) -> str:
        """The change, as a unified diff of the file `name`."""
        old, new = (text.decode().splitlines() for text in (source, self.applied(source)))
        made = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=2, lineterm="")
        return "\n".join(made)

    def plain(self, source: bytes, name: str) -> dict[str, Any]:
        """It as plain data, with its diff."""
        return {
            "id": self.id,
            "function": self.function,
            "line": self.line,
            "operator": self.operator,
            "statement": self.statement,
            "before": self.before,
            "after": self.after,
            "occurrence": self.occurrence,
            "diff": self.diff(source, name),
        }

    def compiles(self, source: bytes) -> bool:
        """Whether the change leaves a program, and another one."""
        changed = self.applied(source)
        try:
            compile(changed, self.id, "exec", dont_inherit=True)
        except SyntaxError:
            return False
        return changed != source


@attrs.frozen
class Mutants:
    """What can be changed in a file, and which of its functions are left out, with why."""

    all: tuple[Mutant, ...]
    left_out: dict[str, str]


def mutants_of(source: bytes, targets: Targets) -> Mutants:
    """All mutants of a file in the order of its text.

    Raises:
        ValueError: it is no Python that can be read.
    """
    try:
        wrapper = MetadataWrapper(cst.parse_module(source))
    except cst.ParserSyntaxError as error:
        raise ValueError(f"expected Python to mutate, got: {error.message}") from error
    finder = _Finder(source, targets)
    wrapper.visit(finder)
    return Mutants(tuple(finder.named()), finder.left_out)


@attrs.frozen
class _Raw:
    function: str
    operator: str
    statement: str
    before: str
    after: str
    start: int
    size: int
    line: int
    lines: tuple[int, int]


class _Finder(cst.CSTVisitor):
    """Goes through the functions that are targets, and asks every operator about every node."""

    METADATA_DEPENDENCIES = (ByteSpanPositionProvider, PositionProvider)

    def __init__(self, source: bytes, targets: Targets) -> None:
        super().__init__()
        self.left_out: dict[str, str] = {}
        self._source = source
        self._targets = targets
        self._names: list[str] = []
        self._functions = 0
        self._statements: list[tuple[cst.CSTNode, str, tuple[int, int]]] = []
        self._found: dict[tuple[int, int, str], _Raw] = {}

    def named(self) -> Iterator[Mutant]:
        """The mutants with their names."""
        numbers: Counter[tuple[str, str]] = Counter()
        alike: Counter[tuple[str, ...]] = Counter()
        for raw in self._found.values():
            numbers[raw.function, raw.operator] += 1
            text = (raw.function, raw.operator, raw.statement, raw.before, raw.after)
            alike[text] += 1
            number = numbers[raw.function, raw.operator]
            yield Mutant(
                id=f"{raw.function}/{raw.operator}/{number}",
                occurrence=alike[text],
                **attrs.asdict(raw),
            )

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Go into what is to be mutated, and nowhere else."""
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._enter(node)
            return False
        if not self._functions:
            return True
        if self._is_spared(node):
            return False
        for operator in OPERATORS:
            for change in operator.changes(node, self._text):
                self._note(operator.name, change)
        return not m.matches(node, UNREAD)

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Leave a statement."""
        if self._statements and self._statements[-1][0] is original_node:
            self._statements.pop()

    def _enter(self, node: cst.FunctionDef | cst.ClassDef) -> None:
        """What is in the body; not decorators, defaults and types."""
        self._names.append(node.name.value)
        name = ".".join(self._names)
        is_function = isinstance(node, cst.FunctionDef)
        reason = self._targets.reason(name) if is_function else ""
        if reason:
            self.left_out[name] = reason
        else:
            self._functions += is_function
            node.body.visit(self)
            self._functions -= is_function
        self._names.pop()

    def _is_spared(self, node: cst.CSTNode) -> bool:
        """Whether a statement is left out; one that is not is entered."""
        if not isinstance(node, cst.BaseCompoundStatement | cst.SimpleStatementLine):
            return False
        where = self._range(node)
        head = HEADS.get(type(node))
        last = self._range(head(node)).end.line if head else where.end.line
        if isinstance(node, cst.BaseCompoundStatement) and head is None:
            last = where.start.line
        text = self._text(node)
        if self._targets.spared(text):
            return True
        kept = text.splitlines()[: last - where.start.line + 1]
        spoken = " ".join(" ".join(kept).split())
        self._statements.append((node, spoken, (where.start.line, last)))
        return False

    def _note(self, operator: str, change: Change) -> None:
        node, after = change
        span = self.get_metadata(ByteSpanPositionProvider, node)
        key = (span.start, span.length, after)
        _, statement, lines = self._statements[-1]
        raw = _Raw(
            function=".".join(self._names),
            operator=operator,
            statement=statement,
            before=self._text(node),
            after=after,
            start=span.start,
            size=span.length,
            line=self._range(node).start.line,
            lines=lines,
        )
        self._found.setdefault(key, raw)

    def _text(self, node: cst.CSTNode) -> str:
        span = self.get_metadata(ByteSpanPositionProvider, node)
        return self._source[span.start : span.start + span.length].decode()

    def _range(self, node: cst.CSTNode) -> CodeRange:
        return self.get_metadata(PositionProvider, node)


def read(path: Path) -> bytes:
    """The source of a file.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
