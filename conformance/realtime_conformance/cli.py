"""The command line: `run`, `plan`, `ledger` and the rest; `--help` lists them.

Laws:
- Exit 0: nothing new is violated and the promised coverage was reached. 1: otherwise, with the
  reasons. 2: wrong use or an environment that does not work, in one line, with nothing written.
- The human reading goes to standard output, progress to standard error, and only on a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.console import Console
from rich.text import Text

from realtime_conformance import baseline, doctor, fixes, forecast, listing, specification
from realtime_conformance import confirm as confirmation
from realtime_conformance import export as reproduction
from realtime_conformance.checks import BY_ID
from realtime_conformance.clients.registry import UnknownClient, address
from realtime_conformance.confirm import setup_of
from realtime_conformance.engine import Plan, conduct
from realtime_conformance.environments import EnvironmentFailure, build, harness_archive
from realtime_conformance.live import Live
from realtime_conformance.mutation.equivalent import read as read_equivalents
from realtime_conformance.mutation.passes import PASSES, passes
from realtime_conformance.mutation.targets import SUBJECT
from realtime_conformance.pool import Interpreter, Pool, Setup, WorkerLost, WorkerRefused
from realtime_conformance.report import console as human
from realtime_conformance.report import mutants as mutants_told
from realtime_conformance.report.columns import Columns, columns
from realtime_conformance.report.files import UnwritableFolder, prepared, render, write
from realtime_conformance.report.progress import shown as progress_shown
from realtime_conformance.report.reading import read as read_report
from realtime_conformance.reporting import sightings
from realtime_conformance.scenario import BadId, parse_id, scope_of
from realtime_conformance.stateful import Target
from realtime_conformance.stateful import search as find
from realtime_conformance.stops import STOPS
from realtime_conformance.stored import replace_text
from realtime_conformance.strategies import STRATEGIES
from realtime_protocol.bounds import SCOPES
from realtime_protocol.machine import Machine

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Drives a real-time voice client through every interleaving of the OpenAI Realtime event "
    "protocol, with an interruption at each node, and reports what it breaks.",
)

ledgers = typer.Typer(no_args_is_help=True, help="What runs have covered, kept in files.")
app.add_typer(ledgers, name="ledger")

WRONG_USE = (
    ValueError,
    UnknownClient,
    BadId,
    baseline.BadKnownFile,
    UnwritableFolder,
    EnvironmentFailure,
    WorkerRefused,
)


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn wrong use into one line on standard error and exit 2."""
    try:
        yield
    except WRONG_USE as error:
        _fail(str(error), 2)
    except WorkerLost as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped; nothing was written", 130)


