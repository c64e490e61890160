"""The real agent: it runs on the newest release, and our speaker behaves as livekit's own do."""

from __future__ import annotations

import gc

import pytest

from realtime_conformance.clients.livekit_agent import LivekitAgent
from realtime_conformance.clients.livekit_parts import accepts
from realtime_conformance.clock import run_virtual
from realtime_conformance.runner import Bench
from realtime_protocol.bounds import QUICK

rtc = pytest.importorskip("livekit.rtc")


@pytest.fixture(scope="module")
def bench():
    """The agent in the quick audio-reply scope, warmed up."""
    gc.disable()
    made = Bench(QUICK.scopes["audio-reply"], LivekitAgent)
    made.run()
    yield made
    gc.enable()


def rules(outcome, phase="main"):
    """Ids of the rules of a run, in order."""
    return [e.rule.id for e in outcome.history.entries if e.phase == phase and e.rule]


def test_an_undisturbed_reply_is_played_to_its_end(bench):
    """All audio is handed over once, flushed once, played and drained; a fresh turn follows."""
    outcome = bench.run()
    main = rules(outcome)
    assert main.count("client.speaker.capture") == bench.machine.bounds["AUDIO"]
    assert main.count("client.speaker.flush") == 1
    assert main[-1] == "speaker.drained"
    assert main.count("speaker.play") >= 3
    assert outcome.history.fresh_done
    assert outcome.history.evidence == []
    assert "client.input_audio_buffer.append" in rules(outcome, "fresh")


def test_the_same_choices_give_the_same_steps(bench):
    """Two runs take the same steps at the same times."""
    first, second = bench.run([0, 0, 0]), bench.run([0, 0, 0])
    assert rules(first) == rules(second)
    assert [e.time for e in first.history.entries] == [e.time for e in second.history.entries]


def test_a_run_leaves_nothing_behind(bench):
    """Memory does not grow from run to run."""
    bench.run()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(3):
        bench.run()
    gc.collect()
    assert len(gc.get_objects()) - before < 50


def test_an_interruption_in_mid_audio_truncates_where_the_speaker_stopped(bench):
    """The message carries the position that the speaker reported."""
    names = bench.machine.rules

    def prefer(state, options, calm):
        ids = [names[option.rule].id for option in options]
        wanted = (
            ("user.barges_in",) if state[bench.machine.at["played[0]"]] == 2 else ("speaker.play",)
        )
        return next((ids.index(rule) for rule in wanted if rule in ids), calm[0])

    outcome = bench.run((), prefer)
    cut = [e for e in outcome.history.entries if e.act == "conversation.item.truncate"]
    assert [e.message["audio_end_ms"] for e in cut] == [200]


def test_what_a_callable_accepts_is_read_from_its_signature():
    """A name, or any keyword at all."""
    assert accepts(lambda label: label, "label")
    assert accepts(lambda **anything: anything, "label")
    assert not accepts(lambda other: other, "label")


def test_a_class_without_a_constructor_takes_nothing():
    """That of `object` looks as if it took anything; so it is of microphones in 1.0."""

    class Bare: ...

    assert not accepts(Bare.__init__, "label")


def test_our_speaker_keeps_the_contract_of_an_output_that_livekit_ships():
    """The same acts give the same finishes as livekit's own queue output, drained or cleared."""
    ours, theirs = run_virtual(speak_with_ours), run_virtual(speak_with_theirs)
    assert ours == theirs


FRAME_SECONDS = 0.1
SAMPLES = 2400


def frame():
    """One tenth of a second of silence."""
    return rtc.AudioFrame(
        data=b"\0" * (2 * SAMPLES), sample_rate=24_000, num_channels=1, samples_per_channel=SAMPLES
    )


async def speak_with_ours(loop):
    """Finishes that the simulated speaker reports for a drained and a cleared segment."""
    from realtime_conformance.clients.interface import Seams
    from realtime_conformance.clients.livekit_agent import SpeakerOutput
    from realtime_conformance.speaker import Speaker

    speaker = Speaker(lambda act, samples: None)
    output = SpeakerOutput(Seams(None, speaker))
    finishes = []
    output.on("playback_finished", lambda ev: finishes.append(ev.interrupted))
    await output.capture_frame(frame())
    await output.capture_frame(frame())
    output.flush()
    speaker.play(2 * SAMPLES)
    speaker.report()
    await output.wait_for_playout()
    await output.capture_frame(frame())
    output.clear_buffer()
    speaker.report()
    ended = await output.wait_for_playout()
    await loop.settle()
    return finishes, ended.interrupted


async def speak_with_theirs(loop):
    """The same with livekit's queue output, drained by reading it."""
    from livekit.agents.voice.avatar import QueueAudioOutput

    output = QueueAudioOutput()
    finishes = []
    output.on("playback_finished", lambda ev: finishes.append(ev.interrupted))
    await output.capture_frame(frame())
    await output.capture_frame(frame())
    output.flush()
    output.notify_playback_finished(playback_position=2 * FRAME_SECONDS, interrupted=False)
    await output.wait_for_playout()
    await output.capture_frame(frame())
    output.clear_buffer()
    output.notify_playback_finished(playback_position=0.0, interrupted=True)
    ended = await output.wait_for_playout()
    await loop.settle()
    return finishes, ended.interrupted
