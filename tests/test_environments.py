"""The isolated environments: dated, whole or absent, reused, and reached by one archive.

The fast tests put a fake uv in place of the real one and touch no network.
The slow ones build a real release.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_conformance import environments
from realtime_conformance.environments import (
    Environment,
    EnvironmentFailure,
    build,
    harness_archive,
    release_date,
)

LOCK = """\
version = 1
revision = 3

[[package]]
name = "aiohttp"
version = "3.13.5"
sdist = { url = "x", hash = "y", upload-time = "2031-01-01T00:00:00Z" }

[[package]]
name = "livekit-agents"
version = "1.5.4"
dependencies = [
    { name = "aiohttp" },
]
sdist = { url = "x", hash = "y", upload-time = "2026-04-16T04:52:01Z" }
wheels = [
    { url = "x", hash = "y", upload-time = "2026-04-16T04:51:59.1Z" },
]

[[package]]
name = "livekit-plugins-openai"
version = "1.5.4"
wheels = [
    { url = "x", hash = "y", upload-time = "2026-04-16T04:52:13.482913Z" },
]

[[package]]
name = "zipp"
version = "9"
sdist = { url = "x", hash = "y", upload-time = "2032-01-01T00:00:00Z" }
"""

NEW_REFUSAL = """\
Using CPython 3.11.7 interpreter at: /somewhere/python
warning: something else
error: No solution found when resolving dependencies
  cause: Because there is no version of livekit-agents==9.9.9 and your project depends on \
livekit-agents==9.9.9, we can conclude that your project's requirements are unsatisfiable.
"""

OLD_REFUSAL = """\
Using CPython 3.11.7 interpreter at: /somewhere/python
  \u00d7 No solution found when resolving dependencies:
  \u2570\u2500\u25b6 Because there is no version of
      livekit-agents==9.9.9 and your project
      depends on livekit-agents==9.9.9, we can conclude that your project's
      requirements are unsatisfiable.
"""

NO_INDEX = """\
error: Request failed after 3 retries
  cause: Failed to fetch: `an index`
  cause: connection refused
