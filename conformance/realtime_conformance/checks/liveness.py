"""Liveness and evidence: the session goes on, comes to rest, and lets no exception escape."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.history import Entry, Evidence, History


def _last_disturbance(history: History) -> tuple[str, ...]:
    return enabling(history.disturbance(len(history.entries)))


def _session_goes_on(history: History) -> Judgement:
    failed = history.fresh_tried and not history.stopped and not history.fresh_done
    if not failed:
        return judged(int(history.fresh_tried), ())
    last = history.entries[-1]
    text = f"a fresh turn does not complete; it stands at {last.machine.show(last.after)}"
    stuck = last.rule.id if last.rule is not None else last.act
    finding = Finding(
        "violation",
        len(history.entries) - 1,
        f"fresh turn stuck after {stuck}",
        _last_disturbance(history),
        text,
    )
    return judged(1, [finding])


def _comes_to_rest(history: History) -> Judgement:
    if not history.hang:
        return judged(1, ())
    position = len(history.entries) - 1
    finding = Finding("violation", position, "rest", _last_disturbance(history), history.hang)
    return judged(1, [finding])


def is_trouble(entry: Entry) -> bool:
    """Whether a step tells the client of an error, a failed response, or a lost connection."""
    rule = entry.rule
    if rule is None:
        return False
    if rule.event == "response.done":
        ending = f"ending[{rule.at['r']}]"
        value = entry.machine.value(entry.before, ending)
        return entry.machine.member(ending, value) in ("failed", "incomplete")
    return bool(rule.error) or (rule.actor == "network" and rule.event != "open")


def _reports(history: History, evidence: Evidence) -> bool:
    """Whether a record only tells of a fault that the client was just told of.

    What nobody caught is none, and neither is an exception that is a slip of the programmer.
    """
    if evidence.kind not in ("error", "exception") or evidence.position == 0:
        return False
    told = history.entries[: evidence.position]
    # what came in one burst is told of together
    first = next((n for n in range(len(told) - 1, 0, -1) if not told[n - 1].burst), 0)
    return any(map(is_trouble, told[first:]))


def _no_swallowed_exception(history: History) -> Judgement:
    return judged(1, _escaped(history))


def _escaped(history: History) -> Iterator[Finding]:
    for evidence in history.evidence:
        if _reports(history, evidence):
            continue
        position = min(evidence.position, len(history.entries)) - 1
        yield Finding(
            "violation",
            position,
            evidence.text,
            enabling(history.disturbance(position + 1)),
            f"{evidence.kind}: {evidence.text}",
        )


CHECKS = (
    Check(
        "session-goes-on",
        "After the run a fresh user turn is answered, and the answer played to its end.",
        "the run reached its end without an act that no rule explains",
        "SDK realtime_error_event.py: most errors are recoverable and the session stays open",
        _session_goes_on,
    ),
    Check(
        "comes-to-rest",
        "The client comes to rest after every step, and closing the session ends.",
        "a run was made",
        "by definition of a run",
        _comes_to_rest,
    ),
    Check(
        "no-swallowed-exception",
        "No exception is logged and swallowed, left in a task, raised by a call of the public "
        "interface, or reported by the event loop; an error-level record counts, unless it tells "
        "of a fault that has just been delivered: an error, a failed response, a lost connection.",
        "a run was made",
        "a handler that fails has lost its event",
        _no_swallowed_exception,
    ),
)
