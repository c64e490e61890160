"""State diagrams as SVG, drawn here: a page with them needs no script, no font and no network.

Laws:
- The same diagrams give the same bytes.
- The drawing says only what the diagram does. It has the colour of the text around it, and every
  state and arrow can be told apart by its attributes, so that a page can colour what it likes:
  `<g class="state" data-state="ready">`, with `initial` beside `state` where a run begins, and
  `<g class="arrow" data-source="open" data-target="ready" data-rules="server.session.created">`.
  In a diagram of several fields their values are joined with `/`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from realtime_protocol.export.diagram import Diagram, Node
from realtime_protocol.export.layout import FONT, LINE, MARGIN, Box, Layout, Route, laid_out

HEAD = 5
"""Half the width of the head of an arrow, and a part of its length."""

Link = Callable[[str], str]
"""The address of a rule, by its clause id; empty for none."""


def nowhere(_: str) -> str:
    """No rule has an address."""
    return ""


def to_svg(diagrams: Sequence[Diagram], link: Link = nowhere) -> str:
    """Diagrams as one picture, one below the other.

    The labels of arrows are links where `link` gives an address.
    """
    laid = [(diagram, laid_out(diagram)) for diagram in diagrams]
    title = LINE + MARGIN if len(laid) > 1 else 0
    width = max((layout.width for _, layout in laid), default=0)
    height = sum(layout.height + title for _, layout in laid)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="machine" role="img" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" font-family="monospace" '
        f'font-size="{FONT}" fill="none" stroke="currentColor">'
    ]
    top = 0
    for diagram, layout in laid:
        name = quoteattr(diagram.name)
        lines.append(f'<g class="diagram" data-name={name} transform="translate(0 {top})">')
        lines.append(f"<title>{escape(diagram.name)}</title>")
        if title:
            lines.append(_text(diagram.name, MARGIN, MARGIN + LINE // 2, "start"))
        lines.append(f'<g transform="translate(0 {title})">')
        lines += _drawn(diagram, layout, link)
        lines += ["</g>", "</g>"]
        top += layout.height + title
    return "\n".join([*lines, "</svg>"]) + "\n"


def _drawn(diagram: Diagram, layout: Layout, link: Link) -> Iterator[str]:
    for route in layout.routes:
        yield from _arrow(route, link)
    for node, box in layout.states.items():
        initial = node in diagram.initial
        yield f'<g class="state{" initial" if initial else ""}" data-state={_named(node)}>'
        yield (
            f'<rect x="{box.x - box.width / 2:g}" y="{box.y - box.height / 2:g}" '
            f'width="{box.width}" height="{box.height}" rx="6" '
            f'stroke-width="{2.5 if initial else 1.2}"/>'
        )
        yield from _lines(box, nowhere)
        yield "</g>"


def _arrow(route: Route, link: Link) -> Iterator[str]:
    rules = quoteattr(" ".join(route.rules))
    ends = f"data-source={_named(route.source)} data-target={_named(route.target)}"
    yield f'<g class="arrow" {ends} data-rules={rules}>'
    for one, other in itertools.pairwise(route.boxes):
        yield f'<path d="{_curve(one, other)}"/>'
    last, end = route.boxes[-2:]
    tip = _edge(end, last)
    base = tip + (-2 * HEAD if last.y < end.y else 2 * HEAD)
    yield (
        f'<path d="M {end.x:g} {tip:g} L {end.x - HEAD:g} {base:g} L {end.x + HEAD:g} {base:g} Z" '
        f'fill="currentColor" stroke="none"/>'
    )
    yield from _lines(route.label, link)
    yield "</g>"


def _curve(one: Box, other: Box) -> str:
    """A line from the rim of one box to that of another, upright at both."""
    start, end = _edge(one, other), _edge(other, one)
    middle = (start + end) / 2
    return (
        f"M {one.x:g} {start:g} C {one.x:g} {middle:g} {other.x:g} {middle:g} {other.x:g} {end:g}"
    )


def _edge(box: Box, towards: Box) -> float:
    """Where a line to another box leaves a box: its lower or its upper rim."""
    half = box.height / 2
    return box.y + half if towards.y > box.y else box.y - half


def _lines(box: Box, link: Link) -> Iterator[str]:
    first = box.y - (len(box.lines) - 1) * LINE / 2
    for number, line in enumerate(box.lines):
        text = _text(line, box.x, first + number * LINE, "middle")
        address = link(line)
        yield f"<a href={quoteattr(address)}>{text}</a>" if address else text


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" dominant-baseline="central" '
        f'fill="currentColor" stroke="none">{escape(text)}</text>'
    )


def _named(node: Node) -> str:
    return quoteattr("/".join(node))
