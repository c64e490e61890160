"""Promises: what the client hands out is settled, its states come to rest, and closing ends it all.

Laws:
- A client is held to what it promised only once nothing is under way that it could wait for.
- Nothing is asked of it while a function of the app never ends, or the speaker never reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from realtime_conformance.accounts import Account
from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.history import Entry, History
from realtime_protocol.machine import Machine
from realtime_protocol.state import State

RESTING: Mapping[str, tuple[str, ...]] = {
    "agent": ("listening", "idle"),
    "user": ("listening", "away"),
}
"""What agent and user are said to be doing while nobody says anything."""


BUSY = ("requested", "pending", "aside", "stuck", "hangs")
"""Fields of what is still to come, or never will."""

MOST_STATES = 1 << 12
"""Of so many states it is kept whether they are quiet: runs end in the same ones."""


@lru_cache(MOST_STATES)
def is_quiet(machine: Machine, state: State) -> bool:
    """Whether nothing is under way: no turn, request, response, playout or function."""
    bounds = machine.bounds
    slots = range(bounds["OUTS"])
    under_way = (
        any(_is(machine, state, f"response[{r}]", "active") for r in range(bounds["RESPONSES"]))
        or any(machine.value(state, name) for name in BUSY)
        or any(not _is(machine, state, f"segment[{m}]", "none", "finished") for m in slots)
        or any(_is(machine, state, f"tool[{m}]", "running") for m in slots)
        or not _is(machine, state, "turn", "none")
        or not _is(machine, state, "speech", "silent")
    )
    connected = _is(machine, state, "connection", "ready")
    return not under_way and (connected or is_over(machine, state))


def is_over(machine: Machine, state: State) -> bool:
    """Whether the session is closed, or the server has said that none is to be had."""
    return bool(machine.value(state, "fatal")) or _is(machine, state, "leaving", "closing")


def _is(machine: Machine, state: State, name: str, *members: str) -> bool:
    return machine.member(name, machine.value(state, name)) in members


def _quiet(history: History) -> Iterator[Account]:
    """Accounts that were taken while nothing was under way, and no limit was to be waited for."""
    for account in history.account("main", "fresh"):
        last = history.last(account)
        told = account.moment == "main" and any(map(_is_unattributed, history.entries))
        if is_quiet(last.machine, last.after) and not told:
            yield account


def _is_unattributed(entry: Entry) -> bool:
    """Whether a refusal does not say what it refuses: whoever waits for that has but its limit."""
    rule = entry.rule
    return rule is not None and rule.id.startswith("server.rejects.") and not rule.reads


def _broken(history: History, account: Account, clause: str, text: str) -> Finding:
    by = enabling(history.disturbance(account.position))
    return Finding("violation", account.position - 1, clause, by, text)


# -- the checks --------------------------------------------------------------------------------


def _promises_kept(history: History) -> Judgement:
    accounts = [*_quiet(history), *history.account("closed")]
    told = [account for account in accounts if account.pending is not None]
    first = next((account for account in told if account.pending), None)
    return judged(len(told), () if first is None else _unsettled(history, first))


def _unsettled(history: History, account: Account) -> Iterator[Finding]:
    when = "after the session was closed" if account.moment == "closed" else "though all is quiet"
    for name in sorted(set(account.pending or ())):
        clause = f"{name} {'after close' if account.moment == 'closed' else 'at rest'}"
        yield _broken(history, account, clause, f"{name} is not settled {when}")


def _states_rest(history: History) -> Judgement:
    told = [a for a in _quiet(history) if a.states and not _is_over(history, a)]
    found = [f for account in told for f in _restless(history, account)]
    return judged(len(told), found[:1])


def _is_over(history: History, account: Account) -> bool:
    last = history.last(account)
    return is_over(last.machine, last.after)


def _restless(history: History, account: Account) -> Iterator[Finding]:
    for who, state in (account.states or {}).items():
        if state not in RESTING.get(who, (state,)):
            text = f"the {who} is said to be {state}, though all is quiet"
            yield _broken(history, account, f"{who} {state}", text)


def _closing_ends_all(history: History) -> Judgement:
    closed = list(history.account("closed"))
    return judged(len(closed), (f for account in closed for f in _left(history, account)))


def _left(history: History, account: Account) -> Iterator[Finding]:
    for name in dict.fromkeys(account.left):
        yield _broken(history, account, name, f"{name} is left after the session was closed")


CHECKS = (
    Check(
        "promises-kept",
        "What a call promised is settled by the time its reply has ended, failed or was refused, "
        "and whatever is left of it when the session is closed.",
        "the client told what it had promised while nothing was under way, or after closing",
        "livekit SpeechHandle, RealtimeSession.generate_reply: the future fails where no reply "
        "comes",
        _promises_kept,
        needs=("pending",),
    ),
    Check(
        "states-rest",
        "While nobody says anything the agent is said to be listening, and so is the user.",
        "the client told what agent and user were doing while nothing was under way",
        "livekit AgentSession.agent_state, AgentSession.user_state",
        _states_rest,
        needs=("states",),
    ),
    Check(
        "closing-ends-all",
        "Once the session is closed no task, timer or socket of the client is left.",
        "closing the session has ended",
        "livekit AgentSession.aclose",
        _closing_ends_all,
    ),
)
