"""The isolated environment of one livekit release, resolved as of that release's own date.

An environment holds the release and what an installer would have chosen on the day it came out.
Nothing uploaded after that day can be seen in it, so a fault found there is the release's own.
Nothing half-written is ever used: a build happens aside and is renamed in place when complete.
A killed build leaves only a folder of another name, never used, which the next build removes.
A complete environment is reused without asking any index.
The caller's own project, virtual environment and import path never leak into it.
Our code reaches it as one zip file named by its content, so it is never stale there.
Every expected failure is one `EnvironmentFailure` of one line.
"""

# uv and packaging are imported where they are used: this file is in the archive too, and must
# import inside an isolated environment, which has neither.

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import attrs

_RELEASED = ("livekit-agents", "livekit-plugins-openai")
_HARNESS = ("realtime_protocol", "realtime_conformance")
_MARKER = "realtime-conformance.json"

# The sister packages of a release (livekit-protocol, the other plugins) are uploaded within
# minutes of it, sometimes after it, and --exclude-newer would hide a dependency that came a
# second too late. One hour lets them in, and is far shorter than the time to the next release.
_SLACK = timedelta(hours=1)

# Far above the slowest honest build (a minute): it only ends a uv that hangs for ever.
_PATIENCE_SECONDS = 1800

# What would aim uv, or the new interpreter, at the caller's project instead of ours. The last
# two make `uv lock` demand a lock file that already exists. Index settings are all kept.
_DROPPED = ("VIRTUAL_ENV", "PYTHONPATH", "UV_FROZEN", "UV_LOCKED")


class EnvironmentFailure(Exception):
    """An environment that cannot be had: one line, what was expected and what came."""


@attrs.frozen
class Environment:
    """One complete isolated environment on disk.

    `version` is the livekit release in its normal form ('1.5.4') and `python` the absolute path
    of the interpreter inside. `released` is the UTC instant, ISO 8601 to the second and ending
    in Z, after which uploads were not seen. `packages` maps the name of each installed
    distribution to its version, sorted by name.
    """

    version: str
    python: Path
    released: str
    packages: dict[str, str]


def release_date(version: str) -> str:
    """Tell when a livekit release was complete on the index.

    Returns a UTC instant such as '2026-04-16T05:52:13Z': the latest upload of either livekit
    package, and one hour. Raises `EnvironmentFailure` if `version` is no version, if the release
    cannot be resolved, or if the index tells no upload times.
    """
    version = _normal(version)
    with tempfile.TemporaryDirectory(prefix="realtime-conformance-") as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text(_project(version), encoding="utf-8")
        _demand(version, "lock", "--python", sys.executable, folder=folder)
        lock = (folder / "uv.lock").read_text(encoding="utf-8")
    latest = max(_instant(version, stamp) for stamp in _all_upload_times(version, lock))
    return (latest + _SLACK).strftime("%Y-%m-%dT%H:%M:%SZ")


def build(
    version: str, *, cache: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> Environment:
    """Give the isolated environment of a livekit release, building it if it is not cached.

    `cache` is the folder that holds one environment a release and Python minor version; by
    default the user's cache folder. `say` gets one line for each step. It takes some seconds to
    a minute when nothing is cached, and any number of processes may call it at once. Raises
    `EnvironmentFailure` if the release cannot be installed or the folder cannot be written.
    """
    version = _normal(version)
    root = (_default_cache() if cache is None else cache).absolute()
    place = root / f"{version}-py{sys.version_info.major}.{sys.version_info.minor}"

    def tell(line: str) -> None:
        say(f"livekit {version}: {line}")

    try:
        return _cached(version, place, tell) or _built(version, place, tell)
    except OSError as error:
        raise EnvironmentFailure(
            f"the environment of livekit {version} cannot be kept in {root}: {error}"
        ) from error


def harness_archive(folder: Path) -> Path:
    """Write our two packages as one zip file in `folder`, to be put on an interpreter's path.

    Returns the path of the archive. The same sources give the same bytes and the same name on
    every machine, and other sources another name. Raises `EnvironmentFailure` if a package
    cannot be found as a folder of files, or if `folder` cannot be written.
    """
    files: dict[str, bytes] = {}
    for package in _HARNESS:
        files.update(_sources(package))
    content = _zipped(files)
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = folder.absolute() / f"realtime-conformance-{digest}.zip"
    try:
        # Identical bytes are left alone: an interpreter may be reading them right now.
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, content)
    except OSError as error:
        raise EnvironmentFailure(f"the archive {path} cannot be written: {error}") from error
    return path


