"""What a client says of itself is taken at rest, beside what the server holds."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from doubles.reference import ReferenceClient
from realtime_conformance.accounts import Item, Told, tells, words_of
from realtime_conformance.checks import BY_ID, CHECKS
from realtime_conformance.checks.interface import Check
from realtime_conformance.clients.livekit_agent import LivekitAgent
from realtime_conformance.clients.livekit_parts import remembered, told
from realtime_conformance.clients.livekit_session import LivekitSession
from realtime_conformance.clock import VirtualLoop, run_virtual
from realtime_conformance.history import History
from realtime_conformance.plan import Plan
from realtime_conformance.reporting import report_of
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.timeline import render
from realtime_protocol.bounds import NOTHING_BUT_AUDIO, SCOPES, audio_reply

pytestmark = pytest.mark.usefixtures("heap_set_aside")

SCOPE = audio_reply(TRANSCRIPTS=2, AUDIO=1, DELTA=2, STEP=1)


class Silent(ReferenceClient):
    """A client that says nothing of itself."""

    memory = states = pending = errors = None  # type: ignore[assignment]


@functools.cache
def bench_of(scope: str) -> Bench:
    """The bench of a scope, which is dear to make; its client is whoever is driven next."""
    return Bench(SCOPES[scope] if scope else SCOPE, ReferenceClient)


def run_of(client: Any, scope: str = "", choices: Sequence[int] = ()) -> Outcome:
    """A run of a scope, by default the happy path of a short one."""
    bench = bench_of(scope)
    bench.make_client = client
    return bench.run(choices)


def step_to(outcome: Outcome, rule: str) -> tuple[int, ...]:
    """The choices of a run up to the first node that offers a rule, and that rule."""
    machine = outcome.history.machine
    for position, offer in enumerate(outcome.offers):
        ids = [machine.rules[option.rule].id for option in offer.options]
        if rule in ids:
            return (*outcome.choices[:position], ids.index(rule))
    raise AssertionError(f"expected a node that offers {rule}, there is none")


def changed(history: History, moment: str, **fields: Any) -> History:
    """The same run, with another account at one moment."""
    accounts = [
        attrs.evolve(account, **fields) if account.moment == moment else account
        for account in history.accounts
    ]
    return attrs.evolve(history, accounts=accounts)


def clauses(check: str, history: History) -> list[str]:
    """What a check finds."""
    return [finding.clause for finding in BY_ID[check].judge(history).findings]


# -- taking accounts ---------------------------------------------------------------------------


@pytest.mark.parametrize("client", [ReferenceClient, LivekitAgent])
def test_an_account_is_taken_at_each_moment(client: Any) -> None:
    """At the end of the main part, after the fresh turn, and when the session is closed."""
    history = run_of(client).history
    assert [account.moment for account in history.accounts] == ["main", "fresh", "closed"]
    main, fresh, closed = history.accounts
    assert main.position < fresh.position == closed.position == len(history.entries)


def test_what_a_connection_took_is_kept() -> None:
    """The conversation as it was when its connection broke, whatever the client says of it."""
    scope = "reconnection"
    happy = run_of(ReferenceClient, scope)
    late = [n for n, offer in enumerate(happy.offers) if len(offer.options) > 1][-1]
    rules = happy.history.machine.rules
    drop = [rules[o.rule].id for o in happy.offers[late].options].index("network.drops")
    history = run_of(ReferenceClient, scope, (*happy.choices[:late], drop)).history
    lost = next(history.account("lost"))
    assert [item.role for item in lost.conversation] == ["assistant"]
    assert lost.memory is lost.states is lost.pending is lost.errors is None
    assert history.last(lost).rule.id == "network.drops"  # type: ignore[union-attr]


def test_the_conversation_is_what_the_server_holds() -> None:
    """In its order, with its words; what was sound has none."""
    main, fresh, _ = run_of(ReferenceClient).history.accounts
    assert [(item.role, item.text) for item in main.conversation] == [
        ("assistant", "Certainly here")
    ]
    assert [(item.role, item.text) for item in fresh.conversation][1:] == [
        ("user", None),
        ("assistant", "Certainly"),
    ]
    assert [said.text for said in fresh.said] == ["Certainly here", "Certainly"]


def test_a_truncated_message_has_no_words() -> None:
    """The server takes them away with the sound, and nobody knows which are left."""
    happy = run_of(ReferenceClient)
    machine = happy.history.machine
    late = next(n for n, o in enumerate(happy.offers) if machine.value(o.state, "played[0]"))
    ids = [machine.rules[option.rule].id for option in happy.offers[late].options]
    choices = (*happy.choices[:late], ids.index("app.interrupt"))
    main = run_of(ReferenceClient, "", choices).history.accounts[0]
    assert [(item.role, item.text) for item in main.conversation] == [("assistant", None)]
    assert [said.text for said in main.said] == ["Certainly here"]


@pytest.mark.parametrize("scope", ["tool-round", "message-and-call"])
def test_a_call_and_its_output_are_held(scope: str) -> None:
    """By the id of the call, with the name and the arguments, and with the output."""
    for client in (ReferenceClient, LivekitAgent):
        outcome = run_of(client, scope)
        rules = outcome.history.machine.rules
        names = [[rules[o.rule].id for o in offer.options] for offer in outcome.offers]
        wanted = "server.response.output_item.added.call"
        at = next(n for n, ids in enumerate(names) if wanted in ids)
        choices = (*outcome.choices[:at], names[at].index(wanted))
        main = run_of(client, scope, choices).history.accounts[0]
        held = {item.kind: item for item in main.conversation}
        assert held["function_call"].text == 'look_up({"city": "London"})'
        assert held["function_call_output"].text == "It is sunny."
        assert held["function_call"].call == held["function_call_output"].call != ""


@pytest.mark.parametrize("client", [ReferenceClient, LivekitAgent, LivekitSession])
def test_asking_changes_nothing(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same run is made whether or not the client is asked."""
    scope = "tool-round"
    asked = render(run_of(client, scope))["trace"]
    monkeypatch.setattr("realtime_conformance.runner.words_of", lambda _: {})
    assert render(run_of(client, scope))["trace"] == asked


