"""Who may import whom, read from the source: imports inside of functions count too."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (ROOT / "model", ROOT / "conformance")

MODEL = "realtime_protocol"
HARNESS = "realtime_conformance"

TOP = tuple(f"{HARNESS}.{name}" for name in ("cli", "report", "pytest_plugin", "__main__"))
"""What nothing may import but what is on top itself."""

SOCKETS = {"aiohttp", "http", "httpx", "requests", "socket", "socketserver", "ssl", "websockets"}

WORKER_NEEDS = tuple(
    f"{MODEL}.{name}"
    for name in (
        "acceptance",
        "adoption",
        "bounds",
        "compiler",
        "errors",
        "expressions",
        "machine",
        "messages",
        "names",
        "ranges",
        "rule",
        "rules",
        "state",
        "unrolled",
        "vocabulary",
        "wire",
    )
)

NOT_IN_A_WORKER = {
    "typer", "rich", "jinja2", "jsonschema", "networkx", "pytest", "hypothesis", "uv", "livekit",
    "libcst",
}  # fmt: skip

BESIDE_A_CLIENT = {"aiohttp", "multidict", "yarl", "openai", "pydantic"}
"""What comes with a client, and so is there wherever a worker runs."""

PURE = {
    "__future__",
    "ast", "collections", "contextlib", "copy", "difflib", "fnmatch", "functools", "gc", "hashlib",
    "itertools", "json", "math", "operator", "re", "string", "types", "typing", "xml",
}  # fmt: skip
"""What the model may import of the standard library: no files, no sockets, no clock, no chance."""

CORE = tuple(
    f"{MODEL}.{name}"
    for name in (
        "state", "rule", "expressions", "ranges", "unrolled", "compiler", "rules", "machine",
    )
)  # fmt: skip
"""What a machine is made of."""

DATA = tuple(f"{MODEL}.{name}" for name in ("rule", "rules", "state"))
"""What rules are made of."""

Imports = Mapping[str, frozenset[str]]
"""Module to everything that it imports, as dotted names."""


def within(name: str, rooms: str | Iterable[str]) -> bool:
    """Whether a module is one of `rooms` or inside of one."""
    rooms = [rooms] if isinstance(rooms, str) else rooms
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def top(name: str) -> str:
    """The distribution's import name: what stands before the first dot."""
    return name.partition(".")[0]


@cache
def files() -> dict[str, Path]:
    """Every module of ours, and where it is written."""
    found = {}
    for source in SOURCES:
        for path in source.rglob("*.py"):
            parts = path.relative_to(source).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(module: str, tree: ast.AST, package: bool) -> set[str]:
    """Every name that a module imports, at any depth; `from a import b` names `a` and `a.b`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + package]
                base = ".".join([*kept, base] if base else kept)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found - {"__future__"}


@cache
def imports() -> Imports:
    """What every module of ours imports."""
    return {
        module: frozenset(
            imported(module, ast.parse(path.read_text("utf-8")), path.name == "__init__.py")
        )
        for module, path in files().items()
    }


def closure(graph: Imports, starts: Iterable[str]) -> frozenset[str]:
    """Everything that comes with some modules: what they import, and the packages above those."""
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        above = name.rpartition(".")[0]
        waiting += [*graph.get(name, ()), *([above] if above else [])]
    return frozenset(found)


# -- the laws: each gives the offenders, one line each ----------------------------------------


def foreign_to_the_model(graph: Imports) -> list[str]:
    """The model imports the standard library, attrs, networkx and itself."""
    allowed = {*sys.stdlib_module_names, "attrs", "networkx", MODEL}
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if within(module, MODEL)
        for name in sorted(names)
        if top(name) not in allowed
    ]


def impure_model(graph: Imports) -> list[str]:
    """The model does no input or output and knows neither clock nor chance."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if within(module, MODEL)
        for name in sorted(names)
        if top(name) in sys.stdlib_module_names and top(name) not in PURE
    ]


def beyond(graph: Imports, rooms: Iterable[str], allowed: Iterable[str]) -> list[str]:
    """What modules in some rooms import of the model beyond what is allowed."""
    rooms, allowed = list(rooms), list(allowed)
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if within(module, rooms)
        for name in sorted(names)
        if within(name, MODEL) and name != MODEL and not within(name, allowed)
    ]


