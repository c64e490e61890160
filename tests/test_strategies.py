"""Strategies: what they make is compared with a plain recursion over all options of every node.

Laws:
- The recursion uses a bench and nothing of the explorer.
- Scopes are as small as a double can be driven through.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from doubles.faulty import TruncatesUnheard
from local_pool import KeepingPool
from realtime_conformance.checks import CHECKS
from realtime_conformance.explorer import Explorer
from realtime_conformance.ledger import Ledger
from realtime_conformance.pool import Setup
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.stops import STOPS, Budget, Sight, stops
from realtime_conformance.strategies import STRATEGIES, Subject, check_name, relation_of
from realtime_conformance.strategies.cover import Cover
from realtime_conformance.strategies.exhaust import Exhaust
from realtime_conformance.strategies.hypothesis import Searching
from realtime_conformance.strategies.paths import Paths
from realtime_conformance.strategies.random import Drawing, by_choices, by_paths, picked
from realtime_conformance.strategies.ticks import Ticks
from realtime_protocol.bounds import Scope, audio_reply
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine

BRIEF = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "SPEAKER": 0, "TICKS": 0}

SCOPES: dict[str, tuple[Scope, int]] = {
    "interrupted": (audio_reply(**BRIEF, VAD=0), 0),
    "in bursts": (audio_reply(**BRIEF, VAD=0, DISTURBANCES=0), 1),
}
"""Bounds, and how many bursts there may be."""

every_scope = pytest.mark.parametrize("name", SCOPES)


@pytest.fixture(autouse=True, scope="module")
def _garbage_is_collected_by_the_runs() -> Iterator[None]:
    """Keep the collector to the ends of runs, and what was there before out of its way."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


@cache
def graph(name: str) -> Graph:
    """The graph of a scope."""
    return enumerate_graph(Machine(SCOPES[name][0].bounds))


@cache
def bench(name: str) -> Bench:
    """A bench that drives a faulty double through a scope."""
    scope, bursts = SCOPES[name]
    return Bench(scope, TruncatesUnheard, bursts)


def everything(bench: Bench, given: tuple[int, ...] = ()) -> Iterator[Outcome]:
    """Every run that begins with `given`: each node's other options, one after the other."""
    outcome = bench.run(given)
    yield outcome
    gc.freeze()
    for position, offer in enumerate(outcome.offers):
        for choice in range(len(offer.options)):
            if position >= len(given) and choice != offer.taken:
                yield from everything(bench, (*outcome.choices[:position], choice))


@cache
def brute(name: str) -> tuple[frozenset[tuple[int, ...]], frozenset[str]]:
    """The choices of every run of a scope, and every fingerprint."""
    runs, fingerprints = set(), set()
    for outcome in everything(bench(name)):
        assert outcome.choices not in runs
        runs.add(outcome.choices)
        fingerprints |= {
            check.fingerprint(finding)
            for check in CHECKS
            for finding in check.judge(outcome.history).findings
        }
    return frozenset(runs), frozenset(fingerprints)


def explored(name: str, strategy: Any, **more: Any) -> tuple[Explorer, KeepingPool]:
    """An exploration of a scope, and the pool that made its runs."""
    pool = KeepingPool(bench(name))
    explorer = Explorer(Ledger(graph(name)), strategy, **more)
    explorer.explore(pool)
    return explorer, pool


# -- exhaust ----------------------------------------------------------------------------------


@every_scope
@pytest.mark.parametrize("reduction", ["on", "off"])
def test_exhaust_finds_what_a_plain_recursion_finds(name, reduction):
    """The same fingerprints, no run twice, closed; every run without a reduction, fewer with it."""
    machine = graph(name).machine
    explorer, pool = explored(name, Exhaust(machine, relation_of(machine, reduction)))
    runs, fingerprints = brute(name)
    assert set(explorer.found) == fingerprints
    assert len(pool.runs) == len(set(pool.runs)) == explorer.runs
    assert set(pool.runs) <= runs
    assert reduction == "on" or set(pool.runs) == runs
    assert explorer.left == 0
    assert explorer.ledger.not_closed() == []


def test_a_reduction_leaves_something_out():
    """Else the test above would say nothing of it."""
    machine = graph("interrupted").machine
    _, pool = explored("interrupted", Exhaust(machine, relation_of(machine, "on")))
    runs, fingerprints = brute("interrupted")
    assert len(pool.runs) < len(runs)
    assert fingerprints


def test_a_relation_that_is_too_large_is_noticed():
    """If hidden steps commuted with everything, orders of steps would be lost."""
    machine = graph("interrupted").machine
    rules = frozenset(range(len(machine.rules)))
    too_large = tuple(rules - {number} for number in range(len(rules)))
    explorer, pool = explored("interrupted", Exhaust(machine, too_large))
    sound, made = explored("interrupted", Exhaust(machine, relation_of(machine, "on")))
    assert len(pool.runs) < len(made.runs)
    assert explorer.ledger.pairs < sound.ledger.pairs


# -- cover ------------------------------------------------------------------------------------


