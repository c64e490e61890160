"""Known issues: what a client is known to break, by fingerprint, each with a reason.

Laws:
- A known issue never changes a verdict; it only tells new from known.
- A violation that is not on file is new. One that is on file for a scope that was run and did not
  appear is gone. Both fail until the file is updated.
- The file is plain JSON with sorted entries, so it reviews well; it is replaced in one piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from realtime_conformance.stored import replace_text


class BadKnownFile(ValueError):
    """A known-issues file that cannot be used: what was expected and what came."""


@attrs.frozen
class KnownIssue:
    """One violation on file.

    `where` gives the scopes in which it is expected, by profile; `reason` says why it is there.
    """

    fingerprint: str
    reason: str
    where: Mapping[str, tuple[str, ...]]


Known = dict[str, KnownIssue]


def read(path: Path) -> Known:
    """Known issues by fingerprint.

    Raises:
        BadKnownFile: the file is missing or has another shape.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        issues = [
            KnownIssue(entry["fingerprint"], entry["reason"], _where(entry["where"]))
            for entry in data["issues"]
        ]
    except OSError as error:
        raise BadKnownFile(f"cannot read known issues {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadKnownFile(
            f"expected {path} to hold a list `issues` of objects with fingerprint, reason and "
            f"where (profile to scopes), got {type(error).__name__}: {error}"
        ) from error
    return {issue.fingerprint: issue for issue in issues}


def _where(data: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {profile: tuple(scopes) for profile, scopes in data.items()}


def write(path: Path, known: Known) -> None:
    """Replace the file in one piece."""
    issues = [
        {
            "fingerprint": issue.fingerprint,
            "reason": issue.reason,
            "where": {profile: sorted(issue.where[profile]) for profile in sorted(issue.where)},
        }
        for issue in sorted(known.values(), key=lambda issue: issue.fingerprint)
    ]
    replace_text(path, json.dumps({"issues": issues}, indent=2, ensure_ascii=False) + "\n")


@attrs.frozen
class Sighting:
    """A violation that a run saw: what was found, and the scopes in which it was."""

    text: str
    scopes: tuple[str, ...]


def update(
    known: Known, profile: str, scopes: Iterable[str], seen: Mapping[str, Sighting]
) -> Known:
    """Known issues after a run of `scopes` of a profile that saw the fingerprints of `seen`.

    What is on file for other scopes and profiles stays. A new one gets what was found as its
    reason, for a person to replace.
    """
    updated: Known = {}
    for fingerprint in {*known, *seen}:
        old, sight = known.get(fingerprint), seen.get(fingerprint)
        where = dict(old.where) if old else {}
        elsewhere = set(where.pop(profile, ())) - set(scopes)
        here = elsewhere | set(sight.scopes if sight else ())
        if here:
            where[profile] = tuple(sorted(here))
        if where:
            reason = old.reason if old else f"to be explained: {sight.text if sight else ''}"
            updated[fingerprint] = KnownIssue(fingerprint, reason, where)
    return updated


def gone(
    known: Mapping[str, KnownIssue], profile: str, scopes: Iterable[str], seen: Iterable[str]
) -> list[KnownIssue]:
    """Known issues of the scopes of a profile that were run, and did not appear."""
    run = set(scopes)
    missing = set(known) - set(seen)
    return [known[f] for f in sorted(missing) if run & set(known[f].where.get(profile, ()))]
