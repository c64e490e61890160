"""The Hypothesis machine: generated from the rules, and it finds what it should."""

from __future__ import annotations

import attrs
import pytest

from realtime_conformance.environments import build, harness_archive
from realtime_conformance.live import Live
from realtime_conformance.pool import Interpreter, Pool, Setup
from realtime_conformance.scenario import parse_id
from realtime_conformance.stateful import Target, search, state_machine
from realtime_protocol import rules as rules_module
from realtime_protocol.bounds import audio_reply
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule

MACHINE = Machine(audio_reply().bounds)
CHECKS = ("truncate-needs-audio", "truncate-positive")


def names(machine_class):
    """The names of all rules of a state machine class."""
    return {rule.function.__name__ for rule in machine_class.setup_state().rules}


def steps(model_rules):
    """The names that the environment's rules should have: their id, and their slot if any."""
    return {
        "_".join([rule.id.replace(".", "_"), *map(str, rule.at.values())])
        for rule in model_rules
        if not rule.is_client
    }


def nobody(request):
    """Stands where a worker would, for a machine that is only looked at."""
    raise AssertionError(f"expected no request, got {request}")


def target(checks=(), bursts=0):
    """A target in the quick audio-reply scope that drives nothing."""
    setup = Setup(client="livekit-agent", profile="quick", scope="audio-reply", bursts=bursts)
    return Target(Live(nobody), setup, (), checks)


def test_every_rule_of_the_environment_is_a_rule_of_the_machine():
    """Neither more nor fewer, but for the step that ends an example."""
    assert names(state_machine(target())) == steps(MACHINE.rules) | {"at_rest"}


def test_a_burst_is_a_rule_of_its_own():
    """Under a preemption bound, what the server sends has a second rule; what it reads has none."""
    more = names(state_machine(target(bursts=1))) - names(state_machine(target()))
    sent = [rule for rule in MACHINE.rules if rule.actor == "server" and rule.event]
    assert more == {f"{name}_in_a_burst" for name in steps(sent)}


def test_adding_a_rule_to_the_model_adds_one_to_the_machine(monkeypatch):
    """No other edit is needed."""
    extra = Rule(
        id="clock.extra",
        actor="clock",
        event="extra",
        why="a rule of a test",
        source="this test",
        confidence="inferred",
    )
    monkeypatch.setattr("realtime_conformance.stateful.Machine", with_rule(extra))
    assert "clock_extra" in names(state_machine(target()))


def with_rule(extra):
    """A machine class whose rules have one more."""
    return lambda bounds: Machine(bounds, (*rules_module.RULES, extra))


def test_a_faulty_client_is_found_and_the_id_replays():
    """The search ends in a scenario id that shows the same violation."""
    setup = Setup(client="doubles.faulty:TruncatesUnheard", profile="quick", scope="audio-reply")
    with Pool(setup, 1) as pool:
        with pool.worker() as worker:
            found = search(Target(Live(worker.ask), setup, (), CHECKS), examples=200)
        scenario = parse_id(found.splitlines()[-1].split()[-1])
        shown = pool.show(scenario.choices)
    assert found.startswith("truncate-")
    assert any(text.startswith("VIOLATION truncate-") for text in shown["findings"])


def test_known_violations_are_no_news():
    """What is on file does not stop the search."""
    wanted = attrs.evolve(target(checks=CHECKS), known=("f",))
    assert not wanted.is_news("truncate-positive", "violation", "f")
    assert wanted.is_news("truncate-positive", "violation", "g")
    assert not wanted.is_news("truncate-positive", "advisory", "g")
    assert not wanted.is_news("comes-to-rest", "violation", "g")


def search_release(version):
    """What the search finds in a release within 500 examples, with the fixed seed."""
    environment = build(version)
    archive = harness_archive(environment.python.parent)
    interpreter = Interpreter(python=str(environment.python), path=(str(archive),), isolated=True)
    setup = Setup(client="livekit-agent", profile="quick", scope="audio-reply")
    with Pool(setup, 1, interpreter) as pool, pool.worker() as worker:
        return search(Target(Live(worker.ask), setup, (), CHECKS), examples=500)


@pytest.mark.slow
def test_the_empty_truncate_is_found_in_1_5_4():
    """Within 500 examples, with a scenario id."""
    found = search_release("1.5.4")
    assert found.startswith("truncate-")
    assert "realtime-conformance replay livekit-agent:quick:audio-reply:" in found


@pytest.mark.slow
def test_the_empty_truncate_is_not_found_in_1_8_9():
    """The fixed release has no such violation."""
    assert search_release("1.8.9") == ""
