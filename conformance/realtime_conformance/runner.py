"""Makes one run: the environment's steps are chosen, the client's are observed.

Laws:
- A run starts from nothing, follows its choices, goes on by steps that let the
  reply go on, ends where only a disturbance is left, and then takes one fresh turn.
- After each step the client comes to rest, unless the step is delivered in a burst, or the next
  one comes after so many ticks, which are turns of the client's loop; what it did is matched to a
  rule in the order in which it did it.
- The client is never asked about its private state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import attrs

from realtime_conformance.accounts import Account, Moment, tells, words_of
from realtime_conformance.clients.interface import Client, MissingSeam, Seams, needs
from realtime_conformance.clock import (
    Deadlock,
    Loop,
    NeverAtRest,
    VirtualTime,
    run_virtual,
)
from realtime_conformance.evidence import Witness
from realtime_conformance.history import Entry, Evidence, History, Phase
from realtime_conformance.scenario import TICK
from realtime_conformance.server import ReferenceServer
from realtime_conformance.setting import SESSION_SECONDS, setting_of
from realtime_conformance.speaker import SAMPLE_RATE
from realtime_conformance.stage import Doing, Line, Stage
from realtime_conformance.transport.memory import MemorySession
from realtime_protocol.adoption import Adoption
from realtime_protocol.bounds import UNIT_MS, Scope, one_more_turn
from realtime_protocol.machine import Machine, Step
from realtime_protocol.messages import readings
from realtime_protocol.rule import Rule
from realtime_protocol.state import State
from realtime_protocol.vocabulary import EVENTS

T = TypeVar("T")

FRESH_STEPS = 100
"""Steps after which a fresh turn counts as never ending."""

FRESH_SECONDS = 60.0
"""Virtual seconds after which a fresh turn, or the closing of a session, counts as hanging."""


SAMPLES_PER_UNIT = SAMPLE_RATE * UNIT_MS // 1000
"""Samples in one unit of playout."""


TOOL = "tool_"
"""What the acts by which a function of the app ends begin with."""


class NoConnection(Exception):
    """The client did not open its connection when it was started."""


class BadChoice(ValueError):
    """A choice that its node does not offer."""


class Option(NamedTuple):
    """One thing that the environment can do at a node."""

    rule: int
    burst: bool = False


class Wanted(NamedTuple):
    """A step that a run is to take: an option, and after how many ticks the next one comes."""

    rule: int
    burst: bool = False
    ticks: int = 0


class Offer(NamedTuple):
    """What a node offered, and what was taken; None where the run ended."""

    state: State
    options: tuple[Option, ...]
    taken: int | None
    settled: bool = True
    """Whether the client came to rest there; it does not in the middle of a burst."""
    ticks: int = 0
    """After how many turns of the client's loop the next step came; 0 if at rest."""


Preference = Callable[[State, tuple[Option, ...], list[int]], int]
"""Given a node, its options and the positions of those that let the reply go on: one of these."""


def first(state: State, options: tuple[Option, ...], calm: list[int]) -> int:  # noqa: ARG001
    """The first step that lets the reply go on."""
    return calm[0]


def calm_among(machine: Machine, options: Sequence[Option]) -> list[int]:
    """Positions of the options that let the reply go on, settled."""
    return [
        position
        for position, option in enumerate(options)
        if not option.burst and not machine.rules[option.rule].disturbs
    ]


@attrs.define
class Outcome:
    """One run: what was offered, what was chosen, and what happened."""

    offers: list[Offer]
    history: History
    turns: list[int]
    """Turns of the client's loop until it was at rest, after each offer that was taken."""

    @property
    def choices(self) -> tuple[int, ...]:
        """The choices of the main part, enough to replay the run."""
        return tuple(
            offer.taken + TICK * offer.ticks for offer in self.offers if offer.taken is not None
        )