"""

INSTALLED = [{"name": "openai", "version": "2.33.0"}, {"name": "attrs", "version": "25.1"}]


class FakeUv:
    """Does what uv would leave on disk, keeps what it was asked, and fails where told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.lock = LOCK
        self.refusals: dict[str, str] = {}
        self.before: Callable[[str], None] = lambda _: None

    def __call__(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Stand in for `environments._uv`."""
        step = " ".join(arguments[:2]) if arguments[0] == "pip" else arguments[0]
        self.calls.append(arguments)
        self.before(step)
        if step in self.refusals:
            return subprocess.CompletedProcess(arguments, 1, "", self.refusals[step])
        if step == "lock":
            (folder / "uv.lock").write_text(self.lock, encoding="utf-8")
        elif step == "venv":
            python = environments._interpreter(Path(arguments[-1]))
            python.parent.mkdir(parents=True)
            python.touch()
        said = json.dumps(INSTALLED) if step == "pip list" else ""
        return subprocess.CompletedProcess(arguments, 0, said, "")

    def asked(self, *first: str) -> list[tuple[str, ...]]:
        """Return the calls that begin with these words."""
        return [call for call in self.calls if call[: len(first)] == first]


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> FakeUv:
    """Put a fake uv in place of the real one."""
    fake = FakeUv()
    monkeypatch.setattr(environments, "_uv", fake)
    return fake


def entries(cache: Path) -> list[str]:
    """Return what a cache folder holds, but for the lock files."""
    return sorted(each.name for each in cache.iterdir() if not each.name.endswith(".lock"))


def place(version: str) -> str:
    """Return the folder name of a release for the running Python."""
    return f"{version}-py{sys.version_info.major}.{sys.version_info.minor}"


# -- versions and dates ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage", ["", "banana", "1.5.4; x", "1.5.4,<2", "../1.5.4", "--help", "1.5.4\n1.5.5", '1"']
)
def test_garbage_is_refused_before_anything_runs(uv: FakeUv, tmp_path: Path, garbage: str) -> None:
    """What is no version fails in one line, with no uv started and nothing written."""
    cache = tmp_path / "cache"
    for attempt in (lambda: release_date(garbage), lambda: build(garbage, cache=cache)):
        with pytest.raises(EnvironmentFailure, match=r"^expected a livekit version .*got .+$"):
            attempt()
    assert uv.calls == []
    assert not cache.exists()


def test_release_date_is_the_latest_upload_of_both_packages_and_an_hour(uv: FakeUv) -> None:
    """Only the two livekit packages count, the latest file of them, plus the slack."""
    assert release_date("1.5.4") == "2026-04-16T05:52:13Z"
    assert len(uv.calls) == 1


def test_the_lock_is_asked_for_both_packages_and_this_python(
    uv: FakeUv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project that is locked names the exact release and the running minor version."""
    projects = []

    def watch(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        projects.append((folder / "pyproject.toml").read_text(encoding="utf-8"))
        return uv(*arguments, folder=folder)

    monkeypatch.setattr(environments, "_uv", watch)
    release_date("v1.5.4")
    (project,) = projects
    assert '"livekit-agents==1.5.4", "livekit-plugins-openai==1.5.4"' in project
    major, minor = sys.version_info[:2]
    assert f'requires-python = "=={major}.{minor}.*"' in project


@pytest.mark.parametrize("name", ["livekit-agents", "livekit-plugins-openai", "zipp", "absent"])
def test_both_readers_of_the_lock_agree(name: str) -> None:
    """The reader for Python 3.10 finds what the TOML reader finds."""
    assert environments._times_by_text(LOCK, name) == environments._upload_times(LOCK, name)


def test_a_lock_without_upload_times_is_one_clear_line(uv: FakeUv) -> None:
    """An index or a uv that tells no upload times is named, not guessed around."""
    uv.lock = re.sub(r", upload-time = \"[^\"]*\"", "", LOCK)
    with pytest.raises(EnvironmentFailure, match=r"upload times of livekit-agents .*got none"):
        release_date("1.5.4")


def test_an_upload_time_that_is_no_instant_is_one_clear_line(uv: FakeUv) -> None:
    """A time in another form is refused with the time itself."""
    uv.lock = LOCK.replace("2026-04-16T04:52:01Z", "yesterday")
    with pytest.raises(EnvironmentFailure, match="expected a UTC upload time, got 'yesterday'"):
        release_date("1.5.4")


@pytest.mark.parametrize("refusal", [NEW_REFUSAL, OLD_REFUSAL], ids=["new uv", "old uv"])
def test_an_unknown_version_is_one_clear_line(uv: FakeUv, refusal: str) -> None:
    """The refusal of uv, old or new, becomes its first premise and nothing else."""
    uv.refusals["lock"] = refusal
    with pytest.raises(EnvironmentFailure) as caught:
        release_date("9.9.9")
    assert str(caught.value) == (
        "livekit 9.9.9 cannot be installed: there is no version of livekit-agents==9.9.9"
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (NO_INDEX, "Request failed after 3 retries cause: Failed to fetch: `an index` cause: "),
        ("odd words\n", "odd words"),
        ("", "uv ended with 1 and said nothing"),
        ("error: " + "long " * 900, "long long"),
    ],
)
def test_any_other_refusal_is_one_short_line(uv: FakeUv, said: str, reason: str) -> None:
    """Whatever uv says, one line of bounded length comes out, and never an empty reason."""
    uv.refusals["lock"] = said
    with pytest.raises(EnvironmentFailure) as caught:
        release_date("1.5.4")
    line = str(caught.value)
    assert line.startswith(f"livekit 1.5.4 cannot be installed: {reason}")
    assert "\n" not in line
    assert len(line) < 400


# -- running uv -----------------------------------------------------------------------------


def test_uv_sees_the_index_settings_and_not_the_callers_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What points at the caller's environment is dropped, the rest is handed on."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.append((command, dict(options["env"])))  # type: ignore[call-overload]
        return subprocess.CompletedProcess(command, 0, "", "")

    dropped = ["VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_FROZEN"]
    for name in [*dropped, "UV_LOCKED", "UV_DEFAULT_INDEX", "SSL_CERT_FILE"]:
        monkeypatch.setenv(name, "kept?")
    monkeypatch.setattr(subprocess, "run", run)
    environments._uv("lock", folder=tmp_path)
    ((command, surroundings),) = seen
    assert not {*dropped, "UV_LOCKED"} & set(surroundings)
    assert surroundings["UV_DEFAULT_INDEX"] == surroundings["SSL_CERT_FILE"] == "kept?"
    assert command[1:4] == ["lock", "--directory", str(tmp_path)]


@pytest.mark.parametrize(
    "trouble", [FileNotFoundError("no uv here"), subprocess.TimeoutExpired("uv", 1)]
)
def test_a_uv_that_does_not_run_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: Exception
) -> None:
    """A missing or hanging uv is an expected failure, not a traceback."""

    def run(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(EnvironmentFailure, match=r"^expected .*(no uv here|did not)$"):
        environments._uv("lock", folder=tmp_path)


# -- building and keeping -------------------------------------------------------------------


def test_a_build_is_dated_and_complete(uv: FakeUv, tmp_path: Path) -> None:
    """The environment tells its release, date, interpreter and packages, by name."""
    made = build("1.5.4", cache=tmp_path)
    python = environments._interpreter(tmp_path / place("1.5.4"))
    packages = {"attrs": "25.1", "openai": "2.33.0"}
    assert made == Environment("1.5.4", python, "2026-04-16T05:52:13Z", packages)
    assert list(made.packages) == ["attrs", "openai"]
    assert made.python.exists()
    assert entries(tmp_path) == [place("1.5.4")]
    (venv,) = uv.asked("venv")
    assert "--relocatable" in venv
    assert sys.executable in venv
    (install,) = uv.asked("pip", "install")
    assert install[install.index("--exclude-newer") + 1] == made.released
    assert install[-3:] == ("livekit-agents==1.5.4", "livekit-plugins-openai==1.5.4", "attrs")


def test_a_cached_environment_is_reused(uv: FakeUv, tmp_path: Path) -> None:
    """The second build of a release, however it is spelled, runs nothing and says so."""
    said: list[str] = []
    first = build("1.5.4", cache=tmp_path)
    uv.calls.clear()
    assert build(" v1.5.4", cache=tmp_path, say=said.append) == first
    assert uv.calls == []
    assert said == ["livekit 1.5.4: reusing the environment as of 2026-04-16T05:52:13Z"]


def test_each_release_has_its_own_environment(uv: FakeUv, tmp_path: Path) -> None:
    """Two releases never share a folder."""
    build("1.5.4", cache=tmp_path)
    build("1.5.5", cache=tmp_path)
    assert entries(tmp_path) == [place("1.5.4"), place("1.5.5")]
    assert len(uv.asked("pip", "install")) == 2


@pytest.mark.parametrize("step", ["lock", "venv", "pip install", "pip list"])
def test_a_build_that_fails_leaves_nothing_and_the_next_one_works(
    uv: FakeUv, tmp_path: Path, step: str
) -> None:
    """At whichever step uv refuses, no trace stays and a second build succeeds."""
    uv.refusals[step] = NO_INDEX
    with pytest.raises(EnvironmentFailure, match=r"^livekit 1\.5\.4 cannot be installed: Request"):
        build("1.5.4", cache=tmp_path)
    assert entries(tmp_path) == []
    uv.refusals.clear()
    assert build("1.5.4", cache=tmp_path).python.exists()


def test_an_interrupted_build_leaves_nothing(uv: FakeUv, tmp_path: Path) -> None:
    """Control-C in the middle passes through and leaves no trace."""

    def interrupt(step: str) -> None:
        if step == "pip install":
            raise KeyboardInterrupt

    uv.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        build("1.5.4", cache=tmp_path)
    assert entries(tmp_path) == []


KILLED = """
import os, sys
from pathlib import Path
import test_environments as shared
from realtime_conformance import environments
fake = shared.FakeUv()
fake.before = lambda step: os._exit(9) if step == sys.argv[2] else None
environments._uv = fake
environments.build("1.5.4", cache=Path(sys.argv[1]))
"""


@pytest.mark.parametrize("step", ["venv", "pip install", "pip list"])
def test_a_killed_build_is_never_used_and_is_cleaned_up(
    uv: FakeUv, tmp_path: Path, step: str
) -> None:
    """A process that vanishes half way leaves nothing at the final place and no lock held."""
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", KILLED, str(tmp_path), step]
    assert subprocess.run(command, env=surroundings, check=False).returncode == 9
    (left,) = entries(tmp_path)
    assert left.endswith(".partial")
    made = build("1.5.4", cache=tmp_path)
    assert len(uv.asked("pip", "install")) == 1
    assert made.python.exists()
    if sys.platform != "win32":
        assert entries(tmp_path) == [place("1.5.4")]


@pytest.mark.parametrize(
    "marker", [None, "", "{", "[]", "{}", '{"released": "x", "packages": 3}', '{"released": "x"}']
)
def test_a_folder_without_a_whole_marker_is_built_anew(
    uv: FakeUv, tmp_path: Path, marker: str | None
) -> None:
    """Whatever lies at the final place is used only if it says it is complete."""
    build("1.5.4", cache=tmp_path)
    path = tmp_path / place("1.5.4") / environments._MARKER
    if marker is None:
        path.unlink()
    else:
        path.write_text(marker, encoding="utf-8")
    assert build("1.5.4", cache=tmp_path).packages["openai"] == "2.33.0"
    assert len(uv.asked("pip", "install")) == 2
    assert entries(tmp_path) == [place("1.5.4")]


def test_an_environment_without_its_interpreter_is_built_anew(uv: FakeUv, tmp_path: Path) -> None:
    """An upgrade that removed the interpreter behind the link does not break the cache."""
    first = build("1.5.4", cache=tmp_path)
    first.python.unlink()
    assert build("1.5.4", cache=tmp_path).python.exists()
    assert len(uv.asked("pip", "install")) == 2


def build_twice_at_once(cache: Path) -> list[Environment]:
    """Build one release from two threads, each of which locks as a process does."""
    made: list[Environment] = []
    barrier = threading.Barrier(2, timeout=30)

    def one() -> None:
        barrier.wait()
        made.append(build("1.5.4", cache=cache))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return made


@pytest.mark.skipif(sys.platform == "win32", reason="there is no lock on Windows")
def test_two_builders_at_once_build_once(uv: FakeUv, tmp_path: Path) -> None:
    """The second builder waits for the first and reuses what it made."""
    first, second = build_twice_at_once(tmp_path)
    assert first == second
    assert len(uv.asked("pip", "install")) == 1


def test_two_builders_without_a_lock_both_get_a_whole_environment(
    uv: FakeUv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no lock both build, the first to finish wins, and neither fails."""
    both = threading.Barrier(2, timeout=30)

    def meet(step: str) -> None:
        if step == "pip list":
            both.wait()

    uv.before = meet
    monkeypatch.setattr(environments, "_alone", lambda *_: contextlib.nullcontext(False))
    first, second = build_twice_at_once(tmp_path)
    assert first == second
    assert first.python.exists()
    assert len(uv.asked("pip", "install")) == 2
    assert entries(tmp_path) == [place("1.5.4")]


def test_a_cache_that_cannot_be_written_is_one_clear_line(uv: FakeUv, tmp_path: Path) -> None:
    """A file where the folder should be is an expected failure."""
    cache = tmp_path / "taken"
    cache.touch()
    with pytest.raises(EnvironmentFailure, match=r"^the environment of livekit 1\.5\.4 cannot be"):
        build("1.5.4", cache=cache)
    assert uv.calls == []


def test_the_default_cache_follows_the_user(
    uv: FakeUv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XDG_CACHE_HOME is followed when absolute, else the folder in the user's home."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = build("1.5.4")
    assert made.python.is_relative_to(tmp_path / "realtime-conformance" / place("1.5.4"))
    assert uv.calls
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert environments._default_cache() == Path.home() / ".cache" / "realtime-conformance"


# -- the archive ----------------------------------------------------------------------------


@pytest.fixture
def sham(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make two packages, one of them a namespace, and have the archive made of them."""
    root = tmp_path / "sources"
    files = {
        "sham_plain/__init__.py": "from sham_plain.inner import deep as deep\n",
        "sham_plain/py.typed": "",
        "sham_plain/inner/deep.py": "VALUE = 1\n",
        "sham_plain/data.json": "{}",
        "sham_plain/__pycache__/x.pyc": "",
        "sham_space/leaf.py": "VALUE = 2\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(environments, "_HARNESS", ("sham_plain", "sham_space"))
    monkeypatch.syspath_prepend(str(root))
    return root


def files_of(archive: Path) -> list[str]:
    """Return the names of the files in an archive, without its folders."""
    with zipfile.ZipFile(archive) as opened:
        return [name for name in opened.namelist() if not name.endswith("/")]


def test_the_archive_holds_only_our_sources() -> None:
    """Both of our packages are found from wherever they are imported, this file included."""
    names = environments._sources("realtime_conformance")
    assert "realtime_conformance/environments.py" in names
    assert all(name.endswith((".py", "/py.typed")) for name in names)
    assert environments._HARNESS == ("realtime_protocol", "realtime_conformance")


def test_the_archive_of_the_real_packages_can_be_made(tmp_path: Path) -> None:
    """The archive is a whole zip file that holds the module under test, byte for byte."""
    archive = harness_archive(tmp_path)
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        inside = opened.read("realtime_conformance/environments.py")
    assert inside == Path(environments.__file__).read_bytes()


@pytest.mark.usefixtures("sham")
def test_the_archive_leaves_out_what_is_not_source(tmp_path: Path) -> None:
    """Only *.py and py.typed are in it, at their import paths."""
    assert files_of(harness_archive(tmp_path)) == [
        "sham_plain/__init__.py",
        "sham_plain/inner/deep.py",
        "sham_plain/py.typed",
        "sham_space/leaf.py",
    ]


def test_the_archive_depends_on_the_content_alone(sham: Path, tmp_path: Path) -> None:
    """Other times, modes and folders give the same name and bytes."""
    first = harness_archive(tmp_path / "one")
    for path in sham.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o600)
    second = harness_archive(tmp_path / "two")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    assert entries(tmp_path / "one") == [first.name]


def test_the_archive_is_never_stale(sham: Path, tmp_path: Path) -> None:
    """A changed source gives another name, and the archive of before stays as it was."""
    before = harness_archive(tmp_path / "out")
    kept = before.read_bytes()
    (sham / "sham_space" / "leaf.py").write_text("VALUE = 3\n", encoding="utf-8")
    after = harness_archive(tmp_path / "out")
    assert before.name != after.name
    assert before.read_bytes() == kept


@pytest.mark.usefixtures("sham")
def test_an_existing_archive_is_kept_if_whole_and_replaced_if_not(tmp_path: Path) -> None:
    """A whole archive is not even touched; a damaged one of the same name is put right."""
    archive = harness_archive(tmp_path / "out")
    content = archive.read_bytes()
    os.utime(archive, (1_000_000_000, 1_000_000_000))
    assert harness_archive(tmp_path / "out").stat().st_mtime == 1_000_000_000
    archive.write_bytes(content[:-9])
    assert harness_archive(tmp_path / "out").read_bytes() == content


@pytest.mark.usefixtures("sham")
def test_a_failing_write_leaves_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last step fails nothing stays, and the failure is one line."""

    def full(*_: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(EnvironmentFailure, match=r"^the archive .* cannot be written: no spac"):
            harness_archive(tmp_path / "out")
    assert entries(tmp_path / "out") == []
    assert harness_archive(tmp_path / "out").is_file()


def test_a_package_that_is_not_there_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive is never made without one of its packages."""
    monkeypatch.setattr(environments, "_HARNESS", ("sham_absent",))
    with pytest.raises(EnvironmentFailure, match=r"package sham_absent .*, found nothing"):
        harness_archive(tmp_path)
    assert entries(tmp_path) == []


@pytest.mark.usefixtures("sham")
def test_an_interpreter_imports_from_the_archive(tmp_path: Path) -> None:
    """Packages, folders without an __init__.py and namespaces all import from the zip file."""
    archive = harness_archive(tmp_path)
    code = "import sham_plain, sham_space.leaf as leaf; print(sham_plain.deep.VALUE, leaf.VALUE)"
    surroundings = {**os.environ, "PYTHONPATH": str(archive)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=surroundings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1 2\n"


# -- for real -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache shared by the slow tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def real(cache: Path) -> Environment:
    """Build the environment of livekit 1.5.4 with the real uv."""
    return build("1.5.4", cache=cache)


def run_inside(environment: Environment, code: str, **variables: str) -> str:
    """Run code in an isolated environment and return what it prints."""
    surroundings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | variables
    return subprocess.run(
        [environment.python, "-c", code],
        env=surroundings,
        cwd=environment.python.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.slow
def test_a_real_environment_is_of_its_own_date(real: Environment) -> None:
    """The openai package beside livekit 1.5.4 is of that spring, not of today."""
    assert real.packages["livekit-agents"] == real.packages["livekit-plugins-openai"] == "1.5.4"
    assert real.released.startswith("2026-04-16T")
    assert int(real.packages["openai"].split(".")[0]) < 3


@pytest.mark.slow
def test_a_real_environment_works_where_it_was_moved_to(real: Environment) -> None:
    """Its interpreter imports the old livekit and openai, from inside the final folder."""
    code = "import openai, livekit.plugins.openai.realtime as r; print(openai.__file__); print(r)"
    origin = run_inside(real, code).splitlines()[0]
    assert Path(origin).is_relative_to(real.python.parent.parent)
    version = run_inside(real, "import openai; print(openai.__version__)")
    assert version == real.packages["openai"]


@pytest.mark.slow
def test_our_code_runs_beside_the_old_livekit(real: Environment, tmp_path: Path) -> None:
    """The archive imports there from the zip file, with nothing of ours but attrs installed."""
    archive = harness_archive(tmp_path)
    code = (
        "import importlib.util as u, livekit.plugins.openai, realtime_conformance.environments as e"
        "; print(e.__file__, bool(u.find_spec('realtime_protocol')), u.find_spec('hypothesis'))"
    )
    said = run_inside(real, code, PYTHONPATH=str(archive))
    inside = archive / "realtime_conformance" / "environments.py"
    assert said == f"{inside} True None"


@pytest.mark.slow
def test_a_real_environment_is_reused(real: Environment, cache: Path) -> None:
    """The second call gives the very same environment, and says that it is reused."""
    said: list[str] = []
    assert build("1.5.4", cache=cache, say=said.append) == real
    assert said == [f"livekit 1.5.4: reusing the environment as of {real.released}"]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.0.99", "9.9.9"])
def test_a_release_that_never_was_is_one_clear_line(version: str, tmp_path: Path) -> None:
    """The index is asked for real, and its answer is one short line."""
    with pytest.raises(EnvironmentFailure) as caught:
        build(version, cache=tmp_path)
    assert str(caught.value) == (
        f"livekit {version} cannot be installed: there is no version of livekit-agents=={version}"
    )
    assert entries(tmp_path) == []


@pytest.mark.slow
def test_the_callers_settings_do_not_reach_a_real_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: Environment
) -> None:
    """A project around the cache that forbids and overrides changes nothing inside."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "around"\nversion = "0"\n[tool.uv]\n'
        'exclude-newer = "2020-01-01T00:00:00Z"\noverride-dependencies = ["openai==1.0"]\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UV_FROZEN", "1")
    monkeypatch.setenv("UV_WORKING_DIR", str(tmp_path))
    assert build("1.5.4", cache=Path("cache")).packages == real.packages