@every_scope
def test_cover_takes_every_step_that_the_recursion_takes(name):
    """With far fewer runs, every node's every option is taken, as by all runs together."""
    explorer, pool = explored(name, Cover(graph(name).machine))
    every = {
        (offer.state, option)
        for outcome in everything(bench(name))
        for offer in outcome.offers
        for option in offer.options
    }
    taken = {(state, option) for state, some in explorer.ledger.taken.items() for option in some}
    assert taken == every
    assert set(pool.runs) < brute(name)[0]


# -- by chance --------------------------------------------------------------------------------


def test_each_rank_is_one_share():
    """All ranks together give each position as often as it weighs."""
    weights = [3, 0, 1, 4]
    counts = Counter(picked(weights, rank) for rank in range(sum(weights)))
    assert counts == {0: 3, 2: 1, 3: 4}
    with pytest.raises(ValueError, match="below 8, got 8"):
        picked(weights, 8)


def test_paths_weigh_by_how_many_go_on():
    """At every node of every run the shares are the paths of the graph, and stopping is one."""
    known = graph("interrupted").ways()
    weights = by_paths(graph("interrupted"))
    seen = 0
    for outcome in everything(bench("interrupted")):
        for offer in outcome.offers:
            if offer.state not in known or not offer.options:
                continue
            *shares, stop = weights(offer.state, offer.options)
            successors = graph("interrupted").successors[offer.state]
            targets = {number: target for number, _, target in successors}
            expected = [2 * known[targets[rule]] for rule, _ in offer.options]
            assert shares == expected
            assert stop == 2 * graph("interrupted").accepting(offer.state)
            seen += 1
    assert seen > 100


def test_a_step_and_its_burst_share_its_paths():
    """A step that can come in a burst as well is not drawn twice as often for that."""
    weights = by_paths(graph("in bursts"))
    offers = [offer for outcome in everything(bench("in bursts")) for offer in outcome.offers]
    twice = [offer for offer in offers if any(option.burst for option in offer.options)]
    assert twice
    for offer in twice:
        shares = dict(zip(offer.options, weights(offer.state, offer.options), strict=False))
        for option in offer.options:
            if option.burst:
                assert shares[option] == shares[option._replace(burst=False)]


def test_budgets_and_seeds_say_what_is_drawn():
    """The budget is the number of draws; a wave names them, and none is left at the end."""
    drawing = Drawing("random", "", by_choices(graph("interrupted").machine), seed=1, draws=100)
    wave = drawing.wave(0)
    assert wave[0] == {"draw": 0}
    assert drawing.left == 100 - len(wave)
    assert [request["draw"] for request in wave + drawing.wave(0)] == list(range(100))
    assert drawing.wave(0) == []
    endless = Drawing("random", "", by_choices(graph("interrupted").machine), draws=0)
    assert endless.left == 1
    assert len(endless.wave(5)) == 5


def test_each_search_of_hypothesis_looks_for_another_violation():
    """What was found by one is no news to the next, and each has a seed of its own."""
    searching = Searching(Setup(client="c", profile="quick", scope="audio-reply"), 7, 60)
    (first,) = searching.wave(0)
    finding = ["check", "violation", "a fingerprint", 3, "text", "clause", []]
    searching.note(first, {"results": [{"findings": [finding]}, {"findings": []}]}, ())
    (second,) = searching.wave(0)
    assert (first["known"], second["known"]) == ([], ["a fingerprint"])
    assert first["seed"] != second["seed"]
    assert first["examples"] + second["examples"] == 60
    assert searching.wave(0) == []


# -- paths ------------------------------------------------------------------------------------


def paths(name: str, reduction: Any = "off") -> Paths:
    """The strategy for a scope."""
    machine = graph(name).machine
    return Paths(machine, relation_of(machine, reduction), Cover(machine))


def disturbed(name: str, runs: Any) -> set[tuple[int, ...]]:
    """The choices of each run up to the first disturbance; all of them where there is none."""
    rules = bench(name).machine.rules
    found = set()
    for choices in runs:
        offers = bench(name).run(choices).offers
        taken = [o.options[o.taken] for o in offers if o.taken is not None]
        at = next((n for n, option in enumerate(taken) if rules[option.rule].disturbs), len(taken))
        found.add(choices[: at + 1])
    return found


def test_paths_disturbs_every_path_at_every_node():
    """As a plain recursion does, up to the disturbance; behind it with fewer runs."""
    explorer, pool = explored("interrupted", paths("interrupted"))
    runs, fingerprints = brute("interrupted")
    assert disturbed("interrupted", pool.runs) == disturbed("interrupted", runs)
    assert set(pool.runs) < runs
    assert set(explorer.found) == fingerprints
    assert explorer.ledger.not_closed() == []
    assert explorer.left == 0


