"""What is installed, which seams it has, and what will work: the command `doctor`.

Laws:
- A client is looked at by a process of its own, so any release can be looked at.
- What a scope needs is read off its bounds and its rules, as the runner does.
- One undisturbed reply is made as well: what should work is also tried.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from realtime_conformance.clients.interface import call_of
from realtime_conformance.pool import Interpreter, Pool, Setup, WorkerLost, WorkerRefused
from realtime_conformance.runner import TOOL
from realtime_conformance.setting import setting_of
from realtime_conformance.spin import COMPILERS
from realtime_protocol.bounds import SCOPES, Scope
from realtime_protocol.machine import Machine

Json = dict[str, Any]

CLIENT = "livekit-agent"
TRIED = "audio-reply"
"""The scope in which one reply is tried."""

OLDEST, NEWEST = (3, 10), (3, 13)
"""The versions of Python that this project is for."""

SECONDS = 120.0
"""How long the look at a client may take."""


class NotExamined(ValueError):
    """The look at a client gave no answer, with what it said instead."""


def examine(interpreter: Interpreter) -> Json:
    """All that is known of what an interpreter has installed, as plain data.

    Raises:
        NotExamined: the interpreter cannot run this project.
    """
    probe = _probe(interpreter)
    scopes = {name: list(_lacks(scope, probe)) for name, scope in SCOPES.items()}
    tried = _try(interpreter) if not probe["missing"] else probe["missing"]
    return {
        **probe,
        "python_fits": OLDEST <= tuple(map(int, probe["python"].split(".")[:2])) <= NEWEST,
        "programs": _programs(),
        "scopes": scopes,
        "tried": {"scope": TRIED, "failed": tried},
        "works": not tried and not any(scopes.values()),
    }


def _probe(interpreter: Interpreter) -> Json:
    command = [interpreter.python, "-m", "realtime_conformance.probe"]
    try:
        done = subprocess.run(
            command,
            env=interpreter.environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
        )
        found: Json = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().split("\n")[-1]
        raise NotExamined(f"expected {interpreter.python} to run this project: {last}") from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise NotExamined(f"expected {interpreter.python} to run this project: {error}") from error
    return found


def _lacks(scope: Scope, probe: Json) -> Iterator[str]:
    """The names of the seams that a scope needs and that are not there."""
    needs = {"all", "" if setting_of(scope.bounds).audio else "written"} - {""}
    acts = _acts(scope.name)
    for seam in probe["seams"]:
        if not seam["there"] and (seam["need"] in needs or call_of(seam["act"]) in acts):
            yield seam["name"]
    if probe["missing"]:
        yield "livekit"


@functools.cache
def _acts(scope: str) -> frozenset[str]:
    """The calls of agent code that a scope has."""
    return frozenset(
        call_of(rule.event)
        for rule in Machine(SCOPES[scope].bounds).rules
        if rule.actor == "app" and not rule.event.startswith(TOOL)
    )


def _try(interpreter: Interpreter) -> str:
    """Why one undisturbed reply of the agent cannot be made; empty if it can."""
    try:
        with Pool(Setup(client=CLIENT, profile="quick", scope=TRIED), 1, interpreter) as pool:
            pool.show(())
    except (WorkerLost, WorkerRefused) as error:
        return str(error)
    return ""


def _programs() -> dict[str, str | None]:
    """What other programs there are, by what needs them: a path, or None."""
    return {
        "uv": _uv(),
        "spin": shutil.which("spin"),
        "C compiler": next(filter(None, map(shutil.which, COMPILERS)), None),
    }


def _uv() -> str | None:
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError:
        return None


def told(found: Json) -> str:
    """What was found, as a person reads it."""
    lines = ["what is installed", *_installed(found), ""]
    lines += ["seams of livekit", *_seams(found), "", "what will work", *_works(found)]
    return "\n".join(lines)


def _row(name: str, there: bool, said: str) -> str:
    return f"  {'ok ' if there else '-- '} {name:<40} {said}".rstrip()


def _installed(found: Json) -> Iterator[str]:
    ours = " to ".join(".".join(map(str, version)) for version in (OLDEST, NEWEST))
    yield _row("Python", found["python_fits"], f"{found['python']}, expected {ours}")
    for name, version in found["packages"].items():
        yield _row(name, version is not None, version or "not installed")
    for name, path in found["programs"].items():
        yield _row(name, path is not None, path or "not found")


def _seams(found: Json) -> Iterator[str]:
    if found["missing"]:
        yield _row("livekit", False, found["missing"])
    for seam in found["seams"]:
        yield _row(seam["name"], seam["there"], seam["about"])


def _works(found: Json) -> Iterator[str]:
    tried, scopes, programs = found["tried"], found["scopes"], found["programs"]
    yield _row("one reply, tried", not tried["failed"], tried["failed"] or "made to its end")
    good = [name for name, lacks in scopes.items() if not lacks]
    yield _row(
        "run, replay, search, export", found["works"], f"{len(good)} of {len(scopes)} scopes"
    )
    for name, lacks in scopes.items():
        if lacks:
            yield _row(f"  --scope {name}", False, f"needs {', '.join(lacks)}")
    uv = programs["uv"] is not None
    yield _row("--release, matrix", uv, "and the package index" if uv else "need uv")
    spin = programs["spin"] and programs["C compiler"]
    yield _row("comparing with SPIN", bool(spin), "" if spin else "needs spin and a C compiler")
    yield _row("graph, accept, properties", True, "need no client")
