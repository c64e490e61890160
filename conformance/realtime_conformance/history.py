"""What happened in one run: every step in order, with what was known at that moment.

Laws:
- A history is complete: whoever judges a run needs nothing else.
- An entry holds the state before its step, so a client message is judged by what had been
  delivered when it was sent, whatever came later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import attrs

from realtime_conformance.accounts import Account, Moment
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rule import Rule
from realtime_protocol.state import State

Phase = Literal["main", "fresh"]


@attrs.define(slots=True)
class Entry:
    """One step.

    `step` and `rule` are None for an act of the client that no rule explains.
    `act` is the wire event or act as it was seen, `message` the wire event itself if there is one,
    and `slot` what it names: the item of a truncation, for instance.
    `heard_ms` is what the speaker has played of the newest segment, `response` the number of the
    newest response, both before the step.
    `answers` is the position of the client message that a server step reads.
    """

    phase: Phase
    machine: Machine
    """The machine of the phase: it knows what the states mean."""
    step: Step | None
    act: str
    slot: int
    argument: int
    before: State
    after: State
    time: float
    heard_ms: float
    response: int
    message: Any = None
    answers: int | None = None
    call: str = ""
    """The id of the function call that the step is about."""
    burst: bool = False
    ticks: int = 0
    """After how many turns of the client's loop the next step comes; 0 if at rest."""
    rule: Rule | None = attrs.field(init=False)
    """The rule of the step."""

    def __attrs_post_init__(self) -> None:
        # every check asks every entry for it
        self.rule = None if self.step is None else self.machine.rules[self.step.rule]

    def was(self, field: str, *slot: int) -> int:
        """A field before the step: `was("audio", 0)`."""
        name = f"{field}[{','.join(map(str, slot))}]" if slot else field
        return self.machine.value(self.before, name)


@attrs.define
class Evidence:
    """Something that escaped: an error-level record, an unhandled or raised exception."""

    kind: str
    text: str
    position: int
    """Number of entries when it appeared."""


@attrs.define
class History:
    """One run from start to close."""

    machine: Machine
    entries: list[Entry] = attrs.field(factory=list)
    evidence: list[Evidence] = attrs.field(factory=list)
    hang: str = ""
    """Why the run did not come to rest or to its end; empty if it did."""
    fresh_tried: bool = False
    """The run came as far as its fresh turn."""
    fresh_done: bool = False
    beta: bool = False
    """The client speaks the names before GA."""
    tells: tuple[str, ...] = ()
    """The calls by which the client tells of itself."""
    accounts: list[Account] = attrs.field(factory=list)
    """What the client said of itself and what the server held, at the moments of rest."""
    stopped: bool = False
    """The run ended early: an act that no rule explains, or a hang."""

    def client_messages(self, event: str = "") -> Iterator[tuple[int, Entry]]:
        """Steps that put a message on the wire, with their position."""
        for position, entry in enumerate(self.entries):
            rule = entry.rule
            if rule is not None and rule.sends and event in ("", rule.event):
                yield position, entry

    def answer(self, position: int) -> Entry | None:
        """The server's step that read the message at `position`."""
        return next((e for e in self.entries[position:] if e.answers == position), None)

    def account(self, *moments: Moment) -> Iterator[Account]:
        """The accounts that were taken at some moments, in their order."""
        return (account for account in self.accounts if account.moment in moments)

    def last(self, account: Account) -> Entry:
        """The step behind which an account was taken."""
        return self.entries[account.position - 1]

    def disturbance(self, position: int) -> str:
        """Id of the newest interruption or deadline before `position`; empty if there was none."""
        for entry in reversed(self.entries[:position]):
            if entry.rule is not None and entry.rule.disturbs:
                return entry.rule.id
        return ""
