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
from typing import Any

import attrs

from realtime_conformance.stored import replace_text


class BadKnownFile(ValueError):
    """A known-issues file that cannot be used: what was expected and what came."""


@attrs.frozen
class KnownIssue:
    """One violation on file.

    `where` gives the scopes in which it is expected, by profile; `reason` says why it is there, and
    `finding` where more is said: a file, by its path from the file of known issues, or a URL.
    """

    fingerprint: str
    reason: str
    where: Mapping[str, tuple[str, ...]]
    finding: str = ""

    @property
    def told(self) -> str:
        """Why it is there, and where more is said."""
        return f"{self.reason} (see {self.finding})" if self.finding else self.reason


Known = dict[str, KnownIssue]


def read(path: Path) -> Known:
    """Known issues by fingerprint.

    Raises:
        BadKnownFile: the file is missing or has another shape.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        issues = [_issue(entry) for entry in data["issues"]]
    except OSError as error:
        raise BadKnownFile(f"cannot read known issues {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadKnownFile(
            f"expected {path} to hold a list `issues` of objects with fingerprint, reason, "
            f"where (profile to scopes) and at most finding (a path or a URL), got "
            f"{type(error).__name__}: {error}"
        ) from error
    for issue in issues:
        _check_finding(path, issue)
    return {issue.fingerprint: issue for issue in issues}


FIELDS = ("fingerprint", "reason", "where", "finding")


def _issue(entry: Mapping[str, Any]) -> KnownIssue:
    unknown = sorted(set(entry) - set(FIELDS))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    finding = entry.get("finding", "")
    if not isinstance(finding, str):
        raise TypeError(f"finding {finding!r}")
    return KnownIssue(entry["fingerprint"], entry["reason"], _where(entry["where"]), finding)


def _check_finding(path: Path, issue: KnownIssue) -> None:
    """Refuse a link to a file that is not there; what a URL leads to is not looked at."""
    if not issue.finding or "://" in issue.finding:
        return
    if not (path.parent / issue.finding).is_file():
        raise BadKnownFile(
            f"{path}: expected the finding of {issue.fingerprint!r} to be a file, "
            f"and there is no {issue.finding}"
        )


def _where(data: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {profile: tuple(scopes) for profile, scopes in data.items()}


def write(path: Path, known: Known) -> None:
    """Replace the file in one piece."""
    issues = [
        {
            "fingerprint": issue.fingerprint,
            "reason": issue.reason,
            "where": {profile: sorted(issue.where[profile]) for profile in sorted(issue.where)},
            **({"finding": issue.finding} if issue.finding else {}),
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
            finding = old.finding if old else ""
            updated[fingerprint] = KnownIssue(fingerprint, reason, where, finding)
    return updated


def gone(
    known: Mapping[str, KnownIssue], profile: str, scopes: Iterable[str], seen: Iterable[str]
) -> list[KnownIssue]:
    """Known issues of the scopes of a profile that were run, and did not appear."""
    run = set(scopes)
    missing = set(known) - set(seen)
    return [known[f] for f in sorted(missing) if run & set(known[f].where.get(profile, ()))]
