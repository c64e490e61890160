"""Settings of the test suite: everything is deterministic, and no test is timed."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("project", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="module")
def runs_collect_garbage() -> Iterator[None]:
    """Keep the collector to the ends of runs, for a module that makes many of them."""
    gc.collect()
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def heap_set_aside(runs_collect_garbage: None) -> None:
    """Let the collector look at what the runs of a test make, and at nothing before that."""
    gc.freeze()


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has nothing installed, this project least of all."""
    home = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    return str(home / "bin" / "python")