def _fail(text: str, code: int) -> None:
    line = " ".join(text.split())
    print(f"realtime-conformance: {line}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(code)


Client = Annotated[
    str,
    typer.Option(
        help="The client to drive: livekit-agent, the whole agent; livekit-session, the plugin's "
        "session with a scripted agent; or module:attribute of your own."
    ),
]
Profile = Annotated[
    str,
    typer.Option(
        help="quick: every step at every node, and again in the tail of every interruption. "
        "standard: every path with every interruption."
    ),
]
ScopeOption = Annotated[
    list[str], typer.Option("--scope", help="Only this scope; may be repeated. Default: all.")
]
BoundOption = Annotated[
    list[str],
    typer.Option("--bound", metavar="NAME=N", help="A bound of your own; may be repeated."),
]
Bursts = Annotated[
    int | None,
    typer.Option(
        help="Server events that may come right behind another: 0 to 3. "
        "Default: that of the profile."
    ),
]
KnownOption = Annotated[
    Path | None, typer.Option(help="File of known issues; what is not in it fails the run.")
]
UpdateKnown = Annotated[
    bool, typer.Option("--update-known", help="Write what was found to the file of known issues.")
]
ReportOption = Annotated[
    Path | None, typer.Option(help="Folder for report.json; made if it is missing.")
]
Jobs = Annotated[int, typer.Option(help="Worker processes.")]
Limit = Annotated[
    int | None, typer.Option(help="Most runs in each scope; coverage may then fall short.")
]
Seconds = Annotated[
    float | None, typer.Option(help="Most seconds for all scopes; coverage may then fall short.")
]
StrategyOption = Annotated[
    str, typer.Option(help=f"One of {', '.join(STRATEGIES)}. Default: that of the profile.")
]
StopOption = Annotated[
    list[str],
    typer.Option(
        help="Stop sooner, may be repeated. "
        + " ".join(f"{stop.name}: {stop.about}." for stop in STOPS.values())
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of what is drawn by chance.")]
Reduce = Annotated[
    bool,
    typer.Option(
        "--reduce/--no-reduce",
        help="Under exhaust: leave out a run that only orders independent steps in another way.",
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(help="File for the state of the run, to go on from if it is killed."),
]
ResumeOption = Annotated[
    Path | None, typer.Option(help="Go on from the state in this file, and keep it there.")
]
LedgerOption = Annotated[
    Path | None, typer.Option(help="File for what was covered, to be merged with other runs.")
]
UnvisitedOption = Annotated[
    Path | None, typer.Option(help="File for all that was not visited, with why; a JSON line each.")
]
Release = Annotated[
    str, typer.Option(help="Drive this livekit release, in an environment of its own date.")
]
TimelinesOption = Annotated[
    str,
    typer.Option(
        help="Which violations are shown with the timeline of their shortest run. "
        + " ".join(f"{name}: {about}." for name, about in human.TIMELINES.items())
    ),
]
MostSeconds = Annotated[
    float,
    typer.Option(help="Most seconds of real time for one run; a longer one is not made."),
]
MOST_SECONDS = 120.0
CORES = os.cpu_count() or 1


@app.command()
def run(
    client: Client = "livekit-agent",
    profile: Profile = "quick",
    scope: ScopeOption = [],  # noqa: B006
    bound: BoundOption = [],  # noqa: B006
    bursts: Bursts = None,
    known: KnownOption = None,
    update_known: UpdateKnown = False,
    report: ReportOption = None,
    jobs: Jobs = CORES,
    strategy: StrategyOption = "",
    limit: Limit = None,
    seconds: Seconds = None,
    stop: StopOption = [],  # noqa: B006
    seed: Seed = 0,
    reduce: Reduce = True,
    state: StateOption = None,
    resume: ResumeOption = None,
    ledger: LedgerOption = None,
    unvisited: UnvisitedOption = None,
    release: Release = "",
    timelines: TimelinesOption = "new",
) -> None:
    """Explore a client and report what it breaks.

    Exit code 0: nothing new is violated and the promised coverage was reached; 1: otherwise.
    """
    with _one_line():
        _check_update(known, update_known, limit or seconds or stop)
        which = _timelines(timelines)
        on_file = _known(known, update_known)
        plan = Plan(
            client=client,
            profile=profile,
            scopes=tuple(scope),
            changes=_bounds(bound),
            bursts=bursts,
            jobs=jobs,
            strategy=strategy,
            limit=int(_positive("--limit", limit)),
            seconds=_positive("--seconds", seconds),
            stop=tuple(stop),
            seed=seed,
            reduction="on" if reduce else "off",
            known=on_file,
            state=_state(state, resume),
            ledger=_writable(ledger),
            unvisited=_writable(unvisited),
        )
        plan.bounded()
        address(client)
        plan = attrs.evolve(plan, release=release)
        human.announce(plan, Console(), _destinations(known, report))
        plan = attrs.evolve(plan, interpreter=_interpreter(release))
        result = _explored(plan, report, release or client)
        if update_known and known is not None:
            _update(known, on_file, result)
        _rendered(report, columns([result]), which)
    raise typer.Exit(int(result["verdict"] != "pass" and not update_known))


@app.command()
def replay(
    scenario: Annotated[str, typer.Argument(metavar="ID", help="Id of a run, from a report.")],
    release: Release = "",
    trace: Annotated[
        bool, typer.Option("--trace", help="Print every event whole, one JSON line each.")
    ] = False,
    real_time: Annotated[
        bool,
        typer.Option("--real-time", help="Over a real loopback WebSocket, and in real time."),
    ] = False,
    most_seconds: MostSeconds = MOST_SECONDS,
) -> None:
    """Make one run again and print it; the same id gives the same bytes.

    With --real-time the run is made in virtual time, and then again by the wall clock, judged by
    the same checks; what is printed is the latter, and whether both break the same.
    Exit code 0: the run breaks nothing; 1: it does, or not the same.
    """
    with _one_line():
        parsed = parse_id(scenario)
        most = _positive("--most-seconds", most_seconds)
        address(parsed.client)
        with Pool(setup_of(parsed), 1, _interpreter(release)) as pool:
            shown = _made_again(pool, parsed.choices, most if real_time else None)
    Console(soft_wrap=True).print(Text(shown["trace"] if trace else shown["timeline"]))
    if not trace:
        Console(soft_wrap=True).print(Text(shown["end"]))
    broken = any(text.startswith("VIOLATION") for text in shown["findings"])
    raise typer.Exit(int(broken or not shown["same"]))


@app.command("confirm")
def confirm_command(
    report: Annotated[
        Path, typer.Argument(metavar="REPORT", help="report.json that `run --report` wrote.")
    ],
    most_seconds: MostSeconds = MOST_SECONDS,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time; they mostly sleep.")] = CORES,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results here too.")
    ] = None,
) -> None:
    """Make each violation of a report again over a real loopback WebSocket, in real time.

    Of each violation the shortest run is made twice, in virtual and in real time, and judged by the
    same checks. same: both break the same. different: they do not, and it is printed what came
    instead. not replayable: the run needs more seconds than --most-seconds, or none could be made.
    A release in the report is driven in its own environment.
    Exit code 0: all are the same; 1: otherwise.

    realtime-conformance run --report reports; realtime-conformance confirm reports/report.json
    """
    with _one_line():
        read = read_report(report)
        violations = confirmation.violations_of(read)
        most = _positive("--most-seconds", most_seconds)
        _writable(as_json)
        address(read["client"]["name"])
        interpreter = _interpreter(read["client"]["release"])
        with progress_shown(read["client"]["name"], Console(stderr=True)) as progress:
            confirmed = confirmation.confirm(violations, interpreter, jobs, most, progress)
        if as_json is not None:
            confirmation.write(as_json, read, most, confirmed)
    Console(soft_wrap=True).print(Text("\n".join(confirmation.lines(confirmed))))
    raise typer.Exit(int(any(one.result != "same" for one in confirmed)))


@app.command()
def export(
    scenario: Annotated[str, typer.Argument(metavar="ID", help="Id of a run, from a report.")],
    release: Release = "",
    check: Annotated[
        str, typer.Option(help="The check whose violation is meant; default: what is broken first.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if none.")
    ] = None,
) -> None:
    """Write a run that violates something as one Python file that needs nothing but livekit.

    The file is for a bug report: it ends with 1 if the violation shows, with 0 if it is gone. It is
    tried out beside the release before it is written. Exit code 0: it was written.
    """
    with _one_line():
        if check and check not in BY_ID:
            raise ValueError(f"unknown check {check!r}; expected one of {', '.join(BY_ID)}")
        parsed = parse_id(scenario)
        address(parsed.client)
        if parsed.client != reproduction.CLIENT:
            raise BadId(f"expected a run of {reproduction.CLIENT}, got one of {parsed.client}")
        if output is not None and not output.parent.is_dir():
            raise UnwritableFolder(f"cannot write {output}: expected its folder to be there")
        interpreter = _interpreter(release)
        with Pool(setup_of(parsed), 1, interpreter) as pool:
            outline = pool.outline(parsed.choices, check)
            text = reproduction.exported(outline, pool.hello["packages"], pool.hello["python"])
        reproduction.try_out(text, interpreter)
        if output is None:
            sys.stdout.write(text)
        else:
            _replace(output, text)


@app.command()
def search(
    client: Client = "livekit-agent",
    profile: Profile = "quick",
    scope: Annotated[str, typer.Option(help="The scope to search.")] = "audio-reply",
    check: Annotated[
        list[str], typer.Option(help="Only violations of this check; may be repeated.")
    ] = [],  # noqa: B006
    examples: Annotated[
        int, typer.Option(min=1, help="Most examples that Hypothesis tries.")
    ] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the search; the same seed, the same way.")] = 0,
    known: KnownOption = None,
    release: Release = "",
) -> None:
    """Let Hypothesis look for a violation and shrink it.

    Exit code 0: none was found; 1: one was, and is printed with the id that replays it.
    """
    with _one_line():
        unknown = sorted(set(check) - set(BY_ID))
        if unknown:
            raise ValueError(f"unknown check {unknown[0]!r}; expected one of {', '.join(BY_ID)}")
        address(client)
        scope_of(profile, scope, {})
        on_file = _known(known, update=False)
        setup = Setup(client=client, profile=profile, scope=scope)
        with Pool(setup, 1, _interpreter(release)) as pool, pool.worker() as worker:
            target = Target(Live(worker.ask), setup, tuple(on_file), tuple(check))
            found = find(target, examples, seed)
    Console(soft_wrap=True).print(Text(found or f"nothing found in {examples} examples"))
    raise typer.Exit(int(bool(found)))


@app.command()
def plan(
    client: Client = "livekit-agent",
    profile: Profile = "quick",
    scope: ScopeOption = [],  # noqa: B006
    bound: BoundOption = [],  # noqa: B006
    bursts: Bursts = None,
    jobs: Jobs = CORES,
    strategy: StrategyOption = "",
    reduce: Reduce = True,
    limit: Limit = None,
    measure: Annotated[
        bool, typer.Option(help="Measure how fast the client is, by a handful of runs.")
    ] = True,
    release: Release = "",
) -> None:
    """Say how many runs each strategy would make, at least and at most, and about how long.

    The strategy that `run` would take is marked. Exit code 0; nothing is explored.
    """
    with _one_line():
        planned = Plan(
            client=client,
            profile=profile,
            scopes=tuple(scope),
            changes=_bounds(bound),
            bursts=bursts,
            jobs=jobs,
            strategy=strategy,
            reduction="on" if reduce else "off",
            limit=int(_positive("--limit", limit)),
        )
        scopes = planned.bounded()
        address(client)
        planned = attrs.evolve(planned, interpreter=_interpreter(release))
        measured = [forecast.measure(planned, one) if measure else None for one in scopes]
        for line in forecast.told(planned, scopes, measured):
            Console(soft_wrap=True).print(Text(line))


@ledgers.command()
def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Ledgers of runs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the union.")],
) -> None:
    """Merge what several runs of one client have covered, and print what that comes to.

    Exit code 0; 2 if a ledger is of another client or does not fit the model.
    """
    with _one_line():
        _writable(output)
        covered = listing.merge(files, output)
    for one in covered:
        human.coverage(one, Console())


@app.command()
def matrix(
    versions: Annotated[list[str], typer.Argument(metavar="VERSION...", help="livekit releases.")],
    client: Client = "livekit-agent",
    profile: Profile = "quick",
    scope: ScopeOption = [],  # noqa: B006
    known: KnownOption = None,
    report: ReportOption = Path("reports"),
    jobs: Jobs = CORES,
    limit: Limit = None,
) -> None:
    """Run releases side by side, each in an environment resolved as of its own date.

    Writes the report of all of them, one column each, and report.json of each in a folder named
    after it. What a release breaks is a result and not a failure: exit code 0 if every release was
    covered, 1 otherwise. One that cannot be driven keeps no other from its column.
    """
    with _one_line():
        folder = report or Path("reports")
        plan = Plan(
            client=client,
            profile=profile,
            scopes=tuple(scope),
            jobs=jobs,
            limit=int(_positive("--limit", limit)),
            known=_known(known, update=False),
        )
        plan.bounded()
        address(client)
        plans = {
            version: attrs.evolve(plan, release=version, interpreter=_interpreter(version))
            for version in versions
        }
        human.announce(
            attrs.evolve(plan, release=", ".join(plans)), Console(), _destinations(known, folder)
        )
        reports, refused = _each_explored(plans, folder)
        _rendered(folder, columns(reports))
        human.refused(refused, Console())
    raise typer.Exit(int(bool(refused) or not all(map(_only_violations, reports))))


@app.command("report")
def report_again(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="report.json of one run or several.")
    ],
    report: ReportOption = None,
    timelines: TimelinesOption = "new",
) -> None:
    """Read reports again without running anything; several stand side by side, a column each.

    Exit code 0, whatever the reports say; 2 if a file is no report.
    """
    with _one_line():
        which = _timelines(timelines)
        read = columns([read_report(path) for path in files])
        with prepared(report) if report else nullcontext():
            _rendered(report, read, which)