def test_a_client_that_fails_to_tell_is_evidence() -> None:
    """An exception out of such a call is one of the client, and nothing is made of it."""

    class Fails(ReferenceClient):
        def memory(self) -> Any:
            raise LookupError("no memory")

    history = run_of(Fails).history
    assert "LookupError: no memory" in [evidence.text for evidence in history.evidence]
    assert all(account.memory is None for account in history.accounts)


def test_what_is_not_told_is_none() -> None:
    """Nothing said is not the same as nothing there."""
    assert words_of(SimpleNamespace()) == {}
    assert words_of(SimpleNamespace(pending=list)) == {"pending": ()}
    assert tells(Silent) == ()
    assert set(tells(ReferenceClient)) == {"memory", "states", "pending", "errors"}
    assert set(tells(LivekitSession)) == {"memory", "pending", "errors"}


def test_what_agent_code_waits_for_has_a_name() -> None:
    """The same in each run: it stands in fingerprints."""
    scope = "updates"
    choices = step_to(run_of(LivekitAgent, scope), "app.update_chat_ctx")
    seen: list[tuple[str, ...]] = []

    class Asked(LivekitAgent):
        def update_chat_ctx(self) -> None:
            super().update_chat_ctx()
            seen.append(tuple(self.pending()))

    run_of(Asked, scope, choices)
    assert seen == [("speech", "update_chat_ctx")]


# -- exemption ---------------------------------------------------------------------------------


def test_a_silent_client_is_exempt() -> None:
    """No check that asks holds its premise, and every other one speaks as before."""
    history = run_of(Silent).history
    asking = {check.id for check in CHECKS if check.exempts(history.tells)}
    assert asking == {check.id for check in CHECKS if check.needs} != set()
    assert not any(BY_ID[name].judge(history).premises for name in asking)


EVERYTHING = dict.fromkeys(NOTHING_BUT_AUDIO, 1)
"""Bounds of a scope that holds the subject of every check."""


def report(tells_: Sequence[str], premises: int) -> Any:
    """The report on a whole profile in which every check held its premise so often."""
    summary = {
        "name": "s", "strategy": "cover", "bounds": EVERYTHING, "promises": True,
        "scenarios": 1, "below_profile": [], "cut_short": "",
        "frontier_left": 0, "closure": {"covered": 1, "total": 1}, "unvisited": {"unexplained": 0},
    }  # fmt: skip
    part = {
        "findings": [], "lost": [], "summary": summary,
        "premises": {check.id: premises for check in CHECKS},
        "hello": {"python": "", "packages": {}, "tells": tells_},
    }  # fmt: skip
    return report_of(Plan(), [part], 0.0)


