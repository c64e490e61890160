"""The session alone: its scripted agent plays, answers calls and keeps what was heard."""

from __future__ import annotations

import gc

import pytest

from realtime_conformance.clients.livekit_session import LivekitSession
from realtime_conformance.runner import Bench
from realtime_conformance.timeline import render
from realtime_protocol.bounds import QUICK, UNIT_MS


@pytest.fixture(scope="module")
def bench():
    """A session in a quick scope, warmed up; made once for each scope."""
    gc.disable()
    made = {}

    def make(name):
        if name not in made:
            made[name] = Bench(QUICK.scopes[name], LivekitSession)
            made[name].run()
        return made[name]

    yield make
    gc.enable()


def rules(outcome, phase="main"):
    """Ids of the rules of a run, in order."""
    return [e.rule.id for e in outcome.history.entries if e.phase == phase and e.rule]


def preferring(bench, *wanted):
    """Take the first of some rules that is offered, else the first step that goes on."""
    names = bench.machine.rules

    def prefer(state, options, calm):
        ids = [names[option.rule].id for option in options]
        return next((ids.index(rule) for rule in wanted if rule in ids), calm[0])

    return prefer


def test_an_undisturbed_reply_is_played_to_its_end(bench):
    """All audio is handed over once, flushed once, played and drained; a fresh turn follows."""
    audio = bench("audio-reply")
    outcome = audio.run()
    main = rules(outcome)
    assert main.count("client.speaker.capture") == audio.machine.bounds["AUDIO"]
    assert main.count("client.speaker.flush") == 1
    assert main[-1] == "speaker.drained"
    assert outcome.history.fresh_done
    assert render(outcome)["findings"] == []


def test_a_call_is_carried_out_answered_and_replied_to(bench):
    """The function runs once, its output is in the conversation, and its reply is played."""
    tools = bench("tool-round")
    outcome = tools.run((), preferring(tools, "server.response.output_item.added.call"))
    main = rules(outcome)
    assert main.count("client.call") == 1
    answered = main.index("client.conversation.item.create.output")
    assert main.index("app.tool.returns") < answered
    assert main[answered:].count("client.response.create") == 1
    assert main[-1] == "speaker.drained"
    assert outcome.history.fresh_done
    assert render(outcome)["findings"] == []


def test_an_interruption_in_mid_audio_truncates_where_the_speaker_stopped(bench):
    """One cancel, one clear, and one truncation at the position that the speaker reported."""
    audio = bench("audio-reply")
    step = audio.machine.bounds["STEP"]

    def prefer(state, options, calm):
        heard = audio.machine.value(state, "played[0]") >= step
        rule = "user.barges_in" if heard else "speaker.play"
        return preferring(audio, rule)(state, options, calm)

    outcome = audio.run((), prefer)
    main = rules(outcome)
    cut = [e for e in outcome.history.entries if e.act == "conversation.item.truncate"]
    assert [e.message["audio_end_ms"] for e in cut] == [step * UNIT_MS]
    assert main.count("client.response.cancel") == main.count("client.speaker.clear") == 1
    assert main.index("speaker.cleared") < main.index("client.conversation.item.truncate")
    assert render(outcome)["findings"] == []


def test_a_reply_that_is_interrupted_before_it_begins_is_cancelled_once_it_does(bench):
    """Nothing is cancelled while there is no response; then it is, and nothing of it is played."""
    audio = bench("audio-reply")

    def prefer(state, options, calm):
        asked = audio.machine.value(state, "requested") > 0
        return preferring(audio, *["app.interrupt"] * asked)(state, options, calm)

    outcome = audio.run((), prefer)
    main = rules(outcome)
    assert main.count("client.response.cancel") == 1
    assert main.index("server.response.created.requested") < main.index("client.response.cancel")
    assert "client.speaker.capture" not in main
    assert render(outcome)["findings"] == []


def test_a_run_leaves_nothing_behind(bench):
    """Memory does not grow from run to run."""
    audio = bench("audio-reply")
    audio.run()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(3):
        audio.run()
    gc.collect()
    assert len(gc.get_objects()) - before < 50