# -- versions and dates ---------------------------------------------------------------------


def _normal(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        raise EnvironmentFailure(
            f"expected a livekit version such as 1.5.4, got {version!r}"
        ) from None


def _project(version: str) -> str:
    # Locking is for the running Python alone: an old release seldom resolves for all of them.
    # The empty workspace table makes this folder its own root, whatever lies above it.
    requirements = ", ".join(f'"{name}=={version}"' for name in _RELEASED)
    return (
        "[project]\n"
        'name = "release-date"\n'
        'version = "0"\n'
        f'requires-python = "=={sys.version_info.major}.{sys.version_info.minor}.*"\n'
        f"dependencies = [{requirements}]\n"
        "[tool.uv.workspace]\n"
    )


def _all_upload_times(version: str, lock: str) -> Iterator[str]:
    for name in _RELEASED:
        stamps = _upload_times(lock, name)
        if not stamps:
            raise EnvironmentFailure(
                f"livekit {version}: expected the upload times of {name} in uv's lock, got none "
                "(they need uv 0.7 and an index that tells them)"
            )
        yield from stamps


def _times_by_text(lock: str, name: str) -> list[str]:
    # Python 3.10 reads no TOML, and uv writes this file itself, always in the same shape.
    blocks = re.split(r"^\[\[package\]\]\n", lock, flags=re.MULTILINE)
    own = [block for block in blocks if block.startswith(f'name = "{name}"\n')]
    return [stamp for block in own for stamp in re.findall(r'upload-time = "([^"]*)"', block)]


if sys.version_info >= (3, 11):
    import tomllib

    def _upload_times(lock: str, name: str) -> list[str]:
        packages = [each for each in tomllib.loads(lock)["package"] if each["name"] == name]
        files = [
            file for each in packages for file in [each.get("sdist", {}), *each.get("wheels", [])]
        ]
        return [str(file["upload-time"]) for file in files if "upload-time" in file]

else:
    _upload_times = _times_by_text


def _instant(version: str, stamp: str) -> datetime:
    # uv writes any number of decimals, which Python 3.10 cannot read; the slack covers them.
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", stamp)
    if found is None:
        raise EnvironmentFailure(f"livekit {version}: expected a UTC upload time, got {stamp!r}")
    return datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc)


# -- uv -------------------------------------------------------------------------------------


def _surroundings() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _DROPPED and not name.startswith("UV_PROJECT")
    }


