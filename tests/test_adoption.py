"""A state of one machine in another: what a slot stands for stays, whatever its number is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import pytest

from realtime_conformance.server import ReferenceServer
from realtime_protocol.adoption import KINDS, Adoption, NoSuchSlot, moved
from realtime_protocol.bounds import PROFILES, SCOPES, Scope, audio_reply, one_more_turn, scope
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine, Step
from realtime_protocol.names import Names
from realtime_protocol.state import Message, State

TINY = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1, "CANCELS": 1,
        "TRUNCATES": 1, "DELETES": 1}  # fmt: skip
SMALL = audio_reply(**TINY, TICKS=0, VAD=0)
EVERYTHING = scope(
    "everything", "", **TINY, RESPONSES=2, OUTPUTS=2, USERS=2, TRACK_USERS=1, NUDGES=1, CREATES=2,
    CALL_OUT=1, RETRIEVES=1, CONTEXTS=1, REMOVALS=1,
)  # fmt: skip
TURN = (
    "network.open", "server.session.created", "user.takes_turn",
    "server.input_audio_buffer.speech_stopped", "server.input_audio_buffer.committed",
)  # fmt: skip
"""A user turn whose item is in the conversation."""


@cache
def small() -> Graph:
    """Every state of one audio reply."""
    return enumerate_graph(Machine(SMALL.bounds))


def fresh(scope: Scope) -> Adoption:
    """From the machine of a scope to that of one more turn."""
    return Adoption(Machine(scope.bounds), Machine(one_more_turn(scope)))


@cache
def everything() -> Adoption:
    """The same for a scope with every kind of item."""
    return fresh(EVERYTHING)


def taken(machine: Machine, rule_ids: Sequence[str], server: ReferenceServer | None) -> State:
    """The state behind some steps from the first on; a server spells them."""
    state = machine.initial
    for rule_id in rule_ids:
        number = machine.numbers(rule_id)[0]
        before, state = state, machine.after(state, Step(number))
        if server is not None:
            server.spell(machine.rules[number], before, state, 0.0)
    return state


# -- fields -----------------------------------------------------------------------------------


def test_a_state_is_adopted_by_a_machine_of_more() -> None:
    """Fields keep their values by name, the inbox stays, and what is new begins anew."""
    before = small().machine
    large = Machine(audio_reply(PAUSES=1, RATE_LIMITS=1, UPDATES=2).bounds)
    assert {"paused", "pauses", "limits"} <= set(large.at) - set(before.at)
    adoption = Adoption(before, large)
    for state in list(small().successors)[::50]:
        adopted = adoption.state(state)
        assert len(adopted) == len(large.fields) + 1
        assert adopted[-1] == state[-1]
        for field in large.fields:
            known = before.value(state, field.name) if before.knows(field.name) else field.initial
            assert large.value(adopted, field.name) == known, field.name
        assert large.value(adopted, "paused") == 0


def test_a_state_comes_back_as_it_was() -> None:
    """Adopted by a machine of more and back nothing is lost, and by the same one nothing moves."""
    machine, large = small().machine, Machine(one_more_turn(SMALL))
    same, there, back = (
        Adoption(machine, machine), Adoption(machine, large), Adoption(large, machine)
    )  # fmt: skip
    assert any(state[-1] for state in list(small().successors)[::50])
    for state in list(small().successors)[::50]:
        assert same.state(state) == state
        assert back.state(there.state(state)) == state


def test_a_field_that_only_the_other_leaves_out_is_adopted() -> None:
    """A constant of one machine is a field of the other, with the value that it always had."""
    machine = Machine(audio_reply(**TINY, VAD=0).bounds)
    large = Machine(audio_reply(**TINY).bounds)
    assert machine.constants["speech"] == 0
    assert "speech" in large.at
    assert Adoption(machine, large).state(machine.initial) == large.initial


# -- slots ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bounds",
    [scope.bounds for profile in PROFILES.values() for scope in profile.scopes.values()]
    + [EVERYTHING.bounds],
)
def test_the_kinds_of_items_are_all_there_is(bounds: dict[str, int]) -> None:
    """Their numbers add up to the items, and each begins where the bounds say."""
    begins = [sum(bounds[kind] for kind in KINDS[:number]) for number in range(len(KINDS) + 1)]
    outs, _, made, answer, copy, items = begins[1:]
    assert (outs, made, answer, copy, items) == tuple(
        bounds[name] for name in ("OUTS", "MADE", "ANSWER", "COPY", "ITEMS")
    )


def test_an_item_stays_what_it_is() -> None:
    """The item of each response, turn, nudge, context and answer has a slot of its kind."""
    here = EVERYTHING.bounds
    there = one_more_turn(EVERYTHING)
    # two outputs of two responses, two users, a nudge, two contexts, four answers; before a third
    # response there are two outputs, and a third user
    outs, users, nudges, creates, answers = [0, 1, 2, 3], [6, 7], [9], [10, 11], [12, 13, 14, 15]
    found = [moved("ITEMS", slot, here, there) for slot in range(here["ITEMS"])]
    assert found == [*outs, *users, *nudges, *creates, *answers]
    back = [moved("ITEMS", slot, there, here) for slot in range(there["ITEMS"])]
    assert [slot for slot in back if slot is not None] == list(range(here["ITEMS"]))
    assert [slot for slot, found in enumerate(back) if found is None] == [4, 5, 8, 16, 17]
    assert moved("ITEMS", there["ITEMS"], there, here) is None


def test_an_output_keeps_its_place_in_its_response() -> None:
    """Where responses hold more items, those of the second response stand further behind."""
    narrow, wide = {"OUTPUTS": 1, "OUTS": 2}, {"OUTPUTS": 3, "OUTS": 6}
    assert [moved("OUTS", slot, narrow, wide) for slot in range(2)] == [0, 3]
    assert [moved("OUTS", slot, wide, narrow) for slot in range(6)] == [
        0,
        None,
        None,
        1,
        None,
        None,
    ]


@pytest.mark.parametrize("name", ["vad-keeps-on", "vad-turn", "vad-asks", "idle-timeout"])
def test_the_fresh_turn_knows_the_items_of_the_run(name: str) -> None:
    """In the machine of one more turn an item is the item that it was: the user's, the client's."""
    adoption = fresh(SCOPES[name])
    machine, more = adoption.source, adoption.target
    state = taken(machine, TURN, None)
    user, later = machine.bounds["OUTS"], more.bounds["OUTS"]
    assert later > user
    assert machine.value(state, f"item[{user}]") == 1
    adopted = adoption.state(state)
    assert [more.value(adopted, f"item[{m}]") for m in range(later)] == [0] * later
    assert more.value(adopted, f"item[{later}]") == 1
    assert adoption.item(user) == later


# -- messages in flight -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "adopted"),
    [
        (("conversation.item.truncate", 1, 1), ("conversation.item.truncate", 1, 1)),
        (("conversation.item.delete", 3, 0), ("conversation.item.delete", 3, 0)),
        (("conversation.item.delete", 4, 0), ("conversation.item.delete", 6, 0)),
        (("conversation.item.delete", 6, 0), ("conversation.item.delete", 9, 0)),
        # the second item that the client makes: at the end, first, behind the first user's item,
        # behind the last answer, and behind an item that nobody knows
        (("conversation.item.create", 8, 0), ("conversation.item.create", 11, 0)),
        (("conversation.item.create", 8, 1), ("conversation.item.create", 11, 1)),
        (("conversation.item.create", 8, 4 + 2), ("conversation.item.create", 11, 6 + 2)),
        (("conversation.item.create", 8, 12 + 2), ("conversation.item.create", 11, 15 + 2)),
        (("conversation.item.create", 8, 13 + 2), ("conversation.item.create", 11, 18 + 2)),
        # the answer to the second item of the second response
        (("conversation.item.create", 12, 0), ("conversation.item.create", 15, 0)),
        (("response.create", 0, 0), ("response.create", 0, 0)),
        (("response.cancel", 0, 0), ("response.cancel", 0, 0)),
        (("session.update", 0, 0), ("session.update", 0, 0)),
    ],
)
def test_a_message_names_what_it_named(message: Message, adopted: Message) -> None:
    """Slot and place of a message in flight are those of the same item in the other machine."""
    adoption = everything()
    state: State = (*adoption.source.initial[:-1], (message,))
    assert adoption.state(state)[-1] == (adopted,)


def test_every_message_that_is_sent_is_adopted() -> None:
    """What any client step of a machine sends is what the same step of the other would send."""
    adoption = everything()
    machine, more = adoption.source, adoption.target
    later = {(rule.id, tuple(rule.at.values())): n for n, rule in enumerate(more.rules)}
    sent = 0
    for number, rule in enumerate(machine.rules):
        if not rule.sends:
            continue
        at = tuple(
            moved(size, slot, machine.bounds, more.bounds)
            for size, slot in zip(rule.over.values(), rule.at.values(), strict=True)
        )
        step = later[rule.id, at]  # type: ignore[index]
        adopted = adoption.state(machine.forced(machine.initial, Step(number)))
        assert adopted[-1] == more.forced(more.initial, Step(step))[-1], rule.label
        sent += 1
    assert sent > 40


def test_what_has_no_slot_in_the_other_machine_is_refused() -> None:
    """A message to an item that the other machine cannot hold raises, and so does the item."""
    large = everything().target
    adoption = Adoption(large, everything().source)
    for message in (("conversation.item.delete", 4, 0), ("conversation.item.create", 11, 4 + 2)):
        with pytest.raises(NoSuchSlot):
            adoption.state((*large.initial[:-1], (message,)))
    with pytest.raises(NoSuchSlot, match="item 4"):
        adoption.item(4)
    with pytest.raises(NoSuchSlot, match="delete to slot 99"):
        adoption.state((*large.initial[:-1], (("conversation.item.delete", 99, 0),)))


# -- names ------------------------------------------------------------------------------------


def test_names_move_with_their_items() -> None:
    """Everything that is known of an item is known of its new slot; responses keep theirs."""
    names = Names(
        ids={("item", 0): "a", ("item", 1): "b", ("item", -1): "c", ("call", 1): "d",
             ("response", 1): "e"},
        said={(1, 0): ("x",), (-1, 2): ("y",)},
        order=(-1, 0, 1),
        deleted=frozenset({1, -1}),
        metadata={1: "m"},
        called={1: "f"},
        created={1: {"type": "t"}},
        torn=frozenset({0}),
    )  # fmt: skip
    before = names.copy()
    found = names.moved(lambda slot: slot + 5)
    assert names == before
    assert found == Names(
        ids={("item", 5): "a", ("item", 6): "b", ("item", -1): "c", ("call", 6): "d",
             ("response", 1): "e"},
        said={(6, 0): ("x",), (-1, 2): ("y",)},
        order=(-1, 5, 6),
        deleted=frozenset({6, -1}),
        metadata={1: "m"},
        called={6: "f"},
        created={6: {"type": "t"}},
        torn=frozenset({5}),
    )  # fmt: skip


def test_the_server_of_the_fresh_turn_names_the_items_of_the_run() -> None:
    """The item of the user has the id that it had, and what comes next comes behind it."""
    adoption = fresh(SCOPES["vad-keeps-on"])
    server = ReferenceServer(adoption.source)
    state = adoption.state(taken(adoption.source, TURN, server))
    user = server.names.ids["item", adoption.source.bounds["OUTS"]]
    server.adopt(adoption)
    machine = server.machine
    assert machine is adoption.target
    said = []
    while machine.progress(state) and len(said) < 8:
        number = machine.progress(state)[0]
        before, state = state, machine.after(state, Step(number))
        text = server.spell(machine.rules[number], before, state, 0.0)
        if text is not None:
            said.append(json.loads(text))
    added, done = said[:2]
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert added["item"]["id"] == done["item"]["id"] == user
    reply = next(event for event in said[2:] if event["type"] == "conversation.item.added")
    assert reply["previous_item_id"] == user
    assert reply["item"]["id"] != user
