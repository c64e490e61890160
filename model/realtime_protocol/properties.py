"""What the rules add up to: laws of every step, ends that must come, and states that must be there.

A property is data in the language of the rules. There are three groups:

- *always*: `invariant` (of every state), `precondition` (of the state before every step of some
  rules) and `stable` (what no step changes any more);
- *eventually*: `leads-to`, checked under weak fairness;
- *sometimes*: something that at least one scope must show, or the model says nothing of it.

Laws:
- A property whose premise never holds is `vacuous`: it has neither passed nor failed.
- What is violated has a counterexample: a walk from the initial state, by clause ids.
- Nothing of a rule is repeated in code: names are resolved as in a rule, under the same bounds.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Any, Literal

import attrs

from realtime_protocol.expressions import ExpressionError, Translator, reads, variable
from realtime_protocol.graph import Graph
from realtime_protocol.machine import Machine, Step
from realtime_protocol.ranges import simplified
from realtime_protocol.rule import Actor, Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.rules.conversation import PLACE_TO_BE
from realtime_protocol.rules.response import WHOLE
from realtime_protocol.rules.words import ACTIVE
from realtime_protocol.state import State

Kind = Literal["invariant", "precondition", "stable", "leads-to", "sometimes"]
Outcome = Literal["holds", "violated", "vacuous"]
Function = Callable[[State, int], Any]
"""A compiled expression: its value in a state, given the argument of a step."""
Edge = tuple[int, int, State]
"""Rule, argument and target of a step, as a graph lists them."""


class UnknownProperty(ValueError):
    """No property has that id, or it is not of the kind that is asked for."""


@attrs.frozen(kw_only=True)
class Property:
    """One property.

    `of` is whose law it is: those of the client bind a correct one only, all others hold whatever
    the client does.
    `over` gives the slots that an `invariant`, a `stable` or a `leads-to` is checked in, as in a
    rule; a `precondition` has the slots, and the argument, of the step instead.

    - `invariant`: `holds` in every state where `given`.
    - `precondition`: `holds` before every step of `rules`.
    - `stable`: no step that begins where `given` changes the value of `holds`, unless it is a step
      of `unless`.
    - `leads-to`: whenever `given`, `holds` there or later, unless steps of `unless` go on for ever.
    - `sometimes`: `holds` in a state of at least one scope, or a step of `rules` is in one.

    `rules` and `unless` name clause ids; `*` stands for any part of one.
    """

    id: str
    kind: Kind
    of: Actor
    about: str
    source: str
    over: Mapping[str, str] = attrs.field(factory=dict)
    given: str = "True"
    holds: str = "True"
    rules: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Verdict:
    """What a check found.

    `premise` is the number of states or steps that the property said something about, as far as
    they were looked at.
    `path` leads from the initial state to `state`, where it is violated; the last step of it is the
    offending one of a step law. `loop` lists the steps that go on for ever from there, if any.
    """

    law: Property
    outcome: Outcome
    premise: int
    slots: Mapping[str, int] = attrs.field(factory=dict)
    path: tuple[str, ...] = ()
    loop: tuple[str, ...] = ()
    state: State | None = None

    @property
    def holds(self) -> bool:
        """Whether there is no counterexample, and something to say."""
        return self.outcome == "holds"


@attrs.frozen
class Row:
    """One line of a report; the scope of a `sometimes` is the first that shows it."""

    id: str
    kind: Kind
    scope: str
    outcome: Outcome
    premise: int
    verdict: Verdict | None = None
    """With the counterexample; none of a `sometimes`."""


# -- reading expressions ----------------------------------------------------------------------


class _Reader:
    """Compiles expressions over the fields of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._translator = Translator(FIELDS, machine.bounds)
        self._positions = {variable(field.name): n for n, field in enumerate(machine.fields)}
        self._constants = {variable(name): value for name, value in machine.constants.items()}
        self._known = {name: frozenset({value}) for name, value in self._constants.items()}

    def places(self, law: Property) -> Iterator[dict[str, int]]:
        """Every combination of the slots of a property where its premise can hold, in order."""
        sizes = [range(self._translator.number(size)) for size in law.over.values()]
        for place in itertools.product(*sizes):
            slots = dict(zip(law.over, place, strict=True))
            given = self.resolve(law.given, slots)
            if not isinstance(given, ast.Constant) or given.value:
                yield slots

    def resolve(self, text: str, slots: Mapping[str, int]) -> ast.expr:
        """The syntax tree in variables and numbers, with what never changes folded."""
        return simplified(self._translator.resolve(text, "", slots), self._known)

    def function(self, text: str, slots: Mapping[str, int]) -> Function:
        """`text` as a function of a state and an argument.

        Raises:
            ExpressionError: it is outside the language, or names something unknown.
        """
        body = _Placed(self._positions, self._constants, text).visit(self.resolve(text, slots))
        source = f"lambda state, argument: {ast.unparse(body)}"
        compiled: Function = eval(compile(source, "<property>", "eval"))
        return compiled


class _Placed(ast.NodeTransformer):
    """Puts the place in the state, or the constant value, where a variable stands."""

    def __init__(
        self, positions: Mapping[str, int], constants: Mapping[str, int], text: str
    ) -> None:
        self._places = {**positions, "inbox": -1}
        self._constants = constants
        self._text = text

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._places:
            return ast.parse(f"state[{self._places[node.id]}]", mode="eval").body
        if node.id in self._constants:
            return ast.Constant(self._constants[node.id])
        if node.id in ("argument", "len", "min", "max"):
            return node
        raise ExpressionError(f"{node.id!r} means nothing in a property, in {self._text!r}")


def named(clause: str, patterns: Iterable[str]) -> bool:
    """Whether a clause id is one of `patterns`, where `*` is any part of one."""
    return any(fnmatchcase(clause, pattern) for pattern in patterns)


def _numbers(machine: Machine, patterns: Iterable[str]) -> frozenset[int]:
    return frozenset(n for n, rule in enumerate(machine.rules) if named(rule.id, patterns))


# -- always -----------------------------------------------------------------------------------


@attrs.frozen
class _Broken:
    """Where a check failed: a state, the way there, and what goes on for ever from it."""

    state: State
    path: tuple[str, ...]
    loop: tuple[str, ...] = ()


_Found = tuple[int, "_Broken | None"]
"""How often the premise held, and the first place where the law did not."""


def check_always(graph: Graph, law: Property) -> Verdict:
    """Check an `invariant`, a `precondition` or a `stable` in all states and steps of `graph`.

    Raises:
        UnknownProperty: the property is of another kind.
    """
    _of_kind(law, *_CHECKS)
    reader = _Reader(graph.machine)
    premise = 0
    for slots in reader.places(law):
        count, broken = _CHECKS[law.kind](graph, law, reader, slots)
        premise += count
        if broken is not None:
            return _violated(law, premise, slots, broken)
    return Verdict(law=law, outcome="holds" if premise else "vacuous", premise=premise)