class Bench:
    """The machines of one scope, compiled once and used for many runs."""

    def __init__(
        self, scope: Scope, make_client: Callable[[Seams], Client], bursts: int = 0
    ) -> None:
        self.scope = scope
        self.machine = Machine(scope.bounds)
        self.fresh = Adoption(self.machine, Machine(one_more_turn(scope)))
        self.needing = {machine: _needing(machine) for machine in (self.machine, self.fresh.target)}
        """Of each machine the rules that need something of the client besides their guard."""
        self.make_client = make_client
        self.bursts = bursts

    def run(self, choices: Sequence[int] = (), prefer: Preference | None = None) -> Outcome:
        """Make one run that begins with `choices` and goes on as `prefer` says.

        Raises:
            BadChoice: a choice that its node does not offer.
            NoConnection: the client does not open its connection.
        """
        return self._made(_Given(choices, prefer or first))

    def disturb(self, choices: Sequence[int], nth: int) -> Outcome:
        """Make one run that takes `choices`, and then the `nth` disturbance, if there is one.

        The last of the choices has ticks, so nothing but a disturbance can come next.

        Raises:
            BadChoice: a choice that its node does not offer.
            NoConnection: the client does not open its connection.
        """
        return self._made(_Disturbing(choices, nth))

    def follow(self, wanted: Sequence[Wanted]) -> Outcome:
        """Make one run that takes the wanted steps, in their order, wherever they are offered.

        At each node the next wanted step that is offered is taken, and those before it that are
        not are skipped for good; a step of the same clause in another slot will do. Where nothing
        wanted is offered the run goes on as without wishes.

        Raises:
            NoConnection: the client does not open its connection.
        """
        return self._made(_Following(self.machine, wanted))

    def _made(self, choose: Chooser) -> Outcome:
        witness = Witness()
        with witness:
            outcome = self.conduct(lambda loop: _Run(self, loop, witness).make(choose))
            witness.settle_up(outcome.history)
        return outcome

    def conduct(self, main: Callable[[Loop], Coroutine[Any, Any, T]]) -> T:
        """Run one run to its end, in virtual time."""
        return run_virtual(main)

    async def line(self, stage: Stage) -> Line:
        """What the client of a run connects to: a line in memory."""
        return MemorySession(stage.accepted, stage.received, stage.hung_up, stage.knocked)

    def live(self) -> LiveRun:
        """A run that is chosen step by step."""
        return LiveRun(self)


def _needing(machine: Machine) -> frozenset[int]:
    events = ("deadline", "open", "refuse")
    return frozenset(n for n, rule in enumerate(machine.rules) if rule.event in events)


class Chooser(Protocol):
    """Chooses the steps of one run, node by node."""

    def __call__(self, run: _Run, options: tuple[Option, ...]) -> int | None:
        """The position of the step to take at the node where `run` stands; None ends the run."""


class _Given:
    """Takes the choices that are given, and goes on as a preference says."""

    def __init__(self, choices: Sequence[int], prefer: Preference) -> None:
        self._choices = choices
        self._prefer = prefer

    def __call__(self, run: _Run, options: tuple[Option, ...]) -> int | None:
        """The next choice.

        Raises:
            BadChoice: the node does not offer it.
        """
        position = len(run.offers)
        if position >= len(self._choices):
            calm = calm_among(run.machine, options)
            return self._prefer(run.state, options, calm) if calm else None
        if self._choices[position] % TICK >= len(options):
            names = [run.machine.rules[option.rule].id for option in options]
            raise BadChoice(
                f"choice {self._choices[position]} at step {position}, but there are "
                f"{len(options)}: {', '.join(names)}"
            )
        return self._choices[position]


class _Disturbing(_Given):
    """Takes the choices that are given, then one disturbance, and goes on."""

    def __init__(self, choices: Sequence[int], nth: int) -> None:
        super().__init__(choices, first)
        self._end = len(choices)
        self._nth = nth

    def __call__(self, run: _Run, options: tuple[Option, ...]) -> int | None:
        """The next choice, or the disturbance behind the last one."""
        if run.in_ticks and len(run.offers) == self._end:
            return self._nth if self._nth < len(options) else None
        return super().__call__(run, options)