def core_beyond_itself(graph: Imports) -> list[str]:
    """A machine is made of rules and fields; it knows no bounds by name, no graph, no recording."""
    return beyond(graph, CORE, CORE)


def rules_beyond_data(graph: Imports) -> list[str]:
    """Rules are data: what reads them is unknown to them."""
    return beyond(graph, [f"{MODEL}.rules"], DATA)


def recordings_beyond_themselves(graph: Imports) -> list[str]:
    """What a recording is, and how it is read, has nothing to do with the rules."""
    return beyond(graph, [f"{MODEL}.recordings"], [f"{MODEL}.recordings"])


def networkx_beyond_the_graph(graph: Imports) -> list[str]:
    """Only the graph is given to networkx; everything else does without."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if within(module, MODEL) and module != f"{MODEL}.graph"
        for name in sorted(names)
        if top(name) == "networkx"
    ]


def below_the_exports(graph: Imports) -> list[str]:
    """An export is a translation of what there is: nothing of the model needs one."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if within(module, MODEL) and not within(module, f"{MODEL}.export")
        for name in sorted(names)
        if within(name, f"{MODEL}.export")
    ]


def heavy_for_a_worker(graph: Imports) -> list[str]:
    """What a worker needs of the model comes without networkx."""
    return sorted(n for n in closure(graph, WORKER_NEEDS) if top(n) not in _light())


def heavy_worker(graph: Imports) -> list[str]:
    """The worker imports the standard library, the project, attrs, and aiohttp for its frames.

    What stands in the frames of aiohttp comes with it: addresses of yarl, headers of multidict.
    The types of events come with the client, in `openai`, and pydantic with them.
    """
    allowed = {*_light(), *BESIDE_A_CLIENT}
    return sorted(n for n in closure(graph, [f"{HARNESS}.worker"]) if top(n) not in allowed)


def _light() -> set[str]:
    return {*sys.stdlib_module_names, "attrs", MODEL, HARNESS}


def below_the_top(graph: Imports) -> list[str]:
    """Nothing imports the command line, the reports or the pytest plugin, but those themselves."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if not within(module, TOP)
        for name in sorted(names)
        if within(name, TOP)
    ]


def livekit_outside_clients(graph: Imports) -> list[str]:
    """Only clients know livekit, and the openai package with it; its types are for the schema."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if not within(module, f"{HARNESS}.clients")
        for name in sorted(names)
        if top(name) == "livekit" or (top(name) == "openai" and module != f"{HARNESS}.schema")
    ]


def drawn_outside_the_reports(graph: Imports) -> list[str]:
    """Only the reports know templates and schemas."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if not within(module, f"{HARNESS}.report")
        for name in sorted(names)
        if top(name) in ("jinja2", "jsonschema")
    ]


def code_outside_mutation(graph: Imports) -> list[str]:
    """Only the room of mutants reads code as a tree that can be written again."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if not within(module, f"{HARNESS}.mutation")
        for name in sorted(names)
        if top(name) == "libcst"
    ]


def heavy_mutation(graph: Imports) -> list[str]:
    """What the room of mutants runs beside a client imports what a worker does."""
    rooms = [f"{HARNESS}.mutation.{name}" for name in ("locate", "reach")]
    allowed = {*_light(), *BESIDE_A_CLIENT}
    return sorted(n for n in closure(graph, rooms) if top(n) not in allowed)


def sockets_outside_transport(graph: Imports) -> list[str]:
    """Only the transport knows sockets."""
    return [
        f"{module}: {name}"
        for module, names in graph.items()
        if not within(module, f"{HARNESS}.transport")
        for name in sorted(names)
        if top(name) in SOCKETS
    ]