@app.command("fixes")
def fixes_command(
    row: Annotated[
        list[str], typer.Option("--row", help="Only the row of this name; may be repeated.")
    ] = [],  # noqa: B006
    file: Annotated[Path, typer.Option(help="File of rows.")] = fixes.ON_FILE,
    jobs: Jobs = CORES,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show that faults of past releases are found where they were, and not where they were fixed.

    Each row is a fault between two livekit releases. The first is explored until the fault shows,
    the second to the end or the limit of the row. Exit code 0: every row tells them apart.
    """
    with _one_line():
        chosen = fixes.named(fixes.read(file), row)
        rows = []
        for fix in chosen:
            with progress_shown(fix.name, Console(stderr=True)) as progress:
                rows.append(fixes.try_out(fix, _interpreter, jobs, progress))
            if not as_json:
                Console(soft_wrap=True).print(Text("\n".join(fixes.lines(rows[-1]))))
    if as_json:
        sys.stdout.write(fixes.as_json(rows) + "\n")
    raise typer.Exit(int(any(tried.failures for tried in rows)))


@app.command()
def mutants(
    client: Client = "livekit-agent",
    subject: Annotated[
        str, typer.Option(metavar="MODULE:NAME", help="What lives in the file to mutate.")
    ] = SUBJECT,
    release: Release = "",
    scope: ScopeOption = [],  # noqa: B006
    sample: Annotated[
        int, typer.Option(min=1, help="How many mutants are drawn; each function has its share.")
    ] = 150,
    seed: Seed = 0,
    depth: Annotated[
        str,
        typer.Option(
            help="How far to look for what kills a mutant. "
            + " ".join(f"{one.name}: {one.about}." for one in PASSES)
            + " Each is for what those before it left."
        ),
    ] = "quick",
    limit: Annotated[
        int | None, typer.Option(help="Most runs in each scope and pass; said beside the score.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds after which no other mutant is begun.")
    ] = None,
    jobs: Jobs = CORES,
    known: KnownOption = None,
    equivalents: Annotated[
        Path | None, typer.Option(help="File of mutants that are argued to be no faults.")
    ] = None,
    only: Annotated[str, typer.Option(metavar="ID", help="Try this mutant alone.")] = "",
    listing_only: Annotated[
        bool, typer.Option("--list", help="Print what is drawn, each with its diff; run nothing.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(help="File for what is decided; a second call goes on from it."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for all of it as one JSON document.")
    ] = None,
    goal: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of the mutants that must be killed.")
    ] = 90.0,
) -> None:
    """Plant small faults in the client's protocol code, and see which of them the checks notice.

    Each mutant is one change in a copy of the code. It is killed by a run that shows what the
    client without it does not, or that hangs or cannot be made. Every other is printed with its
    diff. Exit code 0: the goal is reached; 1: it is not, or not yet.
    """
    with _one_line():
        campaigns = _mutation()
        fingerprints = frozenset(_known(known, update=False))
        address(client)
        campaign = campaigns.Campaign(
            client=client,
            subject=subject,
            scopes=tuple(scope),
            passes=passes(depth, int(_positive("--limit", limit))),
            size=sample,
            seed=seed,
            jobs=int(_positive("--jobs", jobs)),
            seconds=_positive("--seconds", seconds),
            known=fingerprints,
            equivalents=read_equivalents(equivalents),
            state=_writable(state),
        )
        campaign.names()
        _writable(json_file)
        campaign = attrs.evolve(campaign, interpreter=_interpreter(release))
        drawn = campaigns.Drawn(campaign, only)
        conducted = campaigns.Conducted(campaign, drawn, _told_mutant)
        try:
            result = conducted.report() if listing_only else conducted.conduct()
        except KeyboardInterrupt:
            _fail(f"stopped; what was decided is in {state or 'no file, for want of --state'}", 130)
        if json_file is not None:
            _replace(json_file, json.dumps(result, indent=1) + "\n")
    lines = mutants_told.sample(result) if listing_only else mutants_told.told(result)
    Console(soft_wrap=True).print(Text("\n".join(lines)))
    reached = listing_only or (result["score"] is None or result["score"] * 100 >= goal)
    raise typer.Exit(int(not reached))


def _mutation() -> Any:
    """The room of mutants, which needs what not everyone has installed."""
    try:
        from realtime_conformance.mutation import campaign
    except ModuleNotFoundError as error:
        raise ValueError(
            f"expected {error.name} to be installed; pip install 'realtime-conformance[mutation]'"
        ) from error
    return campaign


def _told_mutant(name: str, known: dict[str, Any], number: int, of: int) -> None:
    Console(soft_wrap=True).print(Text(mutants_told.ended(name, known, number, of)))


@app.command()
def graph(
    scope: Annotated[str, typer.Option(help=f"One of {', '.join(SCOPES)}.")] = "audio-reply",
    bound: BoundOption = [],  # noqa: B006
    assume: specification.AssumeOption = [],  # noqa: B006
    form: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(specification.FORMATS)}.")
    ] = "counts",
    limit: Annotated[
        int, typer.Option(min=1, help="Refuse a graph with more nodes.")
    ] = specification.DEFAULT_LIMIT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if none.")
    ] = None,
) -> None:
    """Enumerate a scope of the model and print it: its size, its covers, a picture, or the whole.

    dot, mermaid and svg draw one picture for each machine. promela is the input of SPIN, written
    from the rules without enumerating anything.
    """
    with _one_line():
        machine = Machine(specification.scoped(scope, _bounds(bound), assume).bounds)
        text = specification.exported(machine, form, limit)
        if output is None:
            sys.stdout.write(text)
        else:
            _replace(output, text)


@app.command()
def accept(
    files: specification.FileArguments,
    dialect: specification.DialectOption = "ga",
    assume: specification.AssumeOption = [],  # noqa: B006
    form: Annotated[
        str | None,
        typer.Option("--format", help="recorded, wire or hooks; found out by itself otherwise."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a recording.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules that were taken.")] = False,
) -> None:
    """Say whether recorded sessions are behaviours of the model, and where one is not.

    Exit code 0: all are; 1: one is refused, with the line, the event, the state, and what would
    have been accepted there.
    """
    with _one_line():
        found = specification.verdicts(files, dialect, assume, form)
        accepted = specification.print_verdicts(found, as_json=as_json, rules=rules)
    raise typer.Exit(int(not accepted))


@app.command()
def properties(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Properties; all if none.")
    ] = None,
    scope: Annotated[str, typer.Option(help=f"One of {', '.join(SCOPES)}.")] = "text-reply",
    bound: BoundOption = [],  # noqa: B006
    assume: specification.AssumeOption = [],  # noqa: B006
    limit: Annotated[
        int, typer.Option(min=1, help="Refuse a graph with more nodes.")
    ] = specification.DEFAULT_LIMIT,
) -> None:
    """Check what the rules add up to in one scope: always, eventually, sometimes.

    A property that a scope has nothing to say about is vacuous there. Exit code 0: none is
    violated; 1: one is, with the shortest way to it.
    """
    with _one_line():
        machine = Machine(specification.scoped(scope, _bounds(bound), assume).bounds)
        held = specification.print_properties(names or [], scope, machine, limit)
    raise typer.Exit(int(not held))


def _timelines(name: str) -> str:
    if name not in human.TIMELINES:
        expected = ", ".join(human.TIMELINES)
        raise ValueError(f"unknown choice of timelines {name!r}; expected one of {expected}")
    return name


def _destinations(known: Path | None, report: Path | None) -> list[str]:
    """Where known issues are read from, and where the report goes."""
    lines = [("known     ", known), ("report    ", report)]
    return [f"{name}{path}" for name, path in lines if path is not None]


@app.command("doctor")
def look(
    release: Release = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what is installed, which seams the installed livekit has, and what will work.

    Exit code 0: the agent can be driven through every scope; 1: it cannot, and what is missing is
    marked with --.
    """
    with _one_line():
        found = doctor.examine(_interpreter(release))
    Console(soft_wrap=True).print(Text(json.dumps(found) if as_json else doctor.told(found)))
    raise typer.Exit(int(not found["works"]))


def _made_again(pool: Pool, choices: tuple[int, ...], most: float | None) -> dict[str, Any]:
    """One run as it is shown, in virtual time, or in real time for `most` seconds at most.

    `end` is what is printed below it, and `same` whether it breaks what it breaks in virtual time.
    """
    if most is None:
        shown = pool.show(choices)
        return {**shown, "end": f"trace digest {shown['digest']}", "same": True}
    told = pool.real(choices, most)
    if told["real"] is None:
        _fail(f"not made in real time: {told['why']}", 1)
    verdicts = told["verdicts"]
    return {
        **told["real"],
        "end": "\n".join(confirmation.compared(verdicts)),
        "same": verdicts["real"] == verdicts["virtual"],
    }


def _replace(path: Path, text: str) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    try:
        replace_text(path, text)
    except OSError as error:
        raise UnwritableFolder(f"cannot write {path}: {error.strerror}") from error


def _positive(name: str, value: float | None) -> float:
    """A budget; 0 where none is given."""
    if value is None:
        return 0
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return value


def _state(begin: Path | None, resume: Path | None) -> Path | None:
    """The file that holds the state of a run, which `begin` begins and `resume` goes on from."""
    if begin is not None and resume is not None:
        raise ValueError("give --state to begin a run or --resume to go on with one, not both")
    if begin is not None and begin.exists():
        raise ValueError(f"{begin} exists; go on from it with --resume, or remove it")
    if resume is not None and not resume.exists():
        raise ValueError(f"there is no state to go on from in {resume}")
    return _writable(begin or resume)


def _writable(path: Path | None) -> Path | None:
    """A file in a folder that can be written, before any work is done."""
    if path is not None:
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise UnwritableFolder(f"cannot write {path}: {error.strerror}") from error
    return path


def _only_violations(report: dict[str, Any]) -> bool:
    return all(reason.startswith("new violation") for reason in report["reasons"])


def _explored(plan: Plan, folder: Path | None, name: str) -> dict[str, Any]:
    """Conduct a plan; its report is in `folder` then, if one is given."""
    errors = Console(stderr=True)
    with prepared(folder) if folder else nullcontext(), progress_shown(name, errors) as progress:
        result = conduct(plan, progress)
    if folder is not None:
        write(folder, result)
    return result


def _each_explored(
    plans: dict[str, Plan], folder: Path
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The reports of the releases that can be driven, and why the others cannot.

    Raises:
        WorkerRefused: none of them can.
    """
    reports: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for version, plan in plans.items():
        try:
            reports.append(_explored(plan, folder / version, version))
        except WorkerRefused as error:
            refused[version] = str(error)
    if not reports:
        raise WorkerRefused("; ".join(f"{name}: {why}" for name, why in refused.items()))
    return reports, refused


def _rendered(folder: Path | None, reports: Columns, timelines: str = "new") -> None:
    """Write what is made of reports, and print them: one whole, or several side by side."""
    written = render(folder, reports) if folder is not None else []
    console = Console()
    if len(reports) == 1:
        human.show(next(iter(reports.values())), console, timelines)
    else:
        human.matrix(reports, console)
    human.written(written, console)


def _interpreter(release: str) -> Interpreter:
    if not release:
        return Interpreter()
    errors = Console(stderr=True)
    with (
        errors.status(f"environment of livekit {release}") if errors.is_terminal else nullcontext()
    ):
        environment = build(release)
        archive = harness_archive(environment.python.parent)
    return Interpreter(python=str(environment.python), path=(str(archive),), isolated=True)


def _bounds(given: list[str]) -> dict[str, int]:
    changes: dict[str, int] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not value.isdigit():
            raise ValueError(f"expected NAME=N for --bound, got {text!r}")
        changes[name] = int(value)
    return changes


def _check_update(known: Path | None, update: bool, partly: object) -> None:
    if update and known is None:
        raise ValueError("--update-known needs --known FILE to write to")
    if update and partly:
        raise ValueError("--update-known needs a whole run; drop --limit, --seconds and --stop")


def _known(path: Path | None, update: bool) -> baseline.Known:
    if path is None or (update and not path.exists()):
        return {}
    return baseline.read(path)


def _update(path: Path, known: baseline.Known, report: dict[str, Any]) -> None:
    scopes = [scope["name"] for scope in report["scopes"]]
    updated = baseline.update(known, report["profile"], scopes, sightings(report))
    baseline.write(path, updated)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