def _invariant(graph: Graph, law: Property, reader: _Reader, slots: Mapping[str, int]) -> _Found:
    given, holds = reader.function(law.given, slots), reader.function(law.holds, slots)
    count = 0
    for state in graph.successors:
        if given(state, 0):
            count += 1
            if not holds(state, 0):
                return count, _Broken(state, path_to(graph, state))
    return count, None


def _precondition(graph: Graph, law: Property, reader: _Reader, _: Mapping[str, int]) -> _Found:
    rules = graph.machine.rules
    holds = {
        number: reader.function(law.holds, rules[number].at)
        for number in _numbers(graph.machine, law.rules)
    }
    count = 0
    for state, outgoing in graph.successors.items():
        for edge in outgoing:
            if edge[0] in holds:
                count += 1
                if not holds[edge[0]](state, _argument(rules[edge[0]], state, edge)):
                    return count, _after(graph, state, edge)
    return count, None


def _argument(rule: Rule, state: State, edge: Edge) -> int:
    """The argument of the message that a step sends or reads."""
    if not rule.reads:
        return edge[1]
    inbox = state[-1]
    assert isinstance(inbox, tuple)
    return int(inbox[0][2])


def _stable(graph: Graph, law: Property, reader: _Reader, slots: Mapping[str, int]) -> _Found:
    given, value = reader.function(law.given, slots), reader.function(law.holds, slots)
    excused = _numbers(graph.machine, law.unless)
    count = 0
    for state, outgoing in graph.successors.items():
        if not given(state, 0):
            continue
        before = value(state, 0)
        for edge in outgoing:
            if edge[0] not in excused:
                count += 1
                if value(edge[2], 0) != before:
                    return count, _after(graph, state, edge)
    return count, None


_CHECKS: Mapping[str, Callable[[Graph, Property, _Reader, Mapping[str, int]], _Found]] = {
    "invariant": _invariant,
    "precondition": _precondition,
    "stable": _stable,
}


def _of_kind(law: Property, *kinds: str) -> None:
    if law.kind not in kinds:
        expected = ", ".join(kinds)
        raise UnknownProperty(f"{law.id!r} is of kind {law.kind!r}; expected {expected}")


def _after(graph: Graph, state: State, edge: Edge) -> _Broken:
    number, argument, target = edge
    last = shown(graph.machine.rules[number], argument)
    return _Broken(target, (*path_to(graph, state), last))


def _violated(law: Property, premise: int, slots: Mapping[str, int], broken: _Broken) -> Verdict:
    return Verdict(
        law=law,
        outcome="violated",
        premise=premise,
        slots=dict(slots),
        path=broken.path,
        loop=broken.loop,
        state=broken.state,
    )


def shown(rule: Rule, argument: int) -> str:
    """A step in words: the clause id, its slot, and the argument of the message it sends."""
    return f"{rule.label}({argument})" if rule.sends else rule.label


def path_to(graph: Graph, target: State) -> tuple[str, ...]:
    """The steps of a shortest walk from the initial state to `target`.

    Raises:
        KeyError: it is not reachable.
    """
    came: _Came = {graph.machine.initial: None}
    waiting = deque([graph.machine.initial])
    while waiting and target not in came:
        state = waiting.popleft()
        for edge in graph.successors[state]:
            if edge[2] not in came:
                came[edge[2]] = (state, edge)
                waiting.append(edge[2])
    return _walked(graph, came, target)[1]


_Came = dict[State, "tuple[State, Edge] | None"]
"""How a search first came to each state; None where it began."""


def _walked(graph: Graph, came: _Came, target: State) -> tuple[State, tuple[str, ...]]:
    """Where the way of a search to `target` began, and its steps."""
    path: list[str] = []
    state, step = target, came[target]
    while step is not None:
        number, argument, _ = step[1]
        path.append(shown(graph.machine.rules[number], argument))
        state = step[0]
        step = came[state]
    return state, tuple(reversed(path))


# -- eventually -------------------------------------------------------------------------------

OPTIONAL = (
    "client.response.cancel*",
    "client.response.create.aside",
    "client.conversation.item.truncate",
    "client.conversation.item.delete",
    "client.conversation.item.retrieve",
    "client.conversation.item.create.again",
    "client.conversation.item.create.anew",
    "client.conversation.item.create.copy",
    "client.conversation.item.create.duplicate",
    "client.speaker.pause",
)
"""What a correct client may leave undone for ever."""

ENDS = ("app.tool.returns", "app.answers_turn")
"""What is expected of the app: its functions end, and it asks for the reply that a turn lacks."""


def is_fair(rule: Rule) -> bool:
    """Whether a step that stays possible is taken at last.

    So it is for server, network, speaker and clock, for what a client owes, and for what is
    expected of the app; not for disturbances, and not for what people begin by their own will.
    """
    if rule.disturbs:
        return False
    if rule.is_client:
        return not named(rule.id, OPTIONAL)
    return rule.actor in ("server", "network", "speaker", "clock") or named(rule.id, ENDS)


@attrs.frozen
class Quotient:
    """A graph without the fields that only count: its states in classes, and steps between them.

    `members` has the states of each class, `steps` the rules and target classes of the steps that
    leave any of them, in order of first appearance and each once.
    `recurrent` has the classes that lie on a cycle.
    """

    graph: Graph
    fair: frozenset[int]
    class_of: Mapping[State, int]
    members: Sequence[Sequence[State]]
    steps: Sequence[Sequence[tuple[int, int]]]
    recurrent: frozenset[int]


def quotient(graph: Graph) -> Quotient:
    """Merge the states of `graph` that differ in budget fields only."""
    machine = graph.machine
    kept = [n for n, field in enumerate(machine.fields) if not field.budget]
    # behind the last field stands the inbox
    projection = itemgetter(*kept, len(machine.fields))
    numbers: dict[object, int] = {}
    class_of: dict[State, int] = {}
    members: list[list[State]] = []
    for state in graph.successors:
        number = numbers.setdefault(projection(state), len(numbers))
        class_of[state] = number
        if number == len(members):
            members.append([])
        members[number].append(state)
    merged: list[dict[tuple[int, int], None]] = [{} for _ in members]
    for state, outgoing in graph.successors.items():
        steps = merged[class_of[state]]
        for rule, _, target in outgoing:
            steps[rule, class_of[target]] = None
    listed = [list(steps) for steps in merged]
    whole = components(range(len(listed)), lambda n: [target for _, target in listed[n]])
    fair = frozenset(n for n, rule in enumerate(machine.rules) if is_fair(rule))
    recurrent = frozenset(itertools.chain.from_iterable(whole))
    return Quotient(graph, fair, class_of, members, listed, recurrent)


