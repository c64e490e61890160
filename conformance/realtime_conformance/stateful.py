"""The Hypothesis state machine, generated from the rules.

Laws:
- Every rule of the environment is a rule of the machine, enabled only where the model enables it:
  adding one to the model adds one here.
- A disturbance waits for a number of steps that the example draws, and a step that is the only one
  is taken at once; every run of the scope can still be drawn.
- The client is driven one step at a time in a worker, so the machine runs in this process against
  any release.
- A failing example is shrunk by Hypothesis and printed as a scenario id, which replays it.
- Under a preemption bound every event that the server sends has a second rule: to come in a burst.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

import attrs
import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from realtime_conformance.live import Live, Option
from realtime_conformance.pool import Choices, Setup
from realtime_conformance.scenario import Scenario, scope_of
from realtime_protocol.machine import Machine

Json = dict[str, Any]

NOT_A_NAME = re.compile(r"\W+")
CALM_STEPS = 30
"""Most steps before the first disturbance; about as many as an undisturbed run has."""


class Broken(AssertionError):
    """A violation that is not known, with the id of the run that shows it."""


def _unheard(reply: Json) -> None:
    """Keep nothing of a run."""


@attrs.frozen
class Target:
    """What the machine drives, and which violations are no news."""

    live: Live
    setup: Setup
    known: Collection[str] = ()
    checks: Collection[str] = ()
    """Ids of the checks that count; empty for all."""
    finished: Callable[[Json], None] = _unheard
    """Told what a worker says of each run that was finished."""

    def is_news(self, check: str, verdict: str, fingerprint: str) -> bool:
        """Whether a finding is a violation that is looked for."""
        if verdict != "violation" or fingerprint in self.known:
            return False
        return not self.checks or check in self.checks

    def scenario_id(self, machine: Machine, choices: Choices) -> str:
        """The id of a run of this target."""
        setup = self.setup
        changes = tuple(sorted(setup.changes.items()))
        run = Scenario(setup.client, setup.profile, setup.scope, changes, setup.bursts, choices)
        return run.id(machine.digest)


def state_machine(target: Target) -> type[RuleBasedStateMachine]:
    """A `RuleBasedStateMachine` class whose rules are those of the environment."""
    setup = target.setup
    machine = Machine(scope_of(setup.profile, setup.scope, setup.changes).bounds)
    methods: dict[str, Any] = {"target": target, "machine": machine}
    for number, model_rule in enumerate(machine.rules):
        if model_rule.is_client:
            continue
        name = NOT_A_NAME.sub("_", model_rule.label).strip("_")
        methods[name] = _step((number, False), name)
        if setup.bursts and model_rule.actor == "server" and model_rule.event:
            methods[f"{name}_in_a_burst"] = _step((number, True), f"{name}_in_a_burst")
    return type("Conversation", (_Conversation,), methods)


def _step(option: Option, name: str) -> Any:
    def take(self: _Conversation) -> None:
        self.take(option)

    take.__name__ = name
    enabled: Callable[[Any], bool] = lambda self: self.enables(option)  # noqa: E731
    return precondition(enabled)(rule()(take))


class _Conversation(RuleBasedStateMachine):
    """One run; subclasses add a rule for every rule of the environment."""

    target: Target
    machine: Machine

    def __init__(self) -> None:
        super().__init__()
        self._choices: list[int] = []
        self._options: list[Option] = []
        self._open = False
        self._calm = 0

    @initialize(calm=st.integers(0, CALM_STEPS))
    def begin(self, calm: int) -> None:
        """Start the client; nothing disturbs the first `calm` steps while others can be taken."""
        self._calm = calm
        self._at(self.target.live.begin())
        self._open = True

    @precondition(lambda self: not self._options)
    @rule()
    def at_rest(self) -> None:
        """Nothing is left to do; an example must be able to go on all the same."""

    def enables(self, option: Option) -> bool:
        """Whether the node offers an option, and it may be taken yet."""
        options = self._options
        if option not in options or not self._disturbs(option):
            return option in options
        # drawn evenly step by step, nearly every run would be disturbed in its first moments
        goes_on = any(not self._disturbs(other) for other in options)
        return len(self._choices) >= self._calm or not goes_on

    def _disturbs(self, option: Option) -> bool:
        return bool(self.machine.rules[option[0]].disturbs)

    def take(self, option: Option) -> None:
        """Take an option, and those after it that are the only ones."""
        self._step(option)
        # Hypothesis leaves rules out of an example at random; one that is forced would end it
        while len(forced := [other for other in self._options if self.enables(other)]) == 1:
            self._step(forced[0])

    def _step(self, option: Option) -> None:
        """Take one step and look at what came of it."""
        choice = self._options.index(option)
        self._choices.append(choice)
        self._at(self.target.live.take(choice))
        self._look(self.target.live.look())

    def _at(self, node: Json) -> None:
        self._options = [(rule, bool(burst)) for rule, burst in node["options"]]

    def teardown(self) -> None:
        """Take the fresh turn, close the session and look once more."""
        if self._open:
            self._open, self._options = False, []
            reply = self.target.live.finish()
            self.target.finished(reply)
            self._look(reply)

    def _look(self, reply: Json) -> None:
        for check, verdict, fingerprint, text in reply["findings"]:
            if self.target.is_news(check, verdict, fingerprint):
                choices = tuple(self._choices)
                scenario = self.target.scenario_id(self.machine, choices)
                raise Broken(f"{fingerprint}\n  {text}\n  realtime-conformance replay {scenario}")


def search(target: Target, examples: int = 500, seed: int = 0, steps: int = 60) -> str:
    """Let Hypothesis look for an unknown violation.

    Returns what it found, with the scenario id of the shrunk run, or nothing.
    """
    settings = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    machine = hypothesis.seed(seed)(state_machine(target))
    try:
        run_state_machine_as_test(machine, settings=settings)
    except Broken as error:
        return str(error)
    return ""