class _Following:
    """Takes wanted steps in their order, and skips those that are not offered."""

    def __init__(self, machine: Machine, wanted: Sequence[Wanted]) -> None:
        self._rules = machine.rules
        self._wanted = wanted
        self._next = 0

    def __call__(self, run: _Run, options: tuple[Option, ...]) -> int | None:
        """The next wanted step that is offered, else the first calm one."""
        while self._next < len(self._wanted):
            wanted = self._wanted[self._next]
            position = self._position(wanted, options)
            if position is None and run.in_ticks:
                return None  # what is to come waits until the client is at rest
            self._next += 1
            if position is not None:
                return position + TICK * wanted.ticks
        return next(iter(calm_among(run.machine, options)), None)

    def _position(self, wanted: Wanted, options: tuple[Option, ...]) -> int | None:
        option = Option(wanted.rule, wanted.burst)
        if option in options:
            return options.index(option)
        # what was the second of its kind is the first once that is left out
        clause = self._clause(option)
        alike = (n for n, other in enumerate(options) if self._clause(other) == clause)
        return next(alike, None)

    def _clause(self, option: Option) -> tuple[str, bool]:
        return self._rules[option.rule].id, option.burst


class LiveRun:
    """One run whose steps are chosen from outside, one call each, with no loop running between.

    Used by engines that choose for themselves, such as Hypothesis; `finish` must be called.
    """

    def __init__(self, bench: Bench) -> None:
        self._witness = Witness()
        self._witness.__enter__()
        self._time = VirtualTime()
        self._run = _Run(bench, self._time.loop, self._witness)
        self._time.run(self._run.begin())

    @property
    def ended(self) -> bool:
        """Whether the run cannot go on."""
        return self._run.history.stopped

    def options(self) -> tuple[Option, ...]:
        """What the environment can do now; empty if the run ended early."""
        return () if self.ended else self._run.options()

    def take(self, choice: int) -> Outcome:
        """Take one option and return what happened so far."""
        options = self.options()
        self._time.run(self._run.guard(self._run.choose(options, choice)))
        return self._run.outcome()

    def finish(self) -> Outcome:
        """Take the fresh turn, close the session and return the whole run."""
        try:
            self._time.run(self._run.guard(self._run.finish()))
            outcome = self._run.outcome()
        finally:
            self._time.finish()
            del self._run
            self._witness.__exit__(None, None, None)
        self._witness.settle_up(outcome.history)
        return outcome