LAWS: dict[Callable[[Imports], list[str]], list[tuple[str, str]]] = {
    # each with imports that break it
    foreign_to_the_model: [
        (f"{MODEL}.graph", "rich"),
        (f"{MODEL}.rules.response", f"{HARNESS}.clock"),
    ],
    impure_model: [
        (f"{MODEL}.machine", "time"),
        (f"{MODEL}.graph", "random"),
        (f"{MODEL}.recordings", "pathlib"),
        (f"{MODEL}.wire", "datetime"),
        (f"{MODEL}.export.graphml", "io"),
        (f"{MODEL}.names", "uuid"),
    ],
    core_beyond_itself: [
        (f"{MODEL}.machine", f"{MODEL}.bounds"),
        (f"{MODEL}.unrolled", f"{MODEL}.graph"),
        (f"{MODEL}.rules.response", f"{MODEL}.vocabulary"),
    ],
    rules_beyond_data: [
        (f"{MODEL}.rules.mcp", f"{MODEL}.machine"),
        (f"{MODEL}.rules", f"{MODEL}.expressions"),
    ],
    recordings_beyond_themselves: [(f"{MODEL}.recordings", f"{MODEL}.rules")],
    networkx_beyond_the_graph: [
        (f"{MODEL}.paths", "networkx"),
        (f"{MODEL}.export.diagram", "networkx.algorithms"),
    ],
    below_the_exports: [
        (f"{MODEL}.graph", f"{MODEL}.export.dot"),
        (f"{MODEL}.properties", f"{MODEL}.export"),
    ],
    heavy_for_a_worker: [(f"{MODEL}.bounds", "networkx"), (MODEL, f"{MODEL}.graph")],
    heavy_worker: [
        (f"{HARNESS}.worker", "typer"),
        (f"{HARNESS}.clock", "hypothesis"),
        (f"{MODEL}.machine", f"{MODEL}.graph"),
        (f"{HARNESS}.checks.liveness", "livekit.agents"),
        (HARNESS, "rich.table"),
    ],
    below_the_top: [
        (f"{HARNESS}.engine", f"{HARNESS}.report.console"),
        (f"{HARNESS}.worker", f"{HARNESS}.cli"),
        (f"{HARNESS}.checks", f"{HARNESS}.pytest_plugin"),
    ],
    livekit_outside_clients: [
        (f"{HARNESS}.runner", "livekit.agents.voice"),
        (f"{HARNESS}.server", "openai.types"),
        (f"{HARNESS}.schema", "livekit.agents"),
        (f"{MODEL}.state", "livekit"),
    ],
    drawn_outside_the_reports: [
        (f"{HARNESS}.reporting", "jsonschema"),
        (f"{HARNESS}.cli", "jinja2"),
    ],
    code_outside_mutation: [(f"{HARNESS}.cli", "libcst"), (f"{HARNESS}.trail", "libcst.matchers")],
    heavy_mutation: [
        (f"{HARNESS}.mutation.locate", "libcst"),
        (f"{HARNESS}.mutation.reach", "rich"),
        (f"{HARNESS}.mutation", "networkx"),
    ],
    sockets_outside_transport: [
        (f"{HARNESS}.runner", "aiohttp"),
        (f"{HARNESS}.clients.livekit_agent", "aiohttp.web"),
        (f"{HARNESS}.clock", "socket"),
    ],
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_layers(law: Callable[[Imports], list[str]]) -> None:
    """The law holds for every module; offenders are named."""
    assert law(imports()) == []


@pytest.mark.parametrize(
    ("law", "module", "name"),
    [(law, *plant) for law, plants in LAWS.items() for plant in plants],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_a_planted_import_is_found(
    law: Callable[[Imports], list[str]], module: str, name: str
) -> None:
    """One import too many is noticed by the law that it breaks."""
    assert module in imports()
    planted = {**imports(), module: imports()[module] | {name}}
    assert any(name in offender or "networkx" in offender for offender in law(planted))


def test_the_source_is_read() -> None:
    """What is known to be imported is seen, so an empty list of offenders means something."""
    seen = imports()
    assert f"{MODEL}.rules.response" in seen[f"{MODEL}.rules"]
    assert f"{MODEL}.ranges" in seen[f"{MODEL}.unrolled"]
    assert "networkx" in seen[f"{MODEL}.graph"]
    assert "aiohttp" in seen[f"{HARNESS}.transport.memory"]
    assert any(top(name) == "livekit" for name in seen[f"{HARNESS}.clients.livekit_agent"])
    assert "typer" in seen[f"{HARNESS}.cli"]
    assert any(within(name, f"{HARNESS}.report") for name in seen[f"{HARNESS}.cli"])


def test_every_kind_of_import_is_understood() -> None:
    """Plain, from, relative, renamed, and inside of a function or a condition."""
    source = """
import a.b, c as d
from e import f as g
from . import h
from .i import j
from .. import k
def late():
    import l
    if late:
        from m.n import o
"""
    found = imported("p.q.r", ast.parse(source), package=False)
    assert found == {"a.b", "c", "e", "e.f", "p.q", "p.q.h", "p.q.i", "p.q.i.j", "p", "p.k"} | {
        "l",
        "m.n",
        "m.n.o",
    }
    assert imported("p.q", ast.parse("from . import h"), package=True) == {"p.q", "p.q.h"}


@pytest.mark.parametrize(
    ("module", "without"),
    [
        (f"{HARNESS}.worker", NOT_IN_A_WORKER),
        (f"{MODEL}.machine", {"networkx", "aiohttp", HARNESS}),
        (f"{MODEL}.acceptance", {"networkx", "asyncio", "socket", HARNESS}),
        (f"{HARNESS}.checks", NOT_IN_A_WORKER),
        (f"{HARNESS}.mutation.locate", NOT_IN_A_WORKER),
    ],
)
def test_what_is_loaded(module: str, without: set[str]) -> None:
    """In a new process the module loads, and none of these come with it by any way."""
    code = f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES))}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = {top(name) for name in json.loads(said.stdout)}
    assert MODEL in loaded
    assert loaded & without == set()