def asks(check: Check) -> bool:
    """Whether a check needs something that a client says."""
    return bool(check.needs)


def test_the_report_says_who_is_exempt() -> None:
    """An exempt check fails nothing; one that could have spoken and did not fails the run."""
    silent, talking = report([], 0), report(["memory", "states", "pending", "errors"], 0)
    verdicts = {check["id"]: check["verdict"] for check in silent["checks"]}
    assert verdicts == {c.id: "exempt" if asks(c) else "vacuous" for c in CHECKS}
    assert {check["verdict"] for check in talking["checks"]} == {"vacuous"}
    assert len(silent["reasons"]) == sum(not asks(check) for check in CHECKS)
    assert len(talking["reasons"]) == len(CHECKS)
    assert {check["verdict"] for check in report([], 1)["checks"]} == {"pass"}


# -- what livekit says -------------------------------------------------------------------------


def test_livekit_items_are_read_by_what_is_there() -> None:
    """Items of old releases lack fields, and their content can be sound with a transcript."""
    sound = SimpleNamespace(transcript="Hello")
    message = SimpleNamespace(id="a", type="message", role="user", content=["So: ", sound])
    wordless = SimpleNamespace(id="b", type="message", role="user", content=[SimpleNamespace()])
    other = SimpleNamespace(id="c", type="agent_handoff")
    context = SimpleNamespace(items=[message, wordless, other])
    assert remembered(context) == [
        Item("a", "message", "user", "So: Hello"),
        Item("b", "message", "user", None),
        Item("c", "agent_handoff"),
    ]


def test_livekit_errors_are_read_in_both_wrappings() -> None:
    """The agent wraps the error event of the plugin's session."""
    inner = SimpleNamespace(error=ValueError("no"), recoverable=False)
    assert told(inner) == told(SimpleNamespace(error=inner)) == Told("ValueError: no", False)


def test_a_clock_that_is_kept_follows_virtual_time() -> None:
    """livekit keeps a clock as the default of a field: its dates are those of the run."""
    from livekit.agents.llm import ChatMessage

    async def made(loop: VirtualLoop) -> tuple[float, float]:
        first = ChatMessage(role="user", content=["a"]).created_at
        await loop.advance(5.0)
        return first, ChatMessage(role="user", content=["b"]).created_at

    first, second = run_virtual(made)
    assert second - first == pytest.approx(5.0)


# -- what is left ------------------------------------------------------------------------------


def test_what_is_left_is_named() -> None:
    """Tasks by their coroutine, timers by what they call, and a socket that is open."""

    class Leaves(ReferenceClient):
        async def close(self) -> None:
            asyncio.get_running_loop().call_later(9.0, self.late)
            self.spawn(asyncio.Event().wait())  # type: ignore[arg-type]

        def late(self) -> None:
            """Come too late."""

    left = run_of(Leaves).history.accounts[-1].left
    assert "task Event.wait" in left
    assert any(name.startswith("timer ") and name.endswith("Leaves.late") for name in left)
    assert left[-1] == "socket"


def test_a_cancelled_timer_is_none() -> None:
    """What will not fall due is not waited for."""

    async def waiting(loop: VirtualLoop) -> list[str]:
        loop.call_later(1.0, print).cancel()
        loop.call_later(2.0, len)
        return loop.waiting()

    assert run_virtual(waiting) == ["len"]


# -- what is compared --------------------------------------------------------------------------

A = Item("a", "message", "assistant", "Hello there")
B = Item("b", "message", "user", "Hello")
HANDOFF = Item("h", "agent_handoff")


@pytest.mark.parametrize(
    ("held", "kept", "found"),
    [
        ((A, B), (A, B), []),
        ((A, B), (A, HANDOFF, B), []),
        ((A,), (attrs.evolve(A, text=" Hello there "),), []),
        ((attrs.evolve(A, text=None),), (A,), []),
        ((A, B), (B, A), ["mirror: order"]),
        ((A, B), (A,), ["mirror: lacks user message"]),
        ((A,), (A, B), ["mirror: more user message"]),
        ((A,), (A, A), ["mirror: an item twice"]),
        ((A,), (attrs.evolve(A, text="Hello thereHello there"),),
         ["mirror: words of assistant message"]),
        ((A,), (attrs.evolve(A, text=None),), ["mirror: words of assistant message"]),
    ],
)  # fmt: skip
def test_a_mirror_is_compared_item_by_item(
    held: tuple[Item, ...], kept: tuple[Item, ...], found: list[str]
) -> None:
    """What both can hold, in order, with the words that are known; each clause once."""
    history = run_of(ReferenceClient).history
    other = changed(history, "main", conversation=held, memory={"mirror": kept})
    assert clauses("mirror-agrees", other) == found


