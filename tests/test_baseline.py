"""Known issues: new ones and gone ones are told apart, and the file survives anything."""

from __future__ import annotations

import json

import pytest

from realtime_conformance import baseline, stored
from realtime_conformance.baseline import BadKnownFile, KnownIssue, Sighting

QUICK = {"quick": ("audio-reply",)}
STANDARD = {"standard": ("audio-reply",)}
RUN = ["audio-reply", "muted-reply"]


def sight(text, *scopes):
    """A violation that was seen in some scopes."""
    return Sighting(text, scopes)


def test_what_is_written_is_read(tmp_path):
    """A file gives back the issues it was made from."""
    known = {"b": KnownIssue("b", "why b", QUICK), "a": KnownIssue("a", "why a", STANDARD)}
    path = tmp_path / "known.json"
    baseline.write(path, known)
    assert baseline.read(path) == known
    listed = [entry["fingerprint"] for entry in json.loads(path.read_text())["issues"]]
    assert listed == ["a", "b"]


def test_an_update_keeps_reasons_adds_what_is_new_and_drops_what_is_gone():
    """Only the profile and the scopes that were run are touched."""
    known = {
        "kept": KnownIssue("kept", "explained", QUICK),
        "gone": KnownIssue("gone", "was so", QUICK),
        "elsewhere": KnownIssue("elsewhere", "still so", {**QUICK, **STANDARD}),
        "not run": KnownIssue("not run", "not looked at", {"quick": ("audio-reply", "race")}),
    }
    seen = {"kept": sight("seen", "muted-reply"), "new": sight("what was found", *RUN)}
    updated = baseline.update(known, "quick", RUN, seen)
    assert updated["kept"] == KnownIssue("kept", "explained", {"quick": ("muted-reply",)})
    assert updated["new"].reason == "to be explained: what was found"
    assert updated["new"].where == {"quick": tuple(RUN)}
    assert updated["elsewhere"].where == STANDARD
    assert updated["not run"].where == {"quick": ("race",)}
    assert "gone" not in updated


def test_only_issues_of_what_was_run_can_be_gone():
    """An issue that is expected in another profile or scope is not missed here."""
    known = {
        "a": KnownIssue("a", "", QUICK),
        "b": KnownIssue("b", "", STANDARD),
        "c": KnownIssue("c", "", {"quick": ("race",)}),
    }
    assert [issue.fingerprint for issue in baseline.gone(known, "quick", RUN, [])] == ["a"]
    assert baseline.gone(known, "quick", RUN, ["a"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"issues": [{}]}',
        '{"issues": [{"fingerprint": "", "reason": "", "where": []}]}',
        '{"issues": 3}',
        "{",
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text):
    """The refusal names the file and what it should hold."""
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(BadKnownFile, match=r"known\.json"):
        baseline.read(path)


def test_a_missing_file_is_refused(tmp_path):
    """A file that was asked for must be there."""
    with pytest.raises(BadKnownFile, match="cannot read"):
        baseline.read(tmp_path / "nope.json")


def test_a_file_is_replaced_in_one_piece(tmp_path, monkeypatch):
    """When writing fails, the old file stands and nothing else is left."""
    path = tmp_path / "known.json"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(stored.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        stored.replace_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_finding_is_kept(tmp_path):
    """It is written, read, kept by an update, and shown behind the reason."""
    path = tmp_path / "known.json"
    (tmp_path / "page.md").write_text("it")
    linked = KnownIssue("a", "why", QUICK, "page.md")
    outside = KnownIssue("b", "why", QUICK, "https://example.org/b")
    baseline.write(path, {"a": linked, "b": outside})
    known = baseline.read(path)
    assert known == {"a": linked, "b": outside}
    assert known["a"].told == "why (see page.md)"
    assert KnownIssue("c", "why", QUICK).told == "why"
    updated = baseline.update(known, "quick", RUN, {"a": sight("", "audio-reply")})
    assert updated["a"].finding == "page.md"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"finding": "gone.md"}, "there is no gone.md"),
        ({"finding": 3}, "TypeError: finding 3"),
        ({"findings": "page.md"}, "unknown field 'findings'"),
    ],
)
def test_a_bad_link_is_refused(tmp_path, more, expected):
    """One to a page that is not there, of another kind, or by another name."""
    path = tmp_path / "known.json"
    entry = {"fingerprint": "a", "reason": "why", "where": {"quick": []}, **more}
    path.write_text(json.dumps({"issues": [entry]}))
    with pytest.raises(BadKnownFile, match=expected):
        baseline.read(path)