def check_eventually(merged: Quotient, law: Property) -> Verdict:
    """Check a `leads-to`: no fair run from a state where `given` avoids `holds` for ever.

    A run can avoid it in two ways, and each is looked for where it can be told.

    It stops: in a state of the graph that enables no fair step. The graph has no cycles, so for the
    system *under its bounds* this is all there is, and it is exact. A run that only a used-up
    budget stops is reported too.

    It goes round: budgets cut every cycle of the graph, so cycles are looked for in the quotient,
    in strongly connected components of classes where `holds` is false. A component is fair if each
    fair rule is taken in it, or is disabled in at least one of its states. Limits, to be honest:

    - A step of the quotient is one that *some* member of the class can take, so a cycle may be put
      together from steps that no single run takes in turn: a false alarm is possible, and is to be
      answered by a better field, or by `unless` and a reason.
    - A rule counts as disabled in a class if *any* member disables it. This errs to the same side:
      it lets more components pass as fair.
    - Behaviour that only larger bounds reach is not there, in the quotient neither: a livelock that
      needs more than the budgets give before its cycle closes *once* is missed.
    - The path of a cycle leads to a state of it by the shortest way, which need not be one on which
      the premise held; the path of a run that stops does.

    Raises:
        UnknownProperty: the property is of another kind.
        ExpressionError: it reads a field that the quotient does not have.
    """
    _of_kind(law, "leads-to")
    graph = merged.graph
    reader = _Reader(graph.machine)
    premise = 0
    for slots in reader.places(law):
        _reads_no_budget(graph.machine, law, reader, slots)
        given, holds = reader.function(law.given, slots), reader.function(law.holds, slots)
        waits = [state for state in graph.successors if given(state, 0) and not holds(state, 0)]
        premise += len(waits)
        broken = _stops(merged, waits, holds) or _goes_round(merged, waits, holds, law)
        if broken is not None:
            return _violated(law, premise, slots, broken)
    return Verdict(law=law, outcome="holds" if premise else "vacuous", premise=premise)


def _reads_no_budget(
    machine: Machine, law: Property, reader: _Reader, slots: Mapping[str, int]
) -> None:
    budget = {variable(field.name) for field in machine.fields if field.budget}
    for text in (law.given, law.holds):
        counted = sorted(reads(reader.resolve(text, slots)) & budget)
        if counted:
            raise ExpressionError(
                f"{law.id!r} reads {counted[0]!r}, a budget; expected behaviour only, in {text!r}"
            )


def _stops(merged: Quotient, waits: Sequence[State], holds: Function) -> _Broken | None:
    """A state where nothing fair is left to do, reached from `waits` without `holds`."""
    graph = merged.graph
    came: _Came = dict.fromkeys(waits)
    waiting = deque(waits)
    while waiting:
        state = waiting.popleft()
        outgoing = graph.successors[state]
        if not any(number in merged.fair for number, _, _ in outgoing):
            begun, path = _walked(graph, came, state)
            return _Broken(state, (*path_to(graph, begun), *path))
        for edge in outgoing:
            if edge[2] not in came and not holds(edge[2], 0):
                came[edge[2]] = (state, edge)
                waiting.append(edge[2])
    return None


def _goes_round(
    merged: Quotient, waits: Sequence[State], holds: Function, law: Property
) -> _Broken | None:
    """A fair component of the quotient, reached from `waits` without `holds`."""
    if not merged.recurrent:
        return None
    excused = _numbers(merged.graph.machine, law.unless)
    inside = _without(merged, waits, holds) & merged.recurrent

    def onward(number: int) -> list[int]:
        return [to for rule, to in merged.steps[number] if to in inside and rule not in excused]

    for component in components(sorted(inside), onward):
        taken = {
            rule
            for number in component
            for rule, target in merged.steps[number]
            if target in component and rule not in excused
        }
        if _always_on(merged, component) <= taken:
            rules = merged.graph.machine.rules
            loop = tuple(rules[number].label for number in sorted(taken))
            state = merged.members[min(component)][0]
            return _Broken(state, path_to(merged.graph, state), loop)
    return None


def _without(merged: Quotient, waits: Sequence[State], holds: Function) -> set[int]:
    """The classes that can be reached from `waits` through classes without `holds`."""
    seen = {merged.class_of[state] for state in waits}
    waiting = sorted(seen)
    while waiting:
        for _, target in merged.steps[waiting.pop()]:
            if target not in seen and not holds(merged.members[target][0], 0):
                seen.add(target)
                waiting.append(target)
    return seen


def _always_on(merged: Quotient, component: Collection[int]) -> set[int]:
    """The fair rules that no state of a component disables."""
    enabled = set(merged.fair)
    for number in component:
        for state in merged.members[number]:
            enabled &= {rule for rule, _, _ in merged.graph.successors[state]}
    return enabled