def test_items_of_one_date_may_stand_in_any_order() -> None:
    """Time stands still between steps, so a history by dates cannot tell them apart."""
    history = run_of(ReferenceClient).history
    for dates, found in (((1.0, 1.0), []), ((1.0, 2.0), ["history: order"])):
        kept = [attrs.evolve(i, date=d) for i, d in zip((B, A), dates, strict=True)]
        memory = {"context": (A, B), "history": tuple(kept)}
        other = changed(history, "main", conversation=(A, B), memory=memory)
        assert clauses("context-agrees", other) == found


def test_instructions_are_no_item() -> None:
    """An agent keeps them in its context, and the server in its session."""
    history = run_of(ReferenceClient).history
    orders = Item("i", "message", "system", "Be brief.")
    other = changed(history, "main", conversation=(A,), memory={"context": (orders, A)})
    assert clauses("context-agrees", other) == []
    other = changed(history, "main", conversation=(A,), memory={"mirror": (orders, A)})
    assert clauses("mirror-agrees", other) == ["mirror: more system message"]


def test_what_is_wrong_twice_is_said_once() -> None:
    """A fresh turn adds nothing to what was wrong before it."""
    history = run_of(ReferenceClient).history
    wrong = {"mirror": (A,)}
    other = changed(changed(history, "main", memory=wrong), "fresh", memory=wrong)
    found = BY_ID["mirror-agrees"].judge(other)
    assert found.premises == 2
    assert len({finding.clause for finding in found.findings}) == len(found.findings)


@pytest.mark.parametrize(
    ("check", "moment", "fields", "found"),
    [
        ("promises-kept", "main", {"pending": ("reply", "reply")}, ["reply at rest"]),
        ("promises-kept", "closed", {"pending": ("reply",)}, ["reply after close"]),
        ("states-rest", "main", {"states": {"agent": "idle", "user": "away"}}, []),
        ("states-rest", "main", {"states": {"agent": "thinking"}}, ["agent thinking"]),
        ("closing-ends-all", "closed", {"left": ("socket",)}, ["socket"]),
        ("no-false-alarm", "closed", {"errors": (Told("Oops: no", True),)}, ["error Oops"]),
    ],
)
def test_what_is_said_is_judged(
    check: str, moment: str, fields: dict[str, Any], found: list[str]
) -> None:
    """A quiet run of a correct client, in which it says something else."""
    history = run_of(ReferenceClient).history
    assert clauses(check, history) == []
    assert clauses(check, changed(history, moment, **fields)) == found


@pytest.mark.parametrize(
    ("rule", "errors", "found"),
    [
        ("server.error.recoverable", (Told("e", True),), []),
        ("server.error.recoverable", (), ["nothing told"]),
        ("server.error.recoverable", (Told("e", False),), ["recoverable as fatal"]),
        ("server.error.fatal", (Told("e", False),), []),
        ("server.error.fatal", (Told("e", True),), ["fatal as recoverable"]),
    ],
)
def test_a_fault_is_told_as_what_it_is(
    rule: str, errors: tuple[Told, ...], found: list[str]
) -> None:
    """That there was one, and whether the session goes on."""
    scope = "reconnection"
    choices = step_to(run_of(ReferenceClient, scope), rule)
    history = run_of(ReferenceClient, scope, choices).history
    assert clauses("fault-is-told", history) == []
    assert clauses("fault-is-told", changed(history, "closed", errors=errors)) == found
    assert not BY_ID["no-false-alarm"].judge(history).premises


def test_nobody_is_held_to_a_promise_while_a_function_never_ends() -> None:
    """Whoever waits for it waits with reason."""
    scope = "tool-round"
    outcome = run_of(ReferenceClient, scope)
    call = step_to(outcome, "server.response.output_item.added.call")
    never = step_to(run_of(ReferenceClient, scope, call), "app.tool.never")
    history = run_of(ReferenceClient, scope, never).history
    main = next(history.account("main"))
    assert main.pending == ("reply",)
    assert clauses("promises-kept", history) == []
