"""Function calls: what the app was asked to do stays in the conversation until it is answered."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.history import Entry, History

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
        "call-is-kept",
        "A function call that is to be answered is not deleted, unless it is put back: an output "
        "needs its call.",
        "a function was run, or an item deleted",
        "SDK conversation_item_create_event.py; livekit/agents #3344, 1.2.9; facts 6, 8 #15",
        _call_is_kept,
        subject=("CALL_OUT",),
    ),
)
