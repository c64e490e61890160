"""Known issues: what a client is known to break, by fingerprint, each with a reason.

Laws:
- A known issue never changes a verdict; it only tells new from known.
- A violation that is not on file is new. One that is on file for this profile and did not appear
  is gone. Both fail until the file is updated.
- The file is plain JSON with sorted entries, so it reviews well; it is replaced in one piece.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs


class BadKnownFile(ValueError):
    """A known-issues file that cannot be used: what was expected and what came."""


@attrs.frozen
class KnownIssue:
    """One violation on file.

    `profiles` are those in which it is expected; `reason` says why it is there.
    """

    fingerprint: str
    reason: str
    profiles: tuple[str, ...]


Known = dict[str, KnownIssue]


def read(path: Path) -> Known:
    """Known issues by fingerprint.

    Raises:
        BadKnownFile: the file is missing or has another shape.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        issues = [
            KnownIssue(entry["fingerprint"], entry["reason"], tuple(entry["profiles"]))
            for entry in data["issues"]
        ]
    except OSError as error:
        raise BadKnownFile(f"cannot read known issues {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadKnownFile(
            f"expected {path} to hold a list `issues` of objects with fingerprint, reason and "
            f"profiles, got {type(error).__name__}: {error}"
        ) from error
    return {issue.fingerprint: issue for issue in issues}


def write(path: Path, known: Known) -> None:
    """Replace the file in one piece."""
    issues = [
        {
            "fingerprint": issue.fingerprint,
            "profiles": sorted(issue.profiles),
            "reason": issue.reason,
        }
        for issue in sorted(known.values(), key=lambda issue: issue.fingerprint)
    ]
    replace_text(path, json.dumps({"issues": issues}, indent=2, ensure_ascii=False) + "\n")


def update(known: Known, profile: str, seen: Mapping[str, str]) -> Known:
    """Known issues after a run of `profile` that saw the fingerprints of `seen`.

    A new one gets what was found as its reason, for a person to replace.
    """
    updated: Known = {}
    for fingerprint in {*known, *seen}:
        old = known.get(fingerprint)
        profiles = set(old.profiles if old else ()) - {profile}
        if fingerprint in seen:
            profiles.add(profile)
        if profiles:
            reason = old.reason if old else f"to be explained: {seen[fingerprint]}"
            updated[fingerprint] = KnownIssue(fingerprint, reason, tuple(sorted(profiles)))
    return updated


def gone(known: Mapping[str, KnownIssue], profile: str, seen: Iterable[str]) -> list[KnownIssue]:
    """Known issues of `profile` that did not appear."""
    missing = set(known) - set(seen)
    return [known[f] for f in sorted(missing) if profile in known[f].profiles]


def replace_text(path: Path, text: str) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
