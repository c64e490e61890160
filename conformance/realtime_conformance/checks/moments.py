"""Moments of a run that several checks look at: what interrupts a reply, and the end.

Laws:
- An interruption is what a user or the app means as one: no lost connection, and no speech where
  speech is not to interrupt.
- The end is that of the main part, where nothing is left to do but to disturb.
"""

from __future__ import annotations

from realtime_conformance.history import Entry, History

SILENT = ("stuck", "fatal")
"""Fields of what ends playout whatever the client does."""


def interrupts(entry: Entry) -> bool:
    """Whether a step is a user or an app that wants to hear no more of what is under way."""
    rule = entry.rule
    if rule is None or rule.actor not in ("user", "app") or not rule.disturbs:
        return False
    if rule.actor == "user":
        return bool(entry.machine.bounds["INTERRUPT_RESPONSE"])
    # one that interrupts a single speech does not say which
    return rule.id in ("app.interrupt", "app.close")


def end_of_main(history: History) -> tuple[int, Entry] | None:
    """The last step of the main part; None if the run was ended early, or playout with it."""
    if history.stopped or history.hang:
        return None
    main = [(n, entry) for n, entry in enumerate(history.entries) if entry.phase == "main"]
    if not main:
        return None
    position, last = main[-1]
    machine = last.machine
    over = any(machine.value(last.after, name) for name in SILENT)
    return None if over else (position, last)


def is_member(entry: Entry, field: str, slot: int, member: str) -> bool:
    """Whether a field was that member of its enumeration after the step."""
    name = f"{field}[{slot}]"
    return entry.machine.value(entry.after, name) == entry.machine.code(name, member)