def components(
    nodes: Iterable[int], onward: Callable[[int], Sequence[int]]
) -> Iterator[frozenset[int]]:
    """The strongly connected components that hold a cycle: Tarjan's algorithm without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in nodes:
        if root in index:
            continue
        calls = [(root, iter(onward(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while calls:
            node, targets = calls[-1]
            target = next(targets, None)
            if target is None:
                calls.pop()
                if calls:
                    low[calls[-1][0]] = min(low[calls[-1][0]], low[node])
                if low[node] == index[node]:
                    component = _popped(stack, on_stack, node)
                    if len(component) > 1 or node in onward(node):
                        yield component
            elif target not in index:
                index[target] = low[target] = len(index)
                stack.append(target)
                on_stack.add(target)
                calls.append((target, iter(onward(target))))
            elif target in on_stack:
                low[node] = min(low[node], index[target])


def _popped(stack: list[int], on_stack: set[int], last: int) -> frozenset[int]:
    component: set[int] = set()
    while last not in component:
        component.add(stack.pop())
    on_stack -= component
    return frozenset(component)


# -- sometimes --------------------------------------------------------------------------------


def taken(graph: Graph) -> Counter[str]:
    """How many steps of `graph` each clause id has; those that have none are left out."""
    edges = itertools.chain.from_iterable(graph.successors.values())
    numbers = Counter(number for number, _, _ in edges)
    found: Counter[str] = Counter()
    for number, count in numbers.items():
        found[graph.machine.rules[number].id] += count
    return found


def fired(graph: Graph) -> frozenset[str]:
    """The clause ids of all rules that some step of `graph` takes."""
    return frozenset(taken(graph))


def unfired(graphs: Iterable[Graph], rules: Sequence[Rule] = RULES) -> tuple[str, ...]:
    """The clause ids of `rules` that no step of any graph takes, in the order of the rules."""
    found: frozenset[str] = frozenset().union(*map(fired, graphs))
    return tuple(rule.id for rule in rules if rule.id not in found)


def lawless(machine: Machine, limit: int) -> Graph:
    """What comes of a client that takes every step that is possible, the forbidden ones included.

    Breadth first, until `limit` states are expanded; those that are left then have no steps.
    """
    successors: dict[State, list[Edge]] = {}
    seen = {machine.initial}
    waiting = deque([machine.initial])
    while waiting and len(successors) < limit:
        state = waiting.popleft()
        successors[state] = list(_lawless_steps(machine, state))
        for _, _, target in successors[state]:
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    successors.update((state, []) for state in waiting)
    return Graph(machine, successors)


def _lawless_steps(machine: Machine, state: State) -> Iterator[Edge]:
    steps = [Step(number) for number in machine.environment(state)] + machine.client(state)
    for step in sorted(steps):
        target = machine.after(state, step)
        if target != state:
            yield step.rule, step.argument, target


def shows(graph: Graph, law: Property) -> int:
    """How many steps or states of `graph` are what a `sometimes` asks for.

    Raises:
        UnknownProperty: the property is of another kind.
    """
    return _shown(graph, law, taken(graph))


def _shown(graph: Graph, law: Property, counts: Mapping[str, int]) -> int:
    _of_kind(law, "sometimes")
    if law.rules:
        return sum(n for clause, n in counts.items() if named(clause, law.rules))
    holds = _Reader(graph.machine).function(law.holds, {})
    return sum(bool(holds(state, 0)) for state in graph.successors)


# -- all of them ------------------------------------------------------------------------------


def find(clause: str) -> Property:
    """The property with an id.

    Raises:
        UnknownProperty: there is none; the message lists those that there are.
    """
    for law in PROPERTIES:
        if law.id == clause:
            return law
    choices = ", ".join(law.id for law in PROPERTIES)
    raise UnknownProperty(f"no property {clause!r}; expected one of {choices}")


def evaluate(
    graphs: Iterable[tuple[str, Graph]], properties: Sequence[Property] | None = None
) -> list[Row]:
    """Check `properties`, or all, in every graph; graphs are looked at one by one, with their name.

    There is a row for each law and graph, and one row for each `sometimes`, behind them.
    """
    laws = PROPERTIES if properties is None else properties
    wanted = [law for law in laws if law.kind == "sometimes"]
    rows: list[Row] = []
    first: dict[str, str] = {}
    there: Counter[str] = Counter()
    for name, graph in graphs:
        rows += (
            Row(found.law.id, found.law.kind, name, found.outcome, found.premise, found)
            for found in _verdicts(graph, laws)
        )
        counts = taken(graph)
        for law in wanted:
            count = _shown(graph, law, counts)
            if count:
                first.setdefault(law.id, name)
                there[law.id] += count
    for law in wanted:
        outcome: Outcome = "holds" if there[law.id] else "violated"
        rows.append(Row(law.id, law.kind, first.get(law.id, ""), outcome, there[law.id]))
    return rows


def _verdicts(graph: Graph, laws: Sequence[Property]) -> Iterator[Verdict]:
    merged = quotient(graph) if any(law.kind == "leads-to" for law in laws) else None
    for law in laws:
        if law.kind in _CHECKS:
            yield check_always(graph, law)
        elif law.kind == "leads-to" and merged is not None:
            yield check_eventually(merged, law)


def never_looked_at(rows: Iterable[Row]) -> tuple[str, ...]:
    """The ids of all laws that are vacuous in every scope."""
    said: dict[str, bool] = {}
    for row in rows:
        said[row.id] = said.get(row.id, False) or row.outcome != "vacuous"
    return tuple(clause for clause, something in said.items() if not something)


# -- the properties ---------------------------------------------------------------------------

GONE = ("network.drops", "network.closes*", "client.close")
"""The steps that end a socket, and with it the conversation."""

R = "m // OUTPUTS"
"""The response that the output item in slot `m` belongs to."""

CONTENT = "(kind[m], whole[m], transcript[m], audio[m], text[m], part[m])"
"""What was sent of an item."""

ALWAYS: tuple[Property, ...] = (
    # -- responses
    Property(
        id="one-response",
        kind="invariant",
        of="server",
        about="At most one response writes to the default conversation.",
        source="SDK response_create_event.py; facts 7.1",
        given=ACTIVE,
        holds="sum(response[r] == active and oob[r] == 0 for r in RESPONSES) == 1",
    ),
    Property(
        id="created-when-free",
        kind="precondition",
        of="server",
        about="A response of the default conversation begins only when none is active there.",
        source="SDK response_create_event.py; facts 7.1",
        rules=("server.response.created.requested", "server.response.created.turn"),
        holds=f"not {ACTIVE}",
    ),
    Property(
        id="slots-in-order",
        kind="invariant",
        of="server",
        about="Responses take their slots in the order of creation.",
        source="by definition of the slots",
        over={"r": "RESPONSES"},
        holds="(response[r] == unused) == (begun <= r)",
    ),
    Property(
        id="done-closes-items",
        kind="invariant",
        of="server",
        about="A response that is done has closed all of its items, those apart that one dialect "
        "leaves open when speech cuts it.",
        source="SDK response_done_event.py; facts 2.2; CAS-F xai_ws handle_barge_in",
        over={"r": "RESPONSES"},
        given="response[r] == done and (CUT_UNCLOSED == 0 or ending[r] != turn_detected)",
        holds="ending[r] != running"
        " and all(q // OUTPUTS != r or output[q] in (nothing, closed) for q in OUTS)",
    ),
    Property(
        id="done-is-last",
        kind="stable",
        of="server",
        about="Nothing of a response comes after its done, or after the loss of its socket.",
        source="SDK response_done_event.py; facts 2.2",
        over={"m": "OUTS"},
        given=f"response[{R}] in (done, lost)",
        holds=f"(response[{R}], ending[{R}], opened[{R}], output[m], mcp[m], {CONTENT[1:]}",
    ),
    Property(
        id="unused-is-empty",
        kind="invariant",
        of="server",
        about="Nothing of a response comes before its created.",
        source="SDK response_created_event.py; facts 2.2",
        over={"m": "OUTS"},
        given=f"response[{R}] == unused",
        holds=f"output[m] == nothing and ending[{R}] == running and kind[m] == none"
        " and item[m] == absent",
    ),
    Property(
        id="begins-uncut",
        kind="precondition",
        of="client",
        about="A reply that a turn begins is not interrupted before it has begun.",
        source="by definition: an interruption cuts what is under way",
        rules=("server.response.created.turn", "server.response.created.aside"),
        holds="cut[r] == 0",
    ),
    Property(
        id="output-goes-forward",
        kind="stable",
        of="server",
        about="The events of an item keep their order.",
        source="facts 2.1, 2.2",
        over={"m": "OUTS", "stage": "10"},
        given="output[m] == stage",
        holds="output[m] >= stage",
        unless=("server.response.content_part.added.next",),
    ),
    Property(
        id="no-delta-after-done",
        kind="stable",
        of="server",
        about="No delta follows the done of its content, whatever cut it.",
        source="SDK response_audio_done_event.py; facts 2.1",
        over={"m": "OUTS"},
        given="output[m] > streaming",
        holds=CONTENT,
        unless=("server.response.content_part.added.next",),
    ),
    Property(
        id="no-delta-before-part",
        kind="invariant",
        of="server",
        about="No content comes before its part is declared.",
        source="SDK response_content_part_added_event.py; facts 2.1, 2.2",
        over={"m": "OUTS"},
        given="output[m] < streaming and kind[m] in (none, audio, text)",
        holds="transcript[m] == 0 and audio[m] == 0 and text[m] == 0",
    ),
    Property(
        id="cut-sends-no-more",
        kind="stable",
        of="server",
        about="Of a response that was cut nothing comes but what closes it.",
        source="facts 2.2, 3.3a, 4",
        over={"m": "OUTS"},
        given=f"ending[{R}] not in (running, completed)",
        holds="(opened[m // OUTPUTS], kind[m], transcript[m], audio[m], text[m])",
        unless=("server.late.delta",),
    ),
    Property(
        id="ending-is-final",
        kind="stable",
        of="server",
        about="How a response ends is settled once.",
        source="SDK realtime_response_status.py; facts 7.2",
        over={"r": "RESPONSES"},
        given="ending[r] != running",
        holds="ending[r]",
    ),
    Property(
        id="completed-is-whole",
        kind="invariant",
        of="server",
        about="A response that completes has sent all of every item.",
        source="facts 2.1",
        over={"m": "OUTS"},
        given=f"response[{R}] == done and ending[{R}] == completed and output[m] != nothing",
        holds=f"whole[m] == 1 and {WHOLE.format(m='m')}",
    ),
    Property(
        id="oob-is-not-cut",
        kind="stable",
        of="server",
        about="A cancel stops a response outside of the default conversation only by its id, and "
        "turn detection never.",
        source="SDK response_cancel_event.py; facts 4, 7.1",
        over={"r": "RESPONSES"},
        given="oob[r] == 1 and ending[r] == running",
        holds="ending[r] in (turn_detected, client_cancelled)",
        unless=("server.reads.response.cancel.one",),
    ),
    Property(
        id="oob-adds-nothing",
        kind="invariant",
        of="server",
        about="An item outside of the default conversation is never in it.",
        source="SDK response_create_event.py; facts 7.1",
        over={"m": "OUTS"},
        given=f"oob[{R}] == 1 and output[m] != nothing",
        holds="item[m] == absent",
    ),
    # -- requests
    Property(
        id="requests-are-counted",
        kind="invariant",
        of="server",
        about="Every request that is open is in flight, or was read and is about to be answered.",
        source="facts 2.4",
        given="requested > 0",
        holds="pending <= requested and requested <= len(inbox) + pending",
    ),
    Property(
        id="pending-is-requested",
        kind="invariant",
        of="server",
        about="What the server is about to answer was asked for.",
        source="facts 2.4",
        given="pending > 0",
        holds="requested >= pending",
    ),
    Property(
        id="updates-are-counted",
        kind="invariant",
        of="server",
        about="Every session.update without an answer is in flight.",
        source="SDK session_updated_event.py; facts 2.4",
        given="updates > 0",
        holds="updates <= len(inbox)",
    ),
    Property(
        id="withdrawn-is-recalled",
        kind="stable",
        of="app",
        about="A reply that was interrupted before it was requested is interrupted still if it is "
        "requested after all.",
        source="by definition: an interruption cuts what is under way",
        given="asked == withdrawn and requested == 0",
        holds="requested == 0 or recalled == 1",
    ),
    Property(
        id="recalled-begins-cut",
        kind="stable",
        of="server",
        about="A reply that was interrupted before it began begins as one that is cut.",
        source="by definition: an interruption cuts what is under way",
        over={"r": "RESPONSES"},
        given="recalled == 1 and response[r] == unused",
        holds="response[r] == active and cut[r] == 0",
        unless=(
            "server.response.created.turn",
            "server.response.created.early",
            "server.response.created.aside",
        ),
    ),
    Property(
        id="cut-has-a-cause",
        kind="stable",
        of="app",
        about="A reply is interrupted by the user, by the app, by a cancel or by the end of its "
        "socket, and by nothing else: a hand-over or a change of the session loses none.",
        source="by definition: an interruption cuts what is under way",
        over={"r": "RESPONSES"},
        given="cut[r] == 0 and asked != withdrawn and recalled == 0",
        holds="(cut[r], asked == withdrawn, recalled)",
        unless=(
            "user.barges_in*",
            "app.interrupt*",
            "app.close",
            "client.response.cancel*",
            *GONE,
        ),
    ),
    Property(
        id="cancel-once",
        kind="precondition",
        of="client",
        about="A cancel is sent once for a response, while there is something to cancel.",
        source="SDK response_cancel_event.py; facts 4",
        rules=("client.response.cancel",),
        holds="(requested > 0 or any(response[q] == active for q in RESPONSES))"
        " and all(response[q] != active or oob[q] == 1 or cancelling[q] == 0 for q in RESPONSES)",
    ),
    Property(
        id="cancel-by-id-once",
        kind="precondition",
        of="client",
        about="A cancel that names its response is sent once, while that is active.",
        source="SDK response_cancel_event.py; facts 4",
        rules=("client.response.cancel.one",),
        holds="response[r] == active and cancelling[r] == 0",
    ),
    Property(
        id="request-waits",
        kind="precondition",
        of="client",
        about="A reply is asked for while no other is, and no response is active.",
        source="SDK response_create_event.py; facts 7.1, 8 #2",
        rules=("client.response.create",),
        holds="requested == 0 and all(response[q] != active or oob[q] == 1 for q in RESPONSES)",
    ),
    Property(
        id="commit-has-sound",
        kind="precondition",
        of="client",
        about="A turn is committed of which there is enough, and which was not cleared.",
        source="SDK input_audio_buffer_commit_event.py; facts 3.2, 8 #21",
        rules=("client.input_audio_buffer.commit",),
        holds="buffer == enough and emptying == 0",
    ),
    # -- the conversation
    Property(
        id="socket-is-empty",
        kind="invariant",
        of="network",
        about="Without a session there is no conversation, no response and nothing in flight.",
        source="facts 7.4: no resume",
        given="connection in (connecting, open, closed)",
        holds="pending == 0 and not any(response[q] == active for q in RESPONSES)"
        " and all(item[m] == absent for m in ITEMS)",
    ),
    Property(
        id="closed-sends-nothing",
        kind="invariant",
        of="network",
        about="Nothing is in flight without a socket.",
        source="facts 7.4",
        given="connection in (connecting, closed)",
        holds="len(inbox) == 0",
    ),
    Property(
        id="deleted-stays-deleted",
        kind="stable",
        of="client",
        about="An item that was deleted does not come back on the same socket. Its id is free "
        "again, so this is a law of the client.",
        source="SDK conversation_item_delete_event.py; facts 6",
        over={"m": "ITEMS"},
        given="item[m] == deleted",
        holds="item[m] == deleted",
        unless=GONE,
    ),
    Property(
        id="deleted-is-not-listed",
        kind="precondition",
        of="server",
        about="An item that was deleted is neither added to the conversation nor done in it.",
        source="SDK conversation_item_deleted_event.py; facts 6, 9.12 (open)",
        rules=("server.conversation.item.added.reply", "server.conversation.item.done.reply"),
        holds="item[m] == present",
    ),
    Property(
        id="deleted-is-not-named",
        kind="precondition",
        of="client",
        about="A client that was told that an item is deleted does not name it again. Events are "
        "delivered at once here, so it knows; what was on its way before is no breach.",
        source="facts 6, 8 #7, #8, #9",
        rules=(
            "client.conversation.item.truncate",
            "client.conversation.item.delete",
            "client.conversation.item.retrieve",
        ),
        holds="item[m] == present",
    ),
    Property(
        id="deletion-is-minded",
        kind="precondition",
        of="client",
        about="A client does not name an item that it has asked to delete.",
        source="facts 6, 8 #7, #8, #9",
        rules=(
            "client.conversation.item.truncate",
            "client.conversation.item.delete",
            "client.conversation.item.retrieve",
        ),
        holds="deletes[m] == 0",
    ),
    Property(
        id="place-is-known",
        kind="precondition",
        of="client",
        about="An item is put behind one that is in the conversation, or on its way there.",
        source="SDK conversation_item_create_event.py; facts 6, 8 #11",
        rules=("client.conversation.item.create*",),
        holds=PLACE_TO_BE,
    ),
    Property(
        id="truncate-is-accepted",
        kind="precondition",
        of="client",
        about="A truncation fits when it is read, too: nothing can take the audio away meanwhile.",
        source="SDK conversation_item_truncate_event.py; facts 5",
        rules=(
            "server.conversation.item.truncated",
            "server.rejects.conversation.item.truncate.*",
        ),
        holds="m < OUTS and item[m] == present and kind[m] == audio and audio[m] > 0"
        " and 0 < argument and argument <= audio[m]",
    ),
    Property(
        id="delete-is-accepted",
        kind="precondition",
        of="client",
        about="A deletion finds its item when it is read.",
        source="facts 6, 8 #8",
        rules=("server.conversation.item.deleted", "server.rejects.conversation.item.delete"),
        holds="item[m] == present",
    ),
    Property(
        id="known-or-remembered",
        kind="invariant",
        of="client",
        about="An item is put back only where it is not.",
        source="facts 7.4: no resume; 8 #10",
        over={"m": "ITEMS"},
        given="memory[m] == 1",
        holds="item[m] == absent",
    ),
    Property(
        id="added-then-done",
        kind="invariant",
        of="server",
        about="`done` follows `added` with nothing between, for all items but those of a reply.",
        source="CAS; facts 2.4",
        given="any(entry[m] == 1 for m in ITEMS)",
        holds="sum(entry[m] for m in ITEMS) == 1",
    ),
    # -- time
    Property(
        id="waits-for-a-socket",
        kind="precondition",
        of="clock",
        about="Time passes by itself only while the client has no socket and may still open one.",
        source="by definition: time moves only by a step of the clock or of the speaker",
        rules=("clock.passes",),
        holds="connection == closed and fatal == 0 and leaving != closing and len(inbox) == 0",
    ),
    # -- the user's turns
    Property(
        id="waits-in-a-session",
        kind="invariant",
        of="server",
        about="A turn waits for the app to ask for its reply only where the server makes none, and "
        "within the session that heard it.",
        source="SDK realtime_audio_input_turn_detection.py, create_response; facts 3.2, 7.4",
        given="unanswered == 1",
        holds="CREATE_RESPONSE == 0 and connection in (ready, expiring)",
    ),
    Property(
        id="transcribed-once",
        kind="stable",
        of="server",
        about="The transcription of an item ends once, and nothing of it follows.",
        source="SDK conversation_item_input_audio_transcription_completed_event.py; facts 3.2",
        over={"u": "USERS"},
        given="heard[u] == 1 and connection == ready",
        holds="(heard[u], asr[u])",
    ),
    # -- functions
    Property(
        id="only-calls-run",
        kind="invariant",
        of="client",
        about="Only a function call is carried out.",
        source="GUIDE, function calling",
        over={"m": "OUTS"},
        given="tool[m] != none",
        holds="kind[m] == call",
    ),
    Property(
        id="call-is-complete",
        kind="precondition",
        of="client",
        about="A function is called, and a call answered, once the call is complete.",
        source="GUIDE, function calling; facts 2.1 shape 3",
        rules=("client.call", "client.conversation.item.create.output"),
        holds="output[m] in (item_done, closed)",
    ),
    Property(
        id="call-runs-once",
        kind="stable",
        of="client",
        about="A function runs at most once for each call.",
        source="GUIDE, function calling",
        over={"m": "OUTS"},
        given="tool[m] not in (none, running)",
        holds="tool[m] in (none, running)",
    ),
    Property(
        id="call-is-answered-once",
        kind="stable",
        of="client",
        about="A call is answered at most once.",
        source="GUIDE, function calling; facts 8 #10",
        over={"m": "OUTS"},
        given="tool[m] == answered",
        holds="tool[m]",
    ),
    Property(
        id="cut-call-asks-no-more",
        kind="stable",
        of="client",
        about="The answer to a call of a reply that was interrupted asks for no other reply.",
        source="by definition: an interruption cuts what is under way",
        over={"m": "OUTS"},
        given=f"cut[{R}] == 1 and asked != yes and tool[m] in (returned, raised, cancelled)",
        holds="tool[m] == answered and asked == yes",
    ),
    # -- playout
    Property(
        id="captured-was-sent",
        kind="invariant",
        of="client",
        about="The client hands over no audio that was not delivered.",
        source="GUIDE, handling audio",
        over={"m": "OUTS"},
        given="captured[m] > 0",
        holds="captured[m] <= audio[m]",
    ),
    Property(
        id="played-was-captured",
        kind="invariant",
        of="speaker",
        about="The speaker plays no more than it was handed.",
        source="livekit AudioOutput",
        over={"m": "OUTS"},
        given="played[m] > 0",
        holds="played[m] <= DELTA * captured[m]",
    ),
    Property(
        id="cut-is-not-captured",
        kind="stable",
        of="client",
        about="Nothing of a reply is handed over once it was interrupted.",
        source="GUIDE, interruption and truncation",
        over={"m": "OUTS"},
        given=f"cut[{R}] == 1 and SPEAKER == 1 and captured[m] < audio[m]",
        holds="captured[m]",
    ),
    Property(
        id="cut-stays-cut",
        kind="stable",
        of="client",
        about="An interruption is not taken back.",
        source="GUIDE, interruption and truncation",
        over={"r": "RESPONSES"},
        given="cut[r] == 1",
        holds="cut[r]",
    ),
    Property(
        id="one-segment-open",
        kind="invariant",
        of="client",
        about="One segment is open at a time.",
        source="livekit AudioOutput",
        given="any(segment[m] == open for m in OUTS)",
        holds="sum(segment[m] == open for m in OUTS) == 1",
    ),
    Property(
        id="segment-has-audio",
        kind="invariant",
        of="client",
        about="A segment is what audio was handed over for.",
        source="livekit AudioOutput",
        over={"m": "OUTS"},
        given="segment[m] != none",
        holds="captured[m] > 0",
    ),
    Property(
        id="silent-once-stopped",
        kind="stable",
        of="speaker",
        about="Nothing of a segment is played or handed over once it was cleared or finished.",
        source="livekit AudioOutput.clear_buffer",
        over={"m": "OUTS"},
        given="segment[m] in (cleared, finished)",
        holds="(played[m], captured[m])",
    ),
    Property(
        id="finished-once",
        kind="stable",
        of="speaker",
        about="A segment is finished once.",
        source="livekit AudioOutput.on_playback_finished",
        over={"m": "OUTS"},
        given="segment[m] == finished",
        holds="segment[m]",
    ),
    Property(
        id="heard-in-order",
        kind="stable",
        of="speaker",
        about="Nothing of a segment is played while one before it is not finished.",
        source="livekit AudioOutput",
        over={"m": "OUTS"},
        given="any(p < m and segment[p] not in (none, finished) for p in OUTS)",
        holds="(played[m], segment[m] == finished)",
    ),
    Property(
        id="only-cut-is-dropped",
        kind="precondition",
        of="client",
        about="The client drops no audio of a reply that was not interrupted.",
        source="GUIDE, interruption and truncation; livekit AudioOutput.clear_buffer",
        rules=("client.speaker.clear",),
        holds="all(segment[m] not in (open, flushed) or cut[m // OUTPUTS] == 1 for m in OUTS)",
    ),
    Property(
        id="silent-while-paused",
        kind="stable",
        of="speaker",
        about="The speaker is silent while it is paused.",
        source="livekit AudioOutput.pause",
        over={"m": "OUTS"},
        given="paused == 1",
        holds="played[m]",
    ),
    Property(
        id="call-is-live",
        kind="precondition",
        of="server",
        about="On a call nothing is told of the playout of a reply that was lost.",
        source="facts 2.6, 7.4: no resume",
        rules=("server.output_audio_buffer.*",),
        holds=f"response[{R}] in (active, done)",
    ),
    Property(
        id="call-sounds-once",
        kind="stable",
        of="server",
        about="On a call the playout of a message is begun once, and stopped once.",
        source="SDK output_audio_buffer started, stopped; facts 2.6",
        over={"m": "OUTS"},
        given="sounding[m] == ended",
        holds="sounding[m]",
    ),
    Property(
        id="early-response-waits",
        kind="invariant",
        of="server",
        about="A response that is created while its turn is heard opens no item before the commit.",
        source="CAS-F xai_ws handle_barge_in",
        given="early == 1",
        holds="all(response[r] != active or oob[r] == 1 or opened[r] == 0 for r in RESPONSES)",
    ),
    Property(
        id="early-item-is-of-a-turn",
        kind="invariant",
        of="server",
        about="An item that is added when speech begins belongs to the turn that is heard.",
        source="CAS xai_ws, CAS-F xai_ws",
        given="entered != no",
        holds="turn in (open, stopped) and spoken > 0",
    ),
)

ENDED_SOCKET = "connection not in (open, ready)"
"""What was asked of the server on it will not be answered any more."""

EVENTUALLY: tuple[Property, ...] = (
    Property(
        id="response-ends",
        kind="leads-to",
        of="server",
        about="A response that is active is done at last, or lost with its socket.",
        source="SDK response_done_event.py; facts 2.2",
        over={"r": "RESPONSES"},
        given="response[r] == active",
        holds="response[r] in (done, lost)",
    ),
    Property(
        id="request-is-begun",
        kind="leads-to",
        of="server",
        about="A response.create that was accepted is followed by its response.created.",
        source="SDK response_create_event.py; facts 7.1",
        given="pending == 1",
        holds="pending == 0",
    ),
    Property(
        id="requests-are-answered",
        kind="leads-to",
        of="server",
        about="Every response.create has an answer, once the app asks for no more.",
        source="facts 2.4, 7.1",
        given="requested > 0",
        holds="requested == 0",
        unless=("app.generate_reply.again",),
    ),
    Property(
        id="inbox-is-read",
        kind="leads-to",
        of="server",
        about="Every message of the client is read, once it sends no more.",
        source="facts 2.4",
        given="len(inbox) > 0",
        holds="len(inbox) == 0",
        unless=("client.*",),
    ),
    Property(
        id="reply-is-requested",
        kind="leads-to",
        of="client",
        about="What the app asks for is requested, unless the socket ends.",
        source="livekit AgentSession.generate_reply",
        given="asked == yes",
        holds=f"asked != yes or {ENDED_SOCKET}",
    ),
    Property(
        id="change-is-sent",
        kind="leads-to",
        of="client",
        about="A change of the session that the app asks for is sent, unless the socket ends.",
        source="livekit Agent.update_instructions",
        given="wanted > 0",
        holds=f"wanted == 0 or {ENDED_SOCKET}",
    ),
    Property(
        id="context-is-sent",
        kind="leads-to",
        of="client",
        about="What the app puts into the context is sent, unless the socket ends.",
        source="livekit Agent.update_chat_ctx",
        given="context > 0",
        holds=f"context == 0 or {ENDED_SOCKET}",
    ),
    Property(
        id="creation-is-answered",
        kind="leads-to",
        of="server",
        about="Every item that the client creates is added or rejected.",
        source="SDK conversation_item_create_event.py; facts 2.4, 6",
        over={"m": "ITEMS"},
        given="sent[m] == 1",
        holds="sent[m] == 0",
    ),
    Property(
        id="added-is-done",
        kind="leads-to",
        of="server",
        about="An item that was added is done.",
        source="CAS; facts 2.4",
        over={"m": "ITEMS"},
        given="entry[m] == 1",
        holds="entry[m] == 0",
    ),
    Property(
        id="speech-is-announced",
        kind="leads-to",
        of="server",
        about="Speech that has ended a response is announced.",
        source="CAS-F xai_ws handle_barge_in",
        given="speech == speaking and turn == none",
        holds=f"turn == open or {ENDED_SOCKET}",
    ),
    Property(
        id="turn-is-committed",
        kind="leads-to",
        of="server",
        about="A turn that has ended becomes an item.",
        source="CAS, every VAD turn; facts 3.1",
        given="turn in (stopped, committed)",
        holds="turn not in (stopped, committed)",
    ),
    Property(
        id="turn-is-answered",
        kind="leads-to",
        of="server",
        about="A turn that is to be answered gets its response, or is given up.",
        source="SDK realtime_audio_input_turn_detection.py; facts 3.1, 3.2",
        given="turn == due",
        holds="turn != due",
    ),
    Property(
        id="turn-is-asked-for",
        kind="leads-to",
        of="app",
        about="The app asks for the reply to a turn that the server makes none to, unless the user "
        "speaks on, or the session ends; as far as the bounds have replies.",
        source="SDK realtime_audio_input_turn_detection.py, create_response; facts 3.2",
        given="unanswered == 1",
        holds=f"unanswered == 0 or begun == RESPONSES or speech == speaking or leaving != no"
        f" or {ENDED_SOCKET}",
    ),
    Property(
        id="turn-is-transcribed",
        kind="leads-to",
        of="server",
        about="A transcription that was begun is completed, or fails, once no turn is heard.",
        source="SDK conversation_item_input_audio_transcription_completed_event.py; facts 3.2",
        over={"u": "USERS"},
        given="asr[u] > 0 and turn != open",
        holds="asr[u] == 0",
    ),
    Property(
        id="commit-is-answered",
        kind="leads-to",
        of="server",
        about="Every commit has an answer.",
        source="facts 3.2, 8 #21",
        given="commits > 0",
        holds="commits == 0",
    ),
    Property(
        id="segment-is-finished",
        kind="leads-to",
        of="speaker",
        about="A playback segment is finished, unless the speaker sticks.",
        source="livekit AudioOutput.on_playback_finished",
        over={"m": "OUTS"},
        given="segment[m] != none",
        holds="segment[m] == finished or stuck == 1",
    ),
    Property(
        id="cut-is-silenced",
        kind="leads-to",
        of="client",
        about="A segment of a reply that was interrupted stops sounding.",
        source="GUIDE, interruption and truncation",
        over={"m": "OUTS"},
        given=f"cut[{R}] == 1 and segment[m] in (open, flushed)",
        holds="segment[m] in (cleared, finished)",
    ),
    Property(
        id="call-falls-silent",
        kind="leads-to",
        of="server",
        about="On a call what has started stops, unless the socket ends.",
        source="SDK output_audio_buffer stopped, cleared; facts 2.6, 3.4",
        over={"m": "OUTS"},
        given="sounding[m] == started",
        holds=f"sounding[m] == ended or {ENDED_SOCKET}",
    ),
    Property(
        id="function-ends",
        kind="leads-to",
        of="app",
        about="A function that runs ends, or is given up.",
        source="livekit function tools",
        over={"m": "OUTS"},
        given="tool[m] == running",
        holds="tool[m] != running",
    ),
    Property(
        id="call-is-answered",
        kind="leads-to",
        of="client",
        about="A call whose function has ended is answered, unless it was cut, or its item or the "
        "socket is gone.",
        source="GUIDE, function calling",
        over={"m": "OUTS"},
        given="tool[m] in (returned, raised, missing)",
        holds="tool[m] == answered or item[m] != present"
        f" or (output[m] == closed and whole[m] == 0) or {ENDED_SOCKET}",
    ),
    Property(
        id="tools-are-listed",
        kind="leads-to",
        of="server",
        about="The listing of MCP tools ends.",
        source="SDK mcp_list_tools_completed.py; facts 2.5",
        given="listing == running",
        holds="listing in (completed, failed)",
    ),
    Property(
        id="session-begins",
        kind="leads-to",
        of="network",
        about="A handshake ends in a session, or in a closed socket.",
        source="SDK session_created_event.py; CAS, every session",
        given="connection in (connecting, open)",
        holds="connection in (ready, closed)",
    ),
    Property(
        id="expired-is-closed",
        kind="leads-to",
        of="network",
        about="A session that has ended is closed.",
        source="facts 7.4, 8 #24",
        given="connection == expiring",
        holds="connection == closed",
    ),
    Property(
        id="leaving-is-left",
        kind="leads-to",
        of="client",
        about="A client that is to leave closes its socket.",
        source="livekit AgentSession.aclose; livekit maximum session duration",
        given="leaving != no",
        holds="connection in (closed, connecting)",
    ),
)


def _ending(name: str, source: str) -> Property:
    """A response ends in this way."""
    return Property(
        id=f"ends.{name}",
        kind="sometimes",
        of="server",
        about=f"A response is done, and {name}.",
        source=source,
        holds=f"any(response[r] == done and ending[r] == {name} for r in RESPONSES)",
    )


def _errors() -> Iterator[Property]:
    """Every error that a rule names happens."""
    for error in dict.fromkeys(rule.error for rule in RULES if rule.error):
        rules = tuple(rule.id for rule in RULES if rule.error == error)
        yield Property(
            id=f"error.{error}",
            kind="sometimes",
            of="server",
            about=f"The server answers with {error}.",
            source="the catalogue of errors",
            rules=rules,
        )


def _firings() -> Iterator[Property]:
    """Every rule is taken by some step."""
    for rule in RULES:
        yield Property(
            id=f"fires.{rule.id}",
            kind="sometimes",
            of=rule.actor,
            about=f"It happens: {rule.why}",
            source=rule.source,
            rules=(rule.id,),
        )


STATUS = "SDK realtime_response_status.py; facts 7.2"

SOMETIMES: tuple[Property, ...] = (
    *(
        _ending(name, STATUS)
        for name in ("completed", "turn_detected", "client_cancelled", "incomplete", "failed")
    ),
    Property(
        id="lost-while-active",
        kind="sometimes",
        of="network",
        about="A response is lost with its socket.",
        source="facts 7.4",
        holds="any(response[r] == lost for r in RESPONSES)",
    ),
    Property(
        id="cut-before-audio",
        kind="sometimes",
        of="user",
        about="A reply is interrupted once its message is declared, and before any of its audio: "
        "there is nothing to truncate.",
        source="livekit/agents #6157; facts 5, 8 #5",
        holds=f"any(cut[{R}] == 1 and output[m] == streaming and kind[m] == audio and audio[m] == 0"
        " for m in OUTS)",
    ),
    Property(
        id="cut-before-playout",
        kind="sometimes",
        of="user",
        about="A reply is interrupted when audio was sent, and none of it was played.",
        source="livekit/agents #6157; facts 5",
        holds=f"any(cut[{R}] == 1 and audio[m] > 0 and played[m] == 0 for m in OUTS)",
    ),
    Property(
        id="cut-behind-the-end",
        kind="sometimes",
        of="user",
        about="A reply is interrupted when its response is done and its audio still plays.",
        source="CAS-F interrupt_after_the_reply; facts 3.3",
        holds=f"any(cut[{R}] == 1 and response[{R}] == done and segment[m] in (open, flushed)"
        " for m in OUTS)",
    ),
    *_errors(),
    *_firings(),
)

PROPERTIES: tuple[Property, ...] = (*ALWAYS, *EVENTUALLY, *SOMETIMES)