# -- the client under test is taken as it is --------------------------------------------------

VERSIONS = {"__version__", "version", "Version", "parse_version", "metadata", "packaging"}
"""Names by which code asks for the release of a package."""


def identifiers(tree: ast.AST) -> set[str]:
    """Every name, attribute and imported module of a piece of code; text does not count."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.name for alias in node.names}
            found |= set((getattr(node, "module", "") or "").split("."))
    return found


def judged() -> dict[str, ast.AST]:
    """The code that drives a client or judges it."""
    rooms = [f"{HARNESS}.{name}" for name in ("checks", "clients", "runner", "speaker", "evidence")]
    return {
        module: ast.parse(path.read_text("utf-8"))
        for module, path in files().items()
        if within(module, rooms)
    }


def test_nothing_asks_for_a_release() -> None:
    """What drives or judges a client looks at public signatures, never at a version."""
    assert len(judged()) > 5
    asking = {module: identifiers(tree) & VERSIONS for module, tree in judged().items()}
    assert {module: names for module, names in asking.items() if names} == {}
    assert identifiers(ast.parse("if livekit.__version__ > '1.2': pass")) & VERSIONS
    assert identifiers(ast.parse("from importlib.metadata import version")) & VERSIONS
    assert identifiers(ast.parse("from packaging.version import Version")) & VERSIONS


def intrusions(tree: ast.AST) -> list[str]:
    """Private attributes of others that are used, and attributes of others that are set."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            private = node.attr.startswith("_") and not node.attr.endswith("__")
            stored = isinstance(node.ctx, ast.Store | ast.Del)
            if not own and private:
                found.append(f"line {node.lineno}: uses {node.attr}")
            if not own and stored and not _ours(node.value):
                found.append(f"line {node.lineno}: sets {ast.unparse(node)}")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
            found.append(f"line {node.lineno}: calls {ast.unparse(node.func)}")
    return found


def _ours(node: ast.expr) -> bool:
    """Whether an object is one that a client made or was given, reached from `self`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id == "self"


def test_no_client_is_patched() -> None:
    """Clients use no private attribute of another object and set nothing on what they import."""
    seen = {
        module: intrusions(tree)
        for module, tree in judged().items()
        if within(module, f"{HARNESS}.clients")
    }
    assert len(seen) > 2
    assert {module: found for module, found in seen.items() if found} == {}


@pytest.mark.parametrize(
    "code",
    [
        "session._activity.cancel()",
        "self._session._activity",
        "AgentSession.interrupt = fake",
        "voice.io.AudioOutput.flush = fake",
        "setattr(AgentSession, 'interrupt', fake)",
        "del AgentSession.interrupt",
    ],
)
def test_a_patch_is_found(code: str) -> None:
    """Reaching into a client, or changing it, is noticed."""
    assert intrusions(ast.parse(code))
    assert not intrusions(ast.parse("self._session.output.audio = self._speaker.__class__"))
