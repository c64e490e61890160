"""Sound is recognised from its samples alone, in whatever pieces it comes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.link import Wire
from doubles.records import Message, Reply
from doubles.reference import ReferenceClient
from realtime_conformance.runner import Bench
from realtime_conformance.sound import Heard, encoded, recognised
from realtime_conformance.timeline import render
from realtime_protocol.bounds import audio_reply

pytestmark = pytest.mark.usefixtures("heap_set_aside")

DELTAS = st.tuples(st.integers(0, 200), st.integers(0, 100))


@given(st.lists(DELTAS, min_size=1, max_size=4, unique=True), st.integers(1, 9_000))
def test_pieces_are_recognised(deltas: list[tuple[int, int]], size: int) -> None:
    """All samples of a delta are told to be of it, and no others, wherever the cuts are."""
    pcm = b"".join(base64.b64decode(encoded(*delta, 1)) for delta in deltas)
    pieces = [pcm[start : start + 2 * size] for start in range(0, len(pcm), 2 * size)]
    found: dict[tuple[int, int], int] = {}
    for piece in pieces:
        for heard in recognised(piece):
            key = (heard.item, heard.number)
            found[key] = found.get(key, 0) + heard.samples
    assert found == dict.fromkeys(deltas, 2_400)
    assert list(found) == deltas


def test_silence_is_nobodys() -> None:
    """What the server never sent is told apart from what it did."""
    assert list(recognised(bytes(20))) == [Heard(-1, 0, 10)]
    assert list(recognised(b"")) == []


class Swaps(ReferenceClient):
    """Plays the second delta before the first."""

    kept: bytes = b""

    def play(self, reply: Reply, message: Message, pcm: bytes) -> None:
        """Hold the first back."""
        if not self.kept:
            self.kept = pcm
            return
        super().play(reply, message, pcm)
        super().play(reply, message, self.kept)


class Repeats(ReferenceClient):
    """Plays the first delta twice."""

    def on_response_output_audio_delta(self, event: Wire) -> None:
        """Play it, and once more."""
        super().on_response_output_audio_delta(event)
        super().on_response_output_audio_delta(event)


class Invents(ReferenceClient):
    """Plays silence for what came."""

    def play(self, reply: Reply, message: Message, pcm: bytes) -> None:
        """As long as it was."""
        super().play(reply, message, bytes(len(pcm)))


@pytest.mark.parametrize("client", [Swaps, Repeats, Invents])
def test_audio_out_of_order_is_found(client: type[ReferenceClient]) -> None:
    """A delta is played once, after those before it, and nothing else is played."""
    outcome = Bench(audio_reply(), client).run()
    assert any("permitted-message" in text for text in render(outcome)["findings"])
