"""Tools: every call that somebody waits for is answered and kept until then; no other is run."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.checks.moments import end_of_main, is_member
from realtime_conformance.history import Entry, History

OUTPUT_RULE = "client.conversation.item.create.output"
DELETE = "conversation.item.delete"
CREATE = "conversation.item.create"

STAGES = {
    "none": "before it runs",
    "missing": "before it is answered",
    "running": "while it runs",
    "returned": "before it is answered",
    "raised": "before it is answered",
}
"""How far a call is that is to be answered, by what became of its function."""


def _interrupted_is_not_run(history: History) -> Judgement:
    calls = [
        (position, entry)
        for position, entry in enumerate(history.entries)
        if entry.act == "call" and entry.rule is not None
    ]
    return judged(len(calls), (f for one in calls for f in _run_all_the_same(history, *one)))


def _run_all_the_same(history: History, position: int, entry: Entry) -> Iterator[Finding]:
    assert entry.rule is not None
    assert entry.step is not None
    if not entry.machine.permitted(entry.before, entry.step):
        yield Finding(
            "violation",
            position,
            entry.rule.id,
            enabling(history.disturbance(position)),
            "the client runs a function whose call was interrupted before",
        )


def _call_is_answered(history: History) -> Judgement:
    end = end_of_main(history)
    if end is None:
        return judged(0, ())
    position, last = end
    calls = list(_awaited(last))
    return judged(len(calls), (f for slot in calls for f in _unanswered(history, position, slot)))


def _awaited(last: Entry) -> Iterator[int]:
    """Slots of the calls that are whole, are in the conversation, and were not interrupted."""
    bounds = last.machine.bounds
    for slot in range(bounds["OUTS"] if bounds["CALL_OUT"] else 0):
        cut = last.machine.value(last.after, f"cut[{slot // bounds['OUTPUTS']}]")
        whole = last.machine.value(last.after, f"whole[{slot}]")
        called = is_member(last, "kind", slot, "call") and is_member(last, "item", slot, "present")
        if called and whole and not cut:
            yield slot


def _unanswered(history: History, position: int, slot: int) -> Iterator[Finding]:
    last = history.entries[position]
    # what never ends is given up
    if any(is_member(last, "tool", slot, name) for name in ("answered", "cancelled")):
        return
    yield Finding(
        "violation",
        position,
        OUTPUT_RULE,
        enabling(history.disturbance(position + 1)),
        f"call {slot + 1} is whole and was not interrupted, and the client never answers it",
    )


def _call_is_kept(history: History) -> Judgement:
    premises = sum(
        entry.act in (DELETE, "call") and entry.rule is not None for entry in history.entries
    )
    return judged(premises, _taken_out(history) if premises else ())


def _taken_out(history: History) -> Iterator[Finding]:
    for position, entry in history.client_messages(DELETE):
        stage = _stage(entry)
        if stage and not _put_back(history, position, entry.slot):
            assert entry.rule is not None
            yield Finding(
                "violation",
                position,
                f"{entry.rule.id} {stage}",
                enabling(history.disturbance(position)),
                f"call {entry.slot + 1} is deleted {stage}, and never put back: its output will "
                "have no call",
            )


def _stage(entry: Entry) -> str:
    """How far a call is that a deletion is about; empty if none is, or nobody waits for it."""
    machine, slot = entry.machine, entry.slot
    if slot >= machine.bounds["OUTS"] or not entry.was("whole", slot):
        return ""
    is_call = machine.member(f"kind[{slot}]", entry.was("kind", slot)) == "call"
    if not is_call or entry.was("cut", slot // machine.bounds["OUTPUTS"]):
        return ""
    return STAGES.get(machine.member(f"tool[{slot}]", entry.was("tool", slot)), "")


def _put_back(history: History, position: int, slot: int) -> bool:
    """Whether a call is created anew after its deletion, under its id or another."""
    bounds = history.entries[position].machine.bounds
    wanted = {slot, bounds["COPY"] + slot}
    later = history.entries[position:]
    return any(entry.act == CREATE and entry.slot in wanted for entry in later)


CHECKS = (
    Check(
        "interrupted-is-not-run",
        "A function is not run if its call was interrupted before it began.",
        "a function was run",
        "GUIDE, function calling; what a function does cannot be taken back",
        _interrupted_is_not_run,
        subject=("CALL_OUT",),
    ),
    Check(
        "call-is-answered",
        "A whole call of a reply that was not interrupted is answered, also one of a function "
        "that does not exist; or it is taken out of the conversation.",
        "a call was whole, in the conversation and not interrupted when the run was at rest",
        "GUIDE, function calling; livekit/agents 1.4.4",
        _call_is_answered,
        subject=("CALL_OUT",),
    ),
    Check(
        "call-is-kept",
        "A function call that is to be answered is not deleted, unless it is put back: an output "
        "needs its call.",
        "a function was run, or an item deleted",
        "SDK conversation_item_create_event.py; livekit/agents #3344, 1.2.9; facts 6, 8 #15",
        _call_is_kept,
        subject=("CALL_OUT",),
    ),
)
