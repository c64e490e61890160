"""Which steps commute, and one path for each class of paths that differ only in their order.

Two steps are independent if, in every state that enables both, neither disables the other, both
orders lead to the same state, and the client cannot tell the orders apart.

The first two follow from the rules as data: neither writes what the other reads or writes. A step
of the server reads what its urgent rivals read too, since they hold it back. The inbox is a queue,
and its ends are told apart: taking the head and appending to the tail commute wherever both are
possible, since then it is not empty; emptying it, counting it, or looking at a head that one does
not take touches both ends.

The third is a matter of who looks. The client under test is a program that reacts to what is
delivered to it, to calls, to playout and to the time, and nothing is known of how: between two such
steps it can do anything, so two of them never commute, whatever they do to the model. Only a step
of the server without an event is hidden from it. So at most one of two independent steps is
visible, and a step of the client, which is visible to itself, is bound to all visible ones.

Laws:
- Every path can be turned into exactly one of the reduced ones, by swapping neighbours that are
  independent; so both sets end in the same states and show the client the same sequences.
- Reduced paths are listed in the order of the graph, each made when it is asked for.
- Nothing is recursive: the length of a path is no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from realtime_protocol.graph import Graph
from realtime_protocol.machine import Machine, Step
from realtime_protocol.paths import Path
from realtime_protocol.rule import Rule
from realtime_protocol.state import State
from realtime_protocol.unrolled import Resolved

HEAD, TAIL = "inbox head", "inbox tail"
BOTH_ENDS = frozenset({HEAD, TAIL})
OF_MESSAGE = frozenset({"event", "slot", "argument"})
"""What a step knows of a message: the one at the head, or the one that it sends itself."""

Commuting = tuple[frozenset[int], ...]
"""For each rule of a machine, by its position, those that are independent of it."""


def visible(rule: Rule) -> bool:
    """Whether the client takes part in a step of `rule`, or is told of it."""
    return not (rule.actor == "server" and rule.event == "")


@attrs.frozen
class _Footprint:
    """What a step touches: variables and ends of the inbox; and whether the client sees it."""

    reads: frozenset[str]
    writes: frozenset[str]
    visible: bool

    def commutes(self, other: _Footprint) -> bool:
        """Whether neither touches what the other writes, and at most one is seen."""
        if self.visible and other.visible:
            return False
        mine, theirs = self.reads | self.writes, other.reads | other.writes
        return not self.writes & theirs and not other.writes & mine


def _footprint(resolved: Resolved) -> _Footprint:
    rule = resolved.rule
    named = resolved.reads - OF_MESSAGE
    reads, writes = named - {"inbox"}, resolved.writes - {"inbox"}
    looks = not (rule.is_client or rule.reads) and resolved.reads & OF_MESSAGE
    if "inbox" in named or looks:
        # one that looks at the head without taking it may find nothing there, and then see what
        # is appended: so it is where an urgent step that takes a message holds it back
        reads |= BOTH_ENDS
    if rule.reads:
        writes |= {HEAD}
    if rule.sends:
        writes |= {TAIL}
    if rule.clears:
        writes |= BOTH_ENDS
    return _Footprint(reads, writes, visible(rule))


def independent(machine: Machine, a: int, b: int) -> bool:
    """Whether the steps of two rules are independent; rules are given by their position."""
    return _footprint(machine.resolved[a]).commutes(_footprint(machine.resolved[b]))


def commuting(machine: Machine) -> Commuting:
    """The relation of `independent` for all rules of a machine, as a table."""
    touched = [_footprint(resolved) for resolved in machine.resolved]
    return tuple(
        frozenset(b for b, other in enumerate(touched) if one.commutes(other)) for one in touched
    )


def sleep_after(
    relation: Commuting, sleep: frozenset[int], taken: int, enabled: Sequence[int] = ()
) -> frozenset[int]:
    """What a stateless search leaves out after a step: the sleep set of the node it leads to.

    `sleep` is the sleep set of the node where `taken` is a choice, and `enabled` lists all choices
    there in the order in which they are tried. A choice in `sleep` is not tried. After a choice,
    call this with what was enabled; then, for each step that the client was seen to take before the
    next choice, again without: a client that reacts wakes whatever its reaction touches.

    Raises:
        ValueError: `taken` is asleep, or not among the choices.
    """
    if enabled and taken not in enabled:
        raise ValueError(f"step {taken} is none of the choices {list(enabled)}")
    if taken in sleep:
        raise ValueError(f"step {taken} is asleep: it was tried before, of {sorted(sleep)}")
    earlier = enabled[: enabled.index(taken)] if enabled else ()
    return (sleep | frozenset(earlier)) & relation[taken]


def reduced_paths(graph: Graph) -> Iterator[Path]:
    """One path for each class of paths, in order, each made when it is asked for.

    The paths of the graph are walked with sleep sets. A sleep set holds the steps that were taken
    elsewhere and have met nothing since that they depend on: taking one now would only be another
    order of a path that has its representative already.

    Raises:
        CyclicGraph: at once; there is no end to the paths.
    """
    graph.topological()
    return _walk(graph, commuting(graph.machine))


_Node = tuple[State, frozenset[Step]]
"""A state and its sleep set."""


def _walk(graph: Graph, relation: Commuting) -> Iterator[Path]:
    path: list[int] = []
    root: _Node = (graph.machine.initial, frozenset())
    if graph.accepting(root[0]):
        yield ()
    waiting = [_branches(graph, relation, root)]
    while waiting:
        branch = next(waiting[-1], None)
        if branch is None:
            waiting.pop()
            del path[-1:]
            continue
        position, node = branch
        path.append(position)
        if graph.accepting(node[0]):
            yield tuple(path)
        waiting.append(_branches(graph, relation, node))


def _branches(graph: Graph, relation: Commuting, node: _Node) -> Iterator[tuple[int, _Node]]:
    """The positions that are not left out at a node, with the nodes they lead to."""
    state, sleep = node
    asleep = set(sleep)
    for position, (number, argument, target) in enumerate(graph.successors[state]):
        step = Step(number, argument)
        if step in sleep:
            continue
        yield position, (target, _still_asleep(asleep, relation[number]))
        asleep.add(step)


def _still_asleep(asleep: Iterable[Step], undisturbed: frozenset[int]) -> frozenset[Step]:
    return frozenset(step for step in asleep if step.rule in undisturbed)


def count_reduced(graph: Graph) -> int:
    """Exact number of the reduced paths, counted without listing them.

    Raises:
        CyclicGraph: the number is not finite.
    """
    graph.topological()
    relation = commuting(graph.machine)
    root: _Node = (graph.machine.initial, frozenset())
    found: dict[_Node, int] = {}
    waiting = [root]
    while waiting:
        node = waiting[-1]
        if node in found:
            waiting.pop()
            continue
        onward = [after for _, after in _branches(graph, relation, node)]
        unknown = [after for after in onward if after not in found]
        if unknown:
            waiting += unknown
            continue
        found[node] = int(graph.accepting(node[0])) + sum(found[after] for after in onward)
        waiting.pop()
    return found[root]