class _Run:
    """One run in the making."""

    def __init__(self, bench: Bench, loop: Loop, witness: Witness) -> None:
        self.bench = bench
        self.loop = loop
        self.machine = bench.machine
        self.state: State = self.machine.initial
        self.phase: Phase = "main"
        self.history = History(self.machine)
        self.offers: list[Offer] = []
        self.bursts = bench.bursts
        self.in_burst = False
        self.in_ticks = False
        self.turns: list[int] = []
        self.server = ReferenceServer(self.machine)
        delta = self.machine.bounds["DELTA"] * SAMPLES_PER_UNIT
        self.stage = Stage(delta, lambda error: witness.add("raised", error))
        self.witness = witness
        self.unread: list[int] = []
        self.foreign: set[asyncio.Task[Any]] = set()
        """Tasks that were there before the client."""
        self.opened = 0.0
        """When the newest socket was opened, in seconds."""
        loop.set_exception_handler(witness.loop_exception)
        witness.position = lambda: len(self.history.entries)

    async def make(self, choose: Chooser) -> Outcome:
        """The whole run."""
        await self.begin()
        await self.guard(self._main(choose))
        await self.guard(self.finish())
        return self.outcome()

    async def begin(self) -> None:
        """Make the client and start it; it comes to rest with its handshake under way.

        Raises:
            NoConnection: it has not begun to connect.
            MissingSeam: it lacks a call that the scope needs.
        """
        stage = self.stage
        self.foreign = asyncio.all_tasks()
        line = await self.bench.line(stage)
        stage.enter(line, setting_of(self.machine.bounds), self.bench.make_client)
        self.history.tells = tells(stage.client)
        self._check_calls()
        stage.start()
        await self.loop.settle()
        if not line.gate:
            raise NoConnection(
                f"expected the client to open a WebSocket when it starts, got {stage.failure()}"
            )
        stage.taken()  # the model takes the first socket for asked for

    def _check_calls(self) -> None:
        acts = (rule.event for rule in self.machine.rules if rule.actor == "app")
        client = self.stage.client
        missing = needs(client, (act for act in acts if not act.startswith(TOOL)))
        if missing:
            kind = type(client).__name__
            raise MissingSeam(f"expected {kind} to have {', '.join(missing)} for this scope")

    async def guard(self, part: Coroutine[Any, Any, None]) -> None:
        """Await a part of the run; a client that does not come to rest ends it."""
        try:
            await part
        except (NeverAtRest, Deadlock) as error:
            self.history.hang, self.history.stopped = str(error), True

    async def finish(self) -> None:
        """Take a fresh turn, unless the run ended early or the session is over, and close it."""
        if not self.history.stopped and self._is_done():
            self._give_account("main")
        if not self.history.stopped and not self._is_over():
            await self._fresh_turn()
        if not self.history.stopped and self.history.fresh_done:
            self._give_account("fresh")
        if not self.history.hang:
            await self._close()
        if not (self.history.stopped or self.history.hang):
            self._give_account("closed", self._left())

    def outcome(self) -> Outcome:
        """What was offered and what happened so far."""
        self.history.beta = self.stage.beta
        return Outcome(self.offers, self.history, self.turns)

    @property
    def at_rest(self) -> bool:
        """Whether the client came to rest since the newest step."""
        return not (self.in_burst or self.in_ticks)

    async def _main(self, choose: Chooser) -> None:
        while not self.history.stopped:
            options = self.options()
            taken = choose(self, options)
            if taken is None and self.in_ticks:
                # nothing is to come while the client is busy
                self.in_ticks = False
                await self._rest()
            elif taken is None:
                self.offers.append(Offer(self.state, options, None, self.at_rest))
                return
            else:
                await self.choose(options, taken)

    async def choose(self, options: tuple[Option, ...], choice: int) -> None:
        """Take one of the options of the node."""
        ticks, taken = divmod(choice, TICK)
        self.offers.append(Offer(self.state, options, taken, self.at_rest, ticks))
        self.in_burst, self.in_ticks = options[taken].burst, ticks > 0
        self.bursts -= self.in_burst
        await self._take(options[taken].rule, self.in_burst, ticks)
        self.turns.append(self.loop.turns if self.at_rest else 0)

    def options(self) -> tuple[Option, ...]:
        """What the environment can do at the node, in the order of the rules."""
        enabled = self._possible(self.machine.environment(self.state))
        if self.in_burst:
            enabled = [number for number in enabled if self._delivers(number)]
        if self.in_ticks:
            enabled = [number for number in enabled if self.machine.rules[number].disturbs]
        options = [Option(number) for number in enabled]
        if self.bursts:
            options += [Option(n, True) for n in enabled if self._delivers(n) and self._followed(n)]
        return tuple(options)

    def _possible(self, enabled: list[int]) -> list[int]:
        """Those of the enabled steps for which the client is where they need it."""
        needing = self.bench.needing[self.machine]
        return [n for n in enabled if n not in needing or self._can_be_done(n)]

    def _can_be_done(self, number: int) -> bool:
        """Whether the client is where a step needs it: a deadline is set, a handshake waits."""
        if self.machine.rules[number].event == "deadline":
            return self.loop.next_deadline() is not None
        return bool(self.stage.line.gate)

    def _delivers(self, number: int) -> bool:
        rule = self.machine.rules[number]
        return rule.actor == "server" and bool(rule.event)

    def _followed(self, number: int) -> bool:
        """Whether another server event can come right behind this one."""
        after = self.machine.after(self.state, Step(number))
        return any(self._delivers(following) for following in self.machine.environment(after))

    async def _take(self, number: int, burst: bool = False, ticks: int = 0) -> None:
        rule = self.machine.rules[number]
        if rule.actor == "user" and rule.event in EVENTS:
            # the sound has to reach the server before turn detection can announce it
            self.stage.hear()
            await self._rest()
        before, after = self.state, self.machine.after(self.state, Step(number))
        entry = self._record(Step(number), rule.event, before, after)
        entry.burst, entry.ticks = burst, ticks
        if rule.reads:
            entry.answers = self.unread.pop(0)
        self._lose(rule)
        self.state = after
        await self._act(rule, entry)
        if ticks:
            await self.loop.turn(ticks)
            self._observe()
        elif not burst:
            await self._rest()

    async def _act(self, rule: Rule, entry: Entry) -> None:
        """Do to the client what a step says."""
        if rule.actor == "server" or rule.event in EVENTS:
            self._say(rule, entry)
        elif rule.actor == "user":
            self.stage.hear()
        elif rule.actor == "app":
            self._app(rule, entry)
        elif rule.actor == "network":
            self.opened = self.loop.time() if rule.event == "open" else self.opened
            self.stage.network(rule.event)
        elif rule.actor == "clock":
            await self._pass(rule.event)
        elif rule.event == "play":
            step = self.machine.bounds["STEP"]
            self.stage.speaker.play(step * SAMPLES_PER_UNIT)
            await self.loop.advance(step * UNIT_MS / 1000)
        elif rule.event in ("drained", "cleared"):
            self.stage.speaker.report()

    def _say(self, rule: Rule, entry: Entry) -> None:
        """Put what the server says, or what it hears, on the line."""
        self.server.beta = self.stage.beta
        text = self.server.spell(rule, entry.before, entry.after, self.loop.time())
        if text is not None:
            entry.message = text
            self.stage.deliver(text)

    def _app(self, rule: Rule, entry: Entry) -> None:
        if rule.event.startswith(TOOL):
            entry.call = self.server.names.ids["call", rule.at["m"]]
            self.stage.tool(rule.event, entry.call)
        else:
            self.stage.app(rule.event)

    async def _pass(self, act: str) -> None:
        """Let time pass to the next deadline, or to when a session is to be begun anew."""
        due = self.opened + SESSION_SECONDS if act == "rotate" else self.loop.next_deadline()
        assert due is not None
        await self.loop.advance_to(due)

    def _lose(self, rule: Rule) -> None:
        """What the end of a socket takes with it is never read."""
        if rule.clears:
            position = len(self.history.entries)
            held = self.server.conversation(self.state)
            self.history.accounts.append(Account("lost", position, held))
            self.unread.clear()
            self.server.inbox.clear()

    async def _rest(self) -> None:
        await self.loop.settle()
        self._observe()

    def _observe(self) -> None:
        """Match what the client did since this was last called."""
        for doing in self.stage.taken():
            self._match(doing)

    def _match(self, doing: Doing) -> None:
        if self.history.stopped:
            return
        step, slot = self._explained(doing)
        if step is None:
            self.history.stopped, self.witness.listens = True, False
            self._record(None, doing.act, self.state, self.state, slot, doing.message)
            return
        rule = self.machine.rules[step.rule]
        after = self.machine.after(self.state, step)
        self._record(step, doing.act, self.state, after, slot, doing.message)
        self._lose(rule)
        if rule.sends:
            self.unread.append(len(self.history.entries) - 1)
            self.server.inbox.append(doing.message)
            self.server.learn(rule, slot, doing.message)
        self.state = after

    def _explained(self, doing: Doing) -> tuple[Step | None, int]:
        """The rule that explains an act of the client, if one does, and the slot that it names."""
        machine, state, names = self.machine, self.state, self.server.names
        if doing.delta is not None:
            return self._captured(*doing.delta)
        if doing.message is None:
            slot = names.slot("call", doing.call) or 0
            return machine.match(state, doing.act, slot, 0), slot
        slot = 0
        for reading in readings(machine, names, state, doing.message):
            slot = reading.slot
            step = machine.match(state, doing.act, slot, reading.argument)
            if step is not None:
                return step, slot
        return None, slot

    def _captured(self, item: int, number: int) -> tuple[Step | None, int]:
        """The rule that lets the client hand over a delta now: the next one of its message."""
        machine, state = self.machine, self.state
        known = 0 <= item < machine.bounds["OUTS"]
        if not known or machine.value(state, f"captured[{item}]") != number:
            return None, max(item, 0)
        return machine.match(state, "capture", item, 0), item

    def _record(
        self,
        step: Step | None,
        act: str,
        before: State,
        after: State,
        slot: int = 0,
        message: Any = None,
    ) -> Entry:
        entry = Entry(
            self.phase,
            self.machine,
            step,
            act,
            slot,
            0 if step is None else step.argument,
            before,
            after,
            self.loop.time(),
            self.stage.speaker.played * 1000 / SAMPLE_RATE,
            self.server.responses,
            message,
        )
        self.history.entries.append(entry)
        return entry

    # what the client says of itself

    def _is_done(self) -> bool:
        """Whether the client is at rest, and nothing goes on by itself."""
        return self.at_rest and not calm_among(self.machine, self.options())

    def _give_account(self, moment: Moment, left: tuple[str, ...] = ()) -> None:
        """Take down what the client says of itself, and what the server holds."""
        self.history.accounts.append(
            Account(
                moment,
                len(self.history.entries),
                self.server.conversation(self.state),
                self.server.said(self.state),
                left=left,
                **self.stage.ask(words_of),
            )
        )

    def _left(self) -> tuple[str, ...]:
        """What of the client runs on, by kind and name."""
        harness = {*self.foreign, asyncio.current_task()}
        tasks = (task for task in self.loop.tasks() if task not in harness)
        socket = self.stage.line.socket
        return (
            *sorted(f"task {task.get_coro().__qualname__}" for task in tasks),  # type: ignore[union-attr]
            *sorted(f"timer {name}" for name in self.loop.waiting()),
            *(["socket"] if socket is not None and not socket.closed else []),
        )

    # the fresh turn and the end

    def _is_over(self) -> bool:
        """Whether no turn can follow: the session is over, or playout never ends.

        The app has closed the session, the server has said that there is none, or the speaker
        reports nothing any more: whatever the client does, its segment is not over then.
        """
        machine, state = self.machine, self.state
        closing = machine.value(state, "leaving") == machine.code("leaving", "closing")
        return closing or any(machine.value(state, name) for name in ("fatal", "stuck"))

    async def _fresh_turn(self) -> None:
        """One turn more, along one straight way; it succeeds when all of its audio was played."""
        fresh = self.bench.fresh
        self.state = fresh.state(self.state)
        self.phase, self.machine = "fresh", fresh.target
        self.history.fresh_tried = True
        self.server.adopt(fresh)
        limit = self.loop.time() + FRESH_SECONDS
        for _ in range(FRESH_STEPS):
            going_on = self._possible(self.machine.progress(self.state))
            if not going_on and self._fresh_done():
                self.history.fresh_done = True
                return
            number = self._next_of_fresh(going_on)
            if number is not None:
                await self._take(number)
            elif not await self._wait(limit):
                return
            if self.history.stopped:
                return

    def _next_of_fresh(self, going_on: list[int]) -> int | None:
        """The first step; it is the user who takes the fresh turn, not the app."""
        rules = self.machine.rules
        return next((n for n in going_on if rules[n].id != "app.generate_reply"), None)

    def _fresh_done(self) -> bool:
        machine, bounds = self.machine, self.machine.bounds
        newest = max(machine.value(self.state, "begun") - 1, 0)
        ending = f"ending[{newest}]"
        played = f"played[{newest * bounds['OUTPUTS']}]"
        wanted = {
            "turns": bounds["TURNS"],
            ending: machine.code(ending, "completed"),
            played: bounds["DELTA"] * bounds["AUDIO"] * bounds["SPEAKER"],
        }
        return all(machine.value(self.state, name) == value for name, value in wanted.items())

    async def _wait(self, limit: float) -> bool:
        """Let the next deadline fall due; False if there is none before `limit`."""
        due = self.loop.next_deadline()
        if due is None or due > limit:
            return False
        await self.loop.advance_to(due)
        await self._rest()
        return True

    async def _close(self) -> None:
        closing = self.stage.close()
        limit = self.loop.time() + FRESH_SECONDS
        await self.loop.settle()
        while not closing.done():
            due = self.loop.next_deadline()
            if due is None or due > limit:
                if not self.history.stopped:
                    self.history.hang = "closing the session did not end"
                return
            await self.loop.advance_to(due)
        error = closing.exception()
        if error is not None and not self.history.stopped:
            self.history.evidence.append(
                Evidence("raised", f"{type(error).__name__}: {error}", len(self.history.entries))
            )
