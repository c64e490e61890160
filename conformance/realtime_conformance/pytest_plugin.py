"""The pytest plugin: `pytest --realtime-conformance` adds the suite to the tests of any project.

There is one test item for each scope and check, and one for the coverage of each scope. A scope is
explored once, by the first of its items that runs.

Laws:
- Without the option nothing is added, said or imported.
- An item fails as the command `run` would: on a violation that is not on file, or on coverage that
  was promised and not reached. What is on file is an expected failure with its reason, and a check
  that a scope gives nothing to say is skipped.
- A check that has nothing to say in any scope of the profile fails the session.
- Wrong options end the session at once, with one line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from realtime_conformance.plan import Plan

NAME = "realtime-conformance"
MARK = "realtime_conformance"
PREFIX = "realtime_conformance_"
COVERAGE = "coverage"
"""The name of the item of a scope that is no check."""
PREMISES = "realtime_conformance_premises"
"""The property of an item that says in how many places its check had something to say."""

SCATTERING = ("load", "worksteal")
"""Ways of xdist to spread items that give those of one scope to several workers."""

Json = dict[str, Any]

OPTIONS: dict[str, tuple[str, Any, str]] = {
    "client": ("string", "livekit-agent", "client to drive: a name, or module:attribute"),
    "profile": ("string", "quick", "how far the scopes are covered"),
    "scopes": ("args", [], "names of scopes; all of the profile if none"),
    "bounds": ("args", [], "bounds of one's own, NAME=N"),
    "known": ("paths", [], "files of known issues"),
    "bursts": ("string", "0", "server events that may come right behind another"),
    "limit": ("string", "0", "most runs in each scope; coverage may then fall short"),
    "jobs": ("string", "0", "worker processes; 0: all cores, shared with the workers of xdist"),
}
"""The options in the configuration file: type, default, and what they are."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option of the command line, and those of the configuration file."""
    group = parser.getgroup(NAME, "conformance with the OpenAI Realtime event protocol")
    group.addoption(
        f"--{NAME}",
        action="store_true",
        help="drive the installed livekit through the protocol, an item for each scope and check",
    )
    for name, (kind, default, about) in OPTIONS.items():
        parser.addini(f"{PREFIX}{name}", f"{NAME}: {about}", type=kind, default=default)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, if the suite is asked for.

    Raises:
        pytest.UsageError: one of them is wrong.
    """
    if not config.getoption(NAME.replace("-", "_")):
        return
    config.addinivalue_line("markers", f"{MARK}: one check in one scope of the protocol")
    config.addinivalue_line("markers", "xdist_group(name): items that one worker takes together")
    try:
        plan = _plan(config)
        scopes = tuple(scope.name for scope in plan.bounded())
    except ValueError as error:
        raise pytest.UsageError(f"{NAME}: {error}") from error
    config.pluginmanager.register(_Suite(plan, scopes), f"{NAME}-suite")


def _plan(config: pytest.Config) -> Plan:
    from realtime_conformance import baseline
    from realtime_conformance.clients.registry import address
    from realtime_conformance.plan import Plan

    known: baseline.Known = {}
    for path in _option(config, "known"):
        known.update(baseline.read(path))
    client = _option(config, "client")
    address(client)
    return Plan(
        client=client,
        profile=_option(config, "profile"),
        scopes=tuple(_option(config, "scopes")),
        changes=dict(map(_bound, _option(config, "bounds"))),
        bursts=_number(config, "bursts"),
        limit=_number(config, "limit"),
        jobs=_number(config, "jobs") or _share(),
        known=known,
    )


def _option(config: pytest.Config, name: str) -> Any:
    return config.getini(f"{PREFIX}{name}")


def _number(config: pytest.Config, name: str) -> int:
    text = _option(config, name)
    if not str(text).isdigit():
        raise ValueError(f"expected a whole number for {PREFIX}{name}, got {text!r}")
    return int(text)


def _bound(text: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    if not equals or not value.isdigit():
        raise ValueError(f"expected NAME=N in {PREFIX}bounds, got {text!r}")
    return name, int(value)


def _share() -> int:
    """The cores that this process may take, where others of xdist take theirs."""
    cores = os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


class _Suite:
    """The items of a session, and what came of the scopes that were explored."""

    def __init__(self, plan: Plan, scopes: tuple[str, ...]) -> None:
        self.plan = plan
        self.scopes = scopes
        self._reports: dict[str, Json | Exception] = {}
        self._premises: dict[tuple[str, str], int] = {}
        """How often a check had something to say, by scope and check, as items have told."""

    # what pytest calls

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        """What is driven, through how much, and what would make it slow."""
        try:
            release = f"livekit-agents {version('livekit-agents')}"
        except PackageNotFoundError:
            release = "no livekit-agents installed"
        plan = self.plan
        lines = [
            f"{NAME}: {plan.client} ({release}), profile {plan.profile}, "
            f"{len(self.scopes)} scopes, {plan.jobs} jobs"
        ]
        if config.getoption("dist", "no") in SCATTERING:
            lines.append(f"{NAME}: with --dist loadscope each scope would be explored only once")
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Add the items before anything is selected, so that -k and -m see them."""
        made = list(self._items(session))
        items += made
        # they come of no file, so nobody else says that they were collected
        told = pytest.CollectReport(NAME, "passed", None, [*made])
        session.config.hook.pytest_collectreport(report=told)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what the checks had to say; with xdist the items ran elsewhere."""
        told: list[tuple[str, Any]] = report.user_properties
        for name, value in told:
            if name == PREMISES:
                scope, check, count = value
                self._premises[scope, check] = count

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session in which a check had nothing to say."""
        if self._silent() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which."""
        silent = self._silent()
        if silent:
            terminalreporter.section(NAME, red=True)
            for check in silent:
                terminalreporter.line(f"check never spoke: {check}")

    # the rest

    def _items(self, session: pytest.Session) -> Iterator[pytest.Item]:
        from realtime_conformance.checks import CHECKS

        suite = _Group.from_parent(session, name=NAME, nodeid=NAME)
        for scope in self.scopes:
            group = _Group.from_parent(suite, name=scope, nodeid=f"{NAME}::{scope}")
            for name in (*(check.id for check in CHECKS), COVERAGE):
                made = _Item.from_parent(group, name=name, explored=self.report)
                made.add_marker(getattr(pytest.mark, MARK))
                made.add_marker(pytest.mark.xdist_group(name=f"{NAME}-{scope}"))
                yield made

    def report(self, scope: str) -> Json:
        """What came of a scope, which is explored if it has not been.

        Raises:
            Broken: the client cannot be driven through it.
        """
        if scope not in self._reports:
            self._reports[scope] = self._explored(scope)
        found = self._reports[scope]
        if isinstance(found, Exception):
            raise Broken(f"{self.plan.client} cannot be driven through {scope}: {found}")
        return found

    def _explored(self, scope: str) -> Json | Exception:
        import attrs

        from realtime_conformance.engine import conduct
        from realtime_conformance.pool import WorkerLost, WorkerRefused

        try:
            return conduct(attrs.evolve(self.plan, scopes=(scope,)))
        except (WorkerLost, WorkerRefused) as error:
            return error

    def _silent(self) -> list[str]:
        """Checks that had nothing to say, where every scope of the profile was asked."""
        asked = {scope for scope, _ in self._premises}
        if self.plan.scopes or asked != set(self.scopes):
            return []
        checks = dict.fromkeys(check for _, check in self._premises)
        spoke = {check for (_, check), count in self._premises.items() if count}
        return [check for check in checks if check not in spoke]


class Broken(Exception):
    """What an item fails with, as a person reads it."""


class _Group(pytest.Collector):
    """A name that items stand under: the suite, or one scope of it."""

    def collect(self) -> list[pytest.Item]:
        """Nothing more: the items are made by the suite."""
        return []


class _Item(pytest.Item):
    """One check in one scope, or the coverage of a scope."""

    def __init__(self, *, explored: Callable[[str], Json], **rest: Any) -> None:
        super().__init__(**rest)
        self._report = explored

    @property
    def scope(self) -> str:
        """The name of the scope."""
        assert self.parent is not None
        return self.parent.name

    def runtest(self) -> None:
        """Explore the scope, if it has not been, and judge this part of it."""
        report = self._report(self.scope)
        if self.name == COVERAGE:
            _judge_coverage(report)
        else:
            check = next(one for one in report["checks"] if one["id"] == self.name)
            self.user_properties.append((PREMISES, (self.scope, self.name, check["premises"])))
            _judge(check, self.scope)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *rest: Any) -> Any:
        """A failure as text; anything else is a fault of the harness, with its traceback."""
        if isinstance(excinfo.value, Broken):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *rest)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where pytest says that it is."""
        return Path(NAME), None, f"{self.scope} {self.name}"


def _judge_coverage(report: Json) -> None:
    """Fail for every reason that is no violation."""
    reasons = [reason for reason in report["reasons"] if not reason.startswith("new violation")]
    if reasons:
        raise Broken("\n".join(reasons))


def _judge(check: Json, scope: str) -> None:
    """Fail on what is new, expect what is on file, skip what had nothing to say."""
    from realtime_conformance.suite import counterexample, is_new

    if not check["premises"]:
        pytest.skip(f"nothing to judge in {scope}: expected that {check['premise']}")
    violations = [finding for finding in check["findings"] if finding["verdict"] == "violation"]
    new = [finding for finding in violations if is_new(finding)]
    if new:
        raise Broken("\n\n".join(counterexample(finding) for finding in new))
    if violations:
        pytest.xfail("; ".join(f"{f['fingerprint']}: {f['known']}" for f in violations))
