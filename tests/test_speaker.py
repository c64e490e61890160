"""The laws of the simulated speaker, and its agreement with the playout rules of the model."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_conformance.speaker import SAMPLE_RATE, Speaker
from realtime_protocol.bounds import UNIT_MS, audio_reply
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rules import playout
from realtime_protocol.state import State

Finish = tuple[float, bool]


@attrs.define
class Ear:
    """Hears what the speaker reports, and what it was told."""

    starts: int = 0
    finishes: list[Finish] = attrs.field(factory=list)
    acts: list[tuple[str, int]] = attrs.field(factory=list)

    def started(self) -> None:
        """A segment has begun to sound."""
        self.starts += 1

    def finished(self, seconds: float, interrupted: bool) -> None:
        """A segment has ended."""
        self.finishes.append((seconds, interrupted))

    def observe(self, act: str, pcm: bytes) -> None:
        """The client has acted."""
        self.acts.append((act, len(pcm) // 2))


def silence(samples: int) -> bytes:
    """So much sound."""
    return bytes(2 * samples)


def made() -> tuple[Speaker, Ear]:
    """A speaker with somebody who listens."""
    ear = Ear()
    speaker = Speaker(ear.observe)
    speaker.listener = ear
    return speaker, ear


def test_a_segment_that_is_played_to_its_end() -> None:
    """It starts with its first sample, and one finish tells its whole length."""
    speaker, ear = made()
    speaker.capture(silence(SAMPLE_RATE))
    speaker.capture(silence(SAMPLE_RATE // 2))
    assert (ear.starts, speaker.captured) == (0, 36_000)
    speaker.play(1_000)
    assert ear.starts == 1
    speaker.flush()
    assert speaker.ending == "flushed"
    speaker.play(100_000)
    assert speaker.played == 36_000
    assert ear.finishes == []
    speaker.report()
    assert ear.finishes == [(1.5, False)]
    assert ear.starts == 1
    assert (speaker.open, speaker.ending) == (False, "")


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("played", [0, 1, 2_400])
def test_a_segment_that_is_cleared(flushed: bool, played: int) -> None:
    """Cleared before or after its flush, it finishes once, interrupted, where it stood."""
    speaker, ear = made()
    speaker.capture(silence(4_800))
    speaker.play(played)
    if flushed:
        speaker.flush()
    speaker.clear()
    assert speaker.ending == "cleared"
    speaker.report()
    assert ear.finishes == [(played / SAMPLE_RATE, True)]
    assert ear.starts == int(played > 0)


def test_the_next_segment_begins_anew() -> None:
    """Positions are of the segment; after a finish the next capture starts at zero."""
    speaker, ear = made()
    for length in (2_400, 4_800):
        speaker.capture(silence(length))
        speaker.play(length)
        speaker.flush()
        speaker.report()
    assert ear.finishes == [(0.1, False), (0.2, False)]
    assert ear.starts == 2


def test_without_a_segment_nothing_ends() -> None:
    """Flushing or clearing silence leaves nothing to report; it is observed all the same."""
    speaker, ear = made()
    speaker.flush()
    speaker.clear()
    speaker.play(1_000)
    assert (speaker.open, speaker.ending, speaker.played) == (False, "", 0)
    speaker.capture(silence(2_400))
    speaker.flush()
    speaker.report()
    speaker.clear()
    speaker.flush()
    assert speaker.ending == ""
    assert (ear.starts, len(ear.finishes)) == (0, 1)
    assert ear.acts == [
        ("flush", 0), ("clear", 0), ("capture", 2_400), ("flush", 0), ("clear", 0), ("flush", 0),
    ]  # fmt: skip


def test_positions_are_exact() -> None:
    """A position is counted in samples, so no sum of small steps is rounded."""
    speaker, ear = made()
    for _ in range(1_000):
        speaker.capture(silence(7))
        speaker.play(7)
    speaker.flush()
    speaker.report()
    assert ear.finishes == [(7_000 / SAMPLE_RATE, False)]


def test_it_speaks_to_nobody_until_somebody_listens() -> None:
    """Without a listener it plays and reports in silence."""
    ear = Ear()
    speaker = Speaker(ear.observe)
    speaker.capture(silence(10))
    speaker.play(5)
    speaker.clear()
    speaker.report()
    assert ear.acts == [("capture", 10), ("clear", 0)]
    assert (ear.starts, ear.finishes) == (0, [])


def test_a_segment_that_begins_before_the_last_one_was_reported() -> None:
    """livekit counts a segment at each first capture after a flush: two segments, two finishes."""
    speaker, ear = made()
    speaker.capture(silence(2_400))
    speaker.flush()
    speaker.capture(silence(4_800))
    speaker.flush()
    while speaker.ending:
        speaker.play(100_000)
        speaker.report()
    assert ear.finishes == [(0.1, False), (0.2, False)]


def test_what_is_cleared_is_not_played() -> None:
    """Clearing drops what has not been played, so the position stays where it was."""
    speaker, ear = made()
    speaker.capture(silence(4_800))
    speaker.play(2_400)
    speaker.clear()
    speaker.play(2_400)
    speaker.report()
    assert ear.finishes == [(0.1, True)]


def test_a_report_without_an_end_is_wrong_use() -> None:
    """A finish that no segment has is a fault of the harness: it raises, or tells nobody."""
    speaker, ear = made()
    try:
        speaker.report()
    except (RuntimeError, ValueError):
        return
    assert ear.finishes == []


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("capture"), st.integers(1, 5_000)),
        st.tuples(st.just("play"), st.integers(0, 5_000)),
        st.tuples(st.sampled_from(["flush", "clear", "report"]), st.just(0)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(ACTS)
def test_one_finish_for_each_segment(acts: list[tuple[str, int]]) -> None:
    """Whatever the order, each segment that was captured and ended is finished exactly once.

    Kept to what the scenario allows: a report comes when a segment has drained or was cleared, no
    segment begins before the last one is reported, and none is played once it is cleared.
    """
    speaker, ear = made()
    begun = ended = started = played = captured = 0
    for act, samples in acts:
        over = speaker.ending == "cleared" or (
            speaker.ending == "flushed" and speaker.played == speaker.captured
        )
        if act == "capture":
            if speaker.ending:
                continue
            if not speaker.open:
                begun, played, captured = begun + 1, 0, 0
            captured += samples
            speaker.capture(silence(samples))
        elif act == "play":
            if speaker.ending == "cleared" or not (speaker.open or speaker.ending):
                continue
            started += played == 0 < min(samples, captured)
            played = min(played + samples, captured)
            speaker.play(samples)
        elif act == "report":
            if not over:
                continue
            interrupted = speaker.ending == "cleared"
            speaker.report()
            ended += 1
            assert ear.finishes[-1] == (played / SAMPLE_RATE, interrupted)
        else:
            getattr(speaker, act)()
        assert (speaker.played, speaker.captured) == (played, captured)
        assert 0 <= speaker.played <= speaker.captured
        assert (ear.starts, len(ear.finishes)) == (started, ended)
        assert begun - ended == int(speaker.open or bool(speaker.ending))


# -- the model's playout ----------------------------------------------------------------------

UNIT = SAMPLE_RATE * UNIT_MS // 1000
"""Samples in one unit of playout."""


def reachable(machine: Machine) -> dict[State, list[tuple[str, State]]]:
    """Every state and step, the forbidden steps of the client included."""
    found: dict[State, list[tuple[str, State]]] = {}
    waiting = [machine.initial]
    while waiting:
        state = waiting.pop()
        if state not in found:
            steps = [Step(number) for number in machine.environment(state)] + machine.client(state)
            after = [(machine.rules[s.rule].id, machine.after(state, s)) for s in steps]
            found[state] = after
            waiting += [target for _, target in after]
    return found


def as_in(machine: Machine, state: State) -> tuple[Speaker, Ear]:
    """A speaker as the model says it is; what it keeps of an earlier reply is of no account."""
    speaker, ear = made()
    shown: dict[str, Any] = machine.show(state)
    segment = shown["segment[0]"]
    speaker.captured = speaker.played = 99
    if segment != "none":
        speaker.captured = shown["captured[0]"] * machine.bounds["DELTA"] * UNIT
        speaker.played = shown["played[0]"] * UNIT
    speaker.open = segment == "open"
    speaker.ending = segment if segment in ("flushed", "cleared") else ""
    return speaker, ear


def act_out(machine: Machine, speaker: Speaker, name: str) -> None:
    """Do with the speaker what a playout rule says."""
    if name == "client.speaker.capture":
        speaker.capture(silence(machine.bounds["DELTA"] * UNIT))
    elif name == "speaker.play":
        speaker.play(machine.bounds["STEP"] * UNIT)
    elif name in ("speaker.drained", "speaker.cleared"):
        speaker.report()
    else:
        getattr(speaker, name.rpartition(".")[2])()


@pytest.mark.parametrize(("delta", "step"), [(3, 2), (1, 1), (2, 5)])
def test_the_model_and_the_speaker_agree(delta: int, step: int) -> None:
    """At every state each step of playout leads both to the same place, and is reported alike."""
    few = {"TRANSCRIPTS": 1, "CANCELS": 0, "TRUNCATES": 0, "DELETES": 0, "UPDATES": 1, "TICKS": 0}
    machine = Machine(audio_reply(DELTA=delta, STEP=step, **few).bounds)
    left = {rule.id for rule in playout.RULES if machine.numbers(rule.id)}
    for state, steps in reachable(machine).items():
        for name, target in steps:
            if not name.startswith(("speaker.", "client.speaker.")):
                continue
            left.discard(name)
            speaker, ear = as_in(machine, state)
            begins = name == "speaker.play" and speaker.played == 0
            position = speaker.played / SAMPLE_RATE
            act_out(machine, speaker, name)
            expected, _ = as_in(machine, target)
            assert attrs.evolve(speaker, observe=None, listener=None) == attrs.evolve(
                expected, observe=None, listener=None
            ), (name, machine.show(state))
            assert ear.starts == int(begins)
            ends = {"speaker.drained": False, "speaker.cleared": True}
            assert ear.finishes == ([(position, ends[name])] if name in ends else [])
    assert left == set()