@every_scope
def test_paths_takes_every_step_that_the_recursion_takes(name):
    """Those in bursts too, which it does not multiply with paths."""
    explorer, pool = explored(name, paths(name, "on"))
    every = {
        (offer.state, option)
        for outcome in everything(bench(name))
        for offer in outcome.offers
        for option in offer.options
    }
    taken = {(state, option) for state, some in explorer.ledger.taken.items() for option in some}
    spared = {(state, option) for state, some in explorer.ledger.spared.items() for option in some}
    assert every <= taken | spared
    assert len(pool.runs) < len(brute(name)[0])


def test_every_way_in_makes_more_runs():
    """A disturbance behind each step that leads to its node, and behind no step twice."""
    machine = graph("interrupted").machine
    _, once = explored("interrupted", Cover(machine, tail_most=1))
    _, ways = explored("interrupted", Cover(machine, tail_most=1, every_way=True))
    assert len(once.runs) < len(ways.runs) == len(set(ways.runs))
    rules = machine.rules

    def behind(runs):
        """Each disturbance with its node and the step before it."""
        for choices in runs:
            offers = bench("interrupted").run(choices).offers
            taken = [(o.state, o.options[o.taken]) for o in offers if o.taken is not None]
            for before, step in pairwise(taken):
                if rules[step[1].rule].disturbs:
                    yield before, step

    assert set(behind(once.runs)) < set(behind(ways.runs)) == set(behind(brute("interrupted")[0]))


# -- what they have in common -------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_says_what_it_is(name):
    """Its name is the one it is listed under, and it begins with something to ask for."""
    setup = Setup(client="c", profile="quick", scope="audio-reply")
    strategy = STRATEGIES[name](Subject(graph=graph("interrupted"), setup=setup))
    assert strategy.name == name
    assert strategy.about
    assert strategy.left > 0
    assert strategy.wave(0)


def test_an_unknown_name_is_refused():
    """Strategies and stop conditions are known by their names."""
    with pytest.raises(ValueError, match="unknown strategy 'best'; expected one of cover"):
        check_name("best")
    with pytest.raises(ValueError, match="unknown stop condition 'bored'; expected one of front"):
        stops(["violation", "bored"])


def test_the_first_new_violation_stops():
    """What is on file does not; what is left is said to be left."""
    machine = graph("interrupted").machine
    stopping = stops(["violation"])
    explorer, _ = explored("interrupted", Cover(machine), stops=stopping)
    assert explorer.is_stopped
    assert explorer.left > 0
    assert explorer.cut_short.startswith("stopped")
    known = brute("interrupted")[1]
    explorer, _ = explored("interrupted", Cover(machine), stops=stopping, known=known)
    assert (explorer.is_stopped, explorer.left, explorer.cut_short) == (False, 0, "")


def test_all_checks_decided_is_a_condition():
    """Once each has found something."""

    class Seen:
        def __init__(self, check):
            self.check, self.verdict, self.fingerprint = check, "violation", check

    every = {check.id: Seen(check.id) for check in CHECKS}
    assert STOPS["decided"].holds(Sight(every))
    assert not STOPS["decided"].holds(Sight(dict(list(every.items())[1:])))
    assert not STOPS["frontier"].holds(Sight(every))


def test_a_budget_of_seconds_says_that_it_cut_short(monkeypatch):
    """What is left is left, and why is said; the runs that were made count."""
    now = iter(range(1000))
    monkeypatch.setattr("realtime_conformance.explorer.time.monotonic", lambda: next(now))
    machine = graph("interrupted").machine
    strategy = Exhaust(machine, relation_of(machine, "on"))
    explorer, pool = explored("interrupted", strategy, budget=Budget(seconds=3))
    assert explorer.cut_short == "cut short: the budget of seconds was spent"
    assert explorer.left > 0
    assert explorer.runs == len(pool.runs) > 0


@pytest.mark.parametrize(
    "make",
    [
        Cover,
        lambda m: Cover(m, tail_most=1, every_way=True),
        lambda m: Paths(m, relation_of(m, "on"), Cover(m)),
        Ticks,
        lambda m: Exhaust(m, relation_of(m, "on")),
    ],
)
@pytest.mark.parametrize("after", [1, 4])
def test_an_exploration_that_goes_on_from_what_was_saved_is_the_same(make, after):
    """Stopped between two requests, saved as JSON and taken up by another explorer."""
    machine = graph("interrupted").machine
    whole, made = explored("interrupted", make(machine))

    class Killed(Exception):
        pass

    first = Explorer(Ledger(graph("interrupted")), make(machine))
    pool = KeepingPool(bench("interrupted"))
    saved = []

    def kill(done, left):
        saved.append(json.dumps(first.saved()))
        if len(saved) == after:
            raise Killed

    with pytest.raises(Killed):
        first.explore(pool, kill)
    second = Explorer(Ledger(graph("interrupted")), make(machine))
    second.restore(json.loads(saved[-1]))
    rest = KeepingPool(bench("interrupted"))
    second.explore(rest)
    assert pool.runs + rest.runs == made.runs
    assert second.found == whole.found
    assert second.premises == whole.premises
    assert second.ledger.summary() == whole.ledger.summary()
    assert second.runs == whole.runs
