"""Known issues: new ones and gone ones are told apart, and the file survives anything."""

from __future__ import annotations

import json

import pytest

from realtime_conformance import baseline
from realtime_conformance.baseline import BadKnownFile, KnownIssue


def test_what_is_written_is_read(tmp_path):
    """A file gives back the issues it was made from."""
    known = {
        "b": KnownIssue("b", "why b", ("quick",)),
        "a": KnownIssue("a", "why a", ("standard",)),
    }
    path = tmp_path / "known.json"
    baseline.write(path, known)
    assert baseline.read(path) == known
    listed = [entry["fingerprint"] for entry in json.loads(path.read_text())["issues"]]
    assert listed == ["a", "b"]


def test_an_update_keeps_reasons_adds_what_is_new_and_drops_what_is_gone():
    """Only the profile that was run is touched."""
    known = {
        "kept": KnownIssue("kept", "explained", ("quick",)),
        "gone": KnownIssue("gone", "was so", ("quick",)),
        "elsewhere": KnownIssue(
            "elsewhere",
            "still so",
            (
                "quick",
                "standard",
            ),
        ),
    }
    updated = baseline.update(known, "quick", {"kept": "seen", "new": "what was found"})
    assert updated["kept"].reason == "explained"
    assert updated["new"].reason == "to be explained: what was found"
    assert updated["elsewhere"].profiles == ("standard",)
    assert "gone" not in updated


def test_only_issues_of_the_profile_can_be_gone():
    """An issue that is expected in another profile is not missed here."""
    known = {"a": KnownIssue("a", "", ("quick",)), "b": KnownIssue("b", "", ("standard",))}
    assert [issue.fingerprint for issue in baseline.gone(known, "quick", [])] == ["a"]
    assert baseline.gone(known, "quick", ["a"]) == []


@pytest.mark.parametrize("text", ["", "[]", '{"issues": [{}]}', '{"issues": 3}', "{"])
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

    monkeypatch.setattr(baseline.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        baseline.replace_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