def _uv(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    import uv

    # --directory, not only cwd: a variable could otherwise move uv into another project.
    command = [*arguments, "--directory", str(folder), "--color", "never", "--no-progress"]
    try:
        return subprocess.run(
            [uv.find_uv_bin(), *command],
            cwd=folder,
            env=_surroundings(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except OSError as error:
        raise EnvironmentFailure(f"expected a uv that runs, got: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailure(
            f"expected `uv {arguments[0]}` to end within {_PATIENCE_SECONDS} s, it did not"
        ) from error


def _demand(version: str, *arguments: str, folder: Path) -> str:
    done = _uv(*arguments, folder=folder)
    if done.returncode != 0:
        reason = _reason(done.stderr) or f"uv ended with {done.returncode} and said nothing"
        raise EnvironmentFailure(f"livekit {version} cannot be installed: {reason}")
    return done.stdout


def _reason(said: str) -> str:
    # Old uv draws a tree and wraps its lines, new uv writes `error:` and `cause:` lines; notes
    # and warnings come first in both.
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    starts = [at for at, line in enumerate(lines) if line.startswith(("error:", "\u00d7"))]
    bare = [re.sub(r"^[^\w`]+|^error: ", "", line) for line in lines[starts[0] if starts else 0 :]]
    text = " ".join(bare)
    # The first premise of uv's proof is the news; the rest repeats what was asked for.
    because = re.search(r"\bBecause (.+?)(?:, we can conclude| and you(?:r project)? |$)", text)
    return textwrap.shorten(because[1] if because else text, 300, placeholder=" ...")


# -- building and keeping -------------------------------------------------------------------


def _default_cache() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative one is to be ignored, says its specification.
    base = named if named.is_absolute() else Path.home() / ".cache"
    return base / "realtime-conformance"


def _interpreter(environment: Path) -> Path:
    if os.name == "nt":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def _cached(version: str, place: Path, tell: Callable[[str], None]) -> Environment | None:
    try:
        marker = json.loads((place / _MARKER).read_text(encoding="utf-8"))
        released, packages = str(marker["released"]), dict(marker["packages"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    python = _interpreter(place)
    # It is a link to the interpreter it was made from, which may have been removed since.
    if not python.exists():
        return None
    tell(f"reusing the environment as of {released}")
    return Environment(version, python, released, packages)


def _built(version: str, place: Path, tell: Callable[[str], None]) -> Environment:
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place, tell) as alone:
        # Whoever held the lock before us may have built it meanwhile.
        if (found := _cached(version, place, tell)) is not None:
            return found
        try:
            return _build_aside(version, place, tell)
        finally:
            # Left by killed builds: last, since the uv of a builder that was killed a moment ago
            # lives on and still writes. Without the lock it may be a living builder's.
            if alone:
                for left in place.parent.glob(f".{place.name}.*.partial"):
                    shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _alone(place: Path, tell: Callable[[str], None]) -> Iterator[bool]:
    # Only saves double work: what is built is right without it, as on Windows. The system drops
    # the lock of a killed process. The file stays, since removing it would let two in.
    if sys.platform == "win32":
        yield False
    else:
        import fcntl

        with open(place.with_name(f".{place.name}.lock"), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell("waiting for another process that builds it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield True


def _build_aside(version: str, place: Path, tell: Callable[[str], None]) -> Environment:
    # A sibling, hence on the same file system, where renaming a folder is atomic.
    aside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".partial", dir=place.parent))
    try:
        _fill(version, aside, tell)
        _publish(version, aside, place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    finished = _cached(version, place, tell=lambda _: None)
    if finished is None:
        raise EnvironmentFailure(f"expected a complete environment in {place}, it was changed")
    tell(f"built, {len(finished.packages)} packages")
    return finished


def _fill(version: str, aside: Path, tell: Callable[[str], None]) -> None:
    # A project of its own ends uv's search for one in the folders above: `uv pip` too would take
    # overrides and dates from a project that the cache happens to lie in.
    (aside / "pyproject.toml").write_text(_project(version), encoding="utf-8")
    environment = aside / "environment"
    python = str(_interpreter(environment))
    tell("asking when it was released")
    released = release_date(version)
    # Relocatable, so that it works where it is moved to.
    making = ["venv", "--relocatable", "--no-project", "--python", sys.executable]
    _demand(version, *making, str(environment), folder=aside)
    tell(f"installing it as of {released}")
    wanted = [*(f"{name}=={version}" for name in _RELEASED), "attrs"]
    installing = ["pip", "install", "--exclude-newer", released, "--python", python]
    _demand(version, *installing, *wanted, folder=aside)
    listed = _demand(version, "pip", "list", "--format", "json", "--python", python, folder=aside)
    packages = {each["name"]: each["version"] for each in json.loads(listed)}
    marker = {"released": released, "packages": dict(sorted(packages.items()))}
    (environment / _MARKER).write_text(json.dumps(marker, indent=1), encoding="utf-8")


def _publish(version: str, aside: Path, place: Path) -> None:
    if _cached(version, place, tell=lambda _: None) is None and place.exists():
        # Damaged, or its interpreter is gone: it goes away with the folder aside.
        os.rename(place, aside / "damaged")
    try:
        os.rename(aside / "environment", place)
    except OSError:
        # Without a lock another builder may have been first, and its result is as good.
        if _cached(version, place, tell=lambda _: None) is None:
            raise


# -- the archive ----------------------------------------------------------------------------


def _sources(package: str) -> dict[str, bytes]:
    spec = importlib.util.find_spec(package)
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    folders = [Path(place) for place in places if Path(place).is_dir()]
    if not folders:
        raise EnvironmentFailure(
            f"expected the package {package} as a folder of files, found {places or 'nothing'}"
        )
    files: dict[str, bytes] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (path.suffix == ".py" or path.name == "py.typed"):
                name = f"{package}/{path.relative_to(folder).as_posix()}"
                # The first folder of a namespace package wins, as it does on import.
                files.setdefault(name, path.read_bytes())
    return files


def _zipped(files: dict[str, bytes]) -> bytes:
    # Folders have entries of their own: before Python 3.13 a package without an __init__.py is
    # not found in a zip file otherwise.
    folders = {
        f"{parent.as_posix()}/" for name in files for parent in list(Path(name).parents)[:-1]
    }
    entries = {**dict.fromkeys(folders, b""), **files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(entries):
            # All that could differ between machines is fixed: time, system, mode, compression.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            entry.compress_type = zipfile.ZIP_STORED
            archive.writestr(entry, entries[name])
    return buffer.getvalue()


def _write_whole(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
