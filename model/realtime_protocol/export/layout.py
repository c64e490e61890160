"""Where the boxes and lines of a state diagram go: in rows, from the initial state downwards.

Laws:
- Every state and every label has a box of its own, and no two boxes overlap.
- A state stands as many rows down as it is steps away from an initial one; labels stand in rows
  between, and a line that passes a row has a place of its own there, so it runs through no box.
- Everything is computed from the diagram alone, in whole pixels, so it is the same every time.

This is the layered layout of Sugiyama, Tagawa and Toda (1981), in its plainest form: layers, order
within a layer by barycentres, places by the mean of the neighbours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import attrs

from realtime_protocol.export.diagram import Diagram, Node

CHARACTER = 6.7
"""Width of one character of a label, in pixels, in a monospaced face of `FONT` pixels."""
FONT = 11
LINE = 15
"""Height of one line of text."""
MARGIN = 14
"""What is left free around a text, between two boxes, and around the picture."""
GAP = 20
"""What is left free between two rows."""
SWEEPS = 12
"""How often the order and the places of the rows are improved; more change nothing that is seen."""


@attrs.define(eq=False)
class Box:
    """Something with a place: a state, the label of an arrow, or a bend of a line.

    `x` and `y` are its middle, in pixels.
    """

    row: int
    lines: tuple[str, ...] = ()
    padding: int = 0
    x: float = 0.0
    y: float = 0.0
    beside: list[Box] = attrs.field(factory=list)
    """What it is joined to by a line, in the rows next to its own."""

    @property
    def width(self) -> int:
        """In pixels."""
        return round(max(map(len, self.lines), default=0) * CHARACTER) + 2 * self.padding

    @property
    def height(self) -> int:
        """In pixels."""
        return len(self.lines) * LINE + self.padding


@attrs.frozen
class Route:
    """One arrow: the boxes that its line goes through, and which of them holds its label."""

    source: Node
    target: Node
    rules: tuple[str, ...]
    boxes: tuple[Box, ...]
    label: Box


@attrs.frozen
class Layout:
    """A diagram with a place for everything."""

    states: dict[Node, Box]
    routes: tuple[Route, ...]
    width: int
    height: int


def laid_out(diagram: Diagram) -> Layout:
    """Give everything in a diagram a place."""
    ranks = _ranks(diagram)
    states = {
        node: Box(2 * rank, tuple(diagram.caption(node).split("\n")), MARGIN // 2)
        for node, rank in ranks.items()
    }
    routes = tuple(
        _route(source, target, labels, states) for source, target, labels in diagram.arrows()
    )
    rows = _rows([*states.values(), *(box for route in routes for box in route.boxes[1:-1])])
    for sweep in range(SWEEPS):
        _reorder(rows if sweep % 2 == 0 else rows[::-1])
    for sweep in range(SWEEPS):
        _place(rows if sweep % 2 == 0 else rows[::-1])
    return Layout(states, routes, *_trimmed(rows))


def _ranks(diagram: Diagram) -> dict[Node, int]:
    """How many steps away from an initial state each state is, nearest first."""
    onward: dict[Node, list[Node]] = {}
    for source, target, _ in diagram.arrows():
        onward.setdefault(source, []).append(target)
    ranks: dict[Node, int] = {}
    # a state that no arrow leads to begins a part of the picture of its own
    for start in (*diagram.initial, *diagram.nodes):
        waiting = [] if start in ranks else [start]
        ranks.setdefault(start, 0)
        for node in waiting:  # grows while it is gone through
            for target in onward.get(node, ()):
                if target not in ranks:
                    ranks[target] = ranks[node] + 1
                    waiting.append(target)
    return ranks


def _route(source: Node, target: Node, rules: Sequence[str], states: dict[Node, Box]) -> Route:
    """An arrow with its label in the row next to its source, and a bend in every further row."""
    start, end = states[source], states[target]
    down = end.row >= start.row
    step = 1 if down else -1
    label = Box(start.row + step, tuple(rules), MARGIN // 2)
    bends = [Box(row) for row in range(label.row + step, end.row, step)]
    boxes = (start, label, *bends, end)
    for one, other in itertools.pairwise(boxes):
        one.beside.append(other)
        other.beside.append(one)
    return Route(source, target, tuple(rules), boxes, label)


def _rows(boxes: Iterable[Box]) -> list[list[Box]]:
    rows: dict[int, list[Box]] = {}
    for box in boxes:
        rows.setdefault(box.row, []).append(box)
    ordered = [rows[row] for row in sorted(rows)]
    for row in ordered:
        _pack(row, [0.0] * len(row))
    return ordered


def _mean(box: Box, row: int | None = None) -> float:
    """Where the neighbours of a box are, or those in one row; where it is itself without any."""
    places = [other.x for other in box.beside if row in (None, other.row)]
    return sum(places) / len(places) if places else box.x


def _reorder(rows: Sequence[list[Box]]) -> None:
    """Order each row by where its neighbours in the row before it are."""
    for before, row in itertools.pairwise(rows):
        wanted = [(_mean(box, before[0].row), box) for box in row]
        wanted.sort(key=lambda one: one[0])
        row[:] = [box for _, box in wanted]
        _pack(row, [place for place, _ in wanted])


def _place(rows: Sequence[list[Box]]) -> None:
    """Move each box as near to the middle of its neighbours as the others in its row let it."""
    for row in rows:
        _pack(row, [_mean(box) for box in row])


def _pack(row: Sequence[Box], wanted: Sequence[float]) -> None:
    """Put the boxes of a row where they are wanted, in their order and without overlap."""
    apart = [(one.width + other.width) / 2 + MARGIN for one, other in itertools.pairwise(row)]
    pushed, pulled = list(wanted), list(wanted)
    for place in range(1, len(row)):
        pushed[place] = max(wanted[place], pushed[place - 1] + apart[place - 1])
    for place in reversed(range(len(row) - 1)):
        pulled[place] = min(wanted[place], pulled[place + 1] - apart[place])
    # the mean of two placings without overlap has none
    for box, right, left in zip(row, pushed, pulled, strict=True):
        box.x = (right + left) / 2


def _trimmed(rows: Sequence[Sequence[Box]]) -> tuple[int, int]:
    """Move everything to the upper left corner, row below row; returns width and height."""
    left = min(box.x - box.width / 2 for row in rows for box in row)
    top = MARGIN
    for row in rows:
        height = max(box.height for box in row)
        for box in row:
            box.x = round(box.x - left + MARGIN)
            box.y = round(top + height / 2)
        top += height + GAP
    right = max(box.x + box.width / 2 for row in rows for box in row)
    return round(right) + MARGIN, top - GAP + MARGIN
