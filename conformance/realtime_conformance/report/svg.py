"""A diagram of a machine as SVG: states in layers from where it begins, one arrow for each pair.

Laws:
- The same diagram gives the same bytes.
- What is drawn is the structure alone: states and arrows carry their positions (`data-node`,
  `data-arrow`), so whoever shows the picture marks in it what was covered.
- An arrow has a number; the rules that it stands for are too long for a picture, and stand beside
  it.

The layout is the usual one for layered drawings (Sugiyama, Tagawa, Toda 1981): arrows against the
flow are turned round, states are put into layers, arrows over several layers are given a place in
each, and the places of a layer are ordered by the mean of their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import attrs

Json = dict[str, Any]
Pair = tuple[int, int]
Point = tuple[float, float]

CHARACTER, LINE = 7.2, 15
"""Width and height of a character, in pixels."""
PADDING = 10
GAP = 26
"""Between two places of a layer."""
RISE = 46
"""Between two layers."""
ROOM = 14
"""Width of a place that an arrow passes through."""
SWEEPS = 8


@attrs.define
class Layout:
    """Where everything is: the layers hold places, of which those below `states` are states."""

    states: int
    layers: list[list[int]]
    links: list[Pair]
    """Arrows between adjacent layers, from top to bottom, places that are passed included."""
    routes: list[list[int]]
    """The places that each arrow goes through, from its source to its target."""


def drawn(diagram: Json) -> str:
    """A diagram as `diagrams` of a report has it, as an `svg` element."""
    captions = [node["caption"].splitlines() for node in diagram["nodes"]]
    pairs = [(arrow["from"], arrow["to"]) for arrow in diagram["arrows"]]
    initial = [n for n, node in enumerate(diagram["nodes"]) if node["initial"]]
    layout = arranged(len(captions), pairs, initial)
    sizes = [_size(lines) for lines in captions]
    centres, width, height = _placed(layout, sizes)
    parts = [_arrow(n, route, centres, sizes) for n, route in enumerate(layout.routes)]
    parts += [
        _state(n, lines, centres[n], sizes[n], n in initial) for n, lines in enumerate(captions)
    ]
    title = escape(f"{diagram['name']}: {', '.join(diagram['fields'])}")
    box = f"0 0 {width:.0f} {height:.0f}"
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return f'<svg viewBox="{box}" {size} role="img"><title>{title}</title>{"".join(parts)}</svg>'


# -- layout -----------------------------------------------------------------------------------


def arranged(states: int, pairs: Sequence[Pair], initial: Sequence[int]) -> Layout:
    """The layers of a diagram with so many states and these arrows."""
    against = _against(states, pairs, initial)
    flow = [(b, a) if (a, b) in against else (a, b) for a, b in pairs]
    layer = _layers(states, flow)
    layers: list[list[int]] = [[] for _ in range(max(layer, default=0) + 1)]
    for state in range(states):
        layers[layer[state]].append(state)
    links: list[Pair] = []
    routes: list[list[int]] = []
    place = states
    for (source, target), pair in zip(flow, pairs, strict=True):
        route = [source]
        for number in range(layer[source] + 1, layer[target]):
            layers[number].append(place)
            route.append(place)
            place += 1
        route.append(target)
        links += pairwise(route)
        routes.append(route[::-1] if pair in against else route)
    return Layout(states, _ordered(layers, links), links, routes)


def _against(states: int, pairs: Sequence[Pair], initial: Sequence[int]) -> set[Pair]:
    """The arrows that lead back to a state on the way to their source, from the initial ones on."""
    onward: dict[int, list[int]] = {state: [] for state in range(states)}
    for source, target in pairs:
        onward[source].append(target)
    found: set[Pair] = set()
    done: set[int] = set()
    for start in [*initial, *range(states)]:
        way: dict[int, Iterator[int]] = {} if start in done else {start: iter(onward[start])}
        while way:
            state = next(reversed(way))
            target = next(way[state], -1)
            if target < 0:
                done.add(state)
                del way[state]
            elif target in way:
                found.add((state, target))
            elif target not in done:
                way[target] = iter(onward[target])
    return found


def _layers(states: int, flow: Sequence[Pair]) -> list[int]:
    """The layer of each state: one below the lowest that leads to it."""
    layer = [0] * states
    for _ in range(states):
        for source, target in flow:
            layer[target] = max(layer[target], layer[source] + 1)
    return layer


def _ordered(layers: list[list[int]], links: Sequence[Pair]) -> list[list[int]]:
    """The layers with their places ordered so that few arrows cross."""
    up: dict[int, list[int]] = {}
    down: dict[int, list[int]] = {}
    for above, below in links:
        up.setdefault(below, []).append(above)
        down.setdefault(above, []).append(below)
    best = layers
    for sweep in range(SWEEPS):
        near = up if sweep % 2 == 0 else down
        layers = [list(layer) for layer in layers]
        order = range(1, len(layers)) if sweep % 2 == 0 else range(len(layers) - 2, -1, -1)
        for number in order:
            beside = layers[number - 1 if sweep % 2 == 0 else number + 1]
            at = {place: position for position, place in enumerate(beside)}
            layers[number].sort(key=lambda place: _mean([at[n] for n in near.get(place, ())], at))
        if crossings(layers, links) < crossings(best, links):
            best = layers
    return best


def _mean(positions: Sequence[int], at: dict[int, int]) -> float:
    return sum(positions) / len(positions) if positions else len(at) / 2


def crossings(layers: Sequence[Sequence[int]], links: Iterable[Pair]) -> int:
    """How many pairs of arrows cross."""
    layer = {place: (n, at) for n, places in enumerate(layers) for at, place in enumerate(places)}
    ends = sorted((*layer[above], layer[below][1]) for above, below in links)
    return sum(
        1
        for number, (n, a, b) in enumerate(ends)
        for m, c, d in ends[number + 1 :]
        if n == m and (a - c) * (b - d) < 0
    )


# -- places -----------------------------------------------------------------------------------


def _size(lines: Sequence[str]) -> Point:
    width = max(map(len, lines), default=0) * CHARACTER + 2 * PADDING
    return max(width, 48), len(lines) * LINE + 2 * PADDING - 4


def _placed(layout: Layout, sizes: Sequence[Point]) -> tuple[dict[int, Point], float, float]:
    """The centre of every place, and the width and height of the whole."""

    def wide(place: int) -> float:
        return sizes[place][0] if place < layout.states else ROOM

    def high(layer: Sequence[int]) -> float:
        return max((sizes[place][1] for place in layer if place < layout.states), default=ROOM)

    widths = [sum(map(wide, layer)) + GAP * (len(layer) - 1) for layer in layout.layers]
    whole = max(widths, default=0) + 2 * GAP
    centres: dict[int, Point] = {}
    top = float(PADDING)
    for layer, width in zip(layout.layers, widths, strict=True):
        left = (whole - width) / 2
        for place in layer:
            centres[place] = (left + wide(place) / 2, top + high(layer) / 2)
            left += wide(place) + GAP
        top += high(layer) + RISE
    return centres, whole, top - RISE + PADDING


# -- drawing ----------------------------------------------------------------------------------


def _state(number: int, lines: Sequence[str], centre: Point, size: Point, initial: bool) -> str:
    (x, y), (width, height) = centre, size
    first = y - (len(lines) - 1) * LINE / 2 + 4
    text = "".join(
        f'<text x="{x:.1f}" y="{first + n * LINE:.1f}">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    kind = "node initial" if initial else "node"
    return (
        f'<g class="{kind}" data-node="{number}">'
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}"'
        f' height="{height:.1f}" rx="6"/>{text}</g>'
    )


def _arrow(
    number: int,
    route: Sequence[int],
    centres: dict[int, Point],
    sizes: Sequence[Point],
) -> str:
    """A smooth line through the places of a route, with a head and a number."""
    down = centres[route[0]][1] < centres[route[-1]][1]
    # two arrows between the same states stand beside each other
    aside = 9.0 if down else -9.0
    points = [(centres[place][0] + aside, centres[place][1]) for place in route]
    points[0] = _edge(points[0], sizes[route[0]][1], down)
    points[-1] = _edge(points[-1], sizes[route[-1]][1], not down)
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}" + "".join(
        _curve(start, end) for start, end in pairwise(points)
    )
    x, y = _middle(points)
    (tip, base), sign = points[-1], -1 if down else 1
    head = f"M{tip:.1f} {base:.1f}l-4 {7 * sign}h8z"
    label = str(number + 1)
    return (
        f'<g class="arrow" data-arrow="{number}"><path class="line" d="{path}"/>'
        f'<path class="head" d="{head}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="9"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}">{label}</text></g>'
    )


def _edge(point: Point, height: float, lower: bool) -> Point:
    """Where an arrow meets the frame of a state."""
    return point[0], point[1] + (height / 2 if lower else -height / 2)


def _curve(start: Point, end: Point) -> str:
    (x, y), (to_x, to_y) = start, end
    half = (y + to_y) / 2
    return f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"


def _middle(points: Sequence[Point]) -> Point:
    """Where the number stands: in the middle of the middle part."""
    at = (len(points) - 1) // 2
    (x, y), (to_x, to_y) = points[at], points[at + 1]
    return (x + to_x) / 2, (y + to_y) / 2
