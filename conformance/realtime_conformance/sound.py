"""Sound that can be told apart: the samples of an audio delta say which delta it is.

Laws:
- Every sample of delta `number` of the message in slot `item` has one value, never 0 and never that
  of another delta; silence is 0.
- What is heard is recognised from the samples alone, whatever pieces they come in.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator
from typing import NamedTuple

from realtime_conformance.speaker import SAMPLE_RATE
from realtime_protocol.bounds import UNIT_MS

NUMBERS = 128
"""Deltas of one message that are told apart; beyond that their values repeat."""

ITEMS = 255
"""Messages that are told apart."""


class Heard(NamedTuple):
    """So many samples of one delta; of silence, or of anything that was never sent, item is -1."""

    item: int
    number: int
    samples: int


def sample_of(item: int, number: int) -> bytes:
    """One sample of a delta: 16 bit mono PCM."""
    return (1 + (item % ITEMS) * NUMBERS + number % NUMBERS).to_bytes(2, "little", signed=True)


@functools.cache
def encoded(item: int, number: int, units: int) -> str:
    """A delta of so many units as it is on the wire, in base64."""
    samples = SAMPLE_RATE * units * UNIT_MS // 1000
    return base64.b64encode(sample_of(item, number) * samples).decode()


def recognised(pcm: bytes) -> Iterator[Heard]:
    """What some samples are of, in order."""
    start = 0
    while start < len(pcm):
        sample = pcm[start : start + 2]
        end = _end_of_run(pcm, start, sample)
        value = int.from_bytes(sample, "little", signed=True) - 1
        item, number = divmod(value, NUMBERS) if value >= 0 else (-1, 0)
        yield Heard(item, number, (end - start) // 2)
        start = end


def _end_of_run(pcm: bytes, start: int, sample: bytes) -> int:
    """Where the samples that are all alike end."""
    if pcm[start:] == sample * ((len(pcm) - start) // 2):
        return len(pcm)  # nearly always: a frame holds one delta or a part of it
    end = start
    while pcm[end : end + 2] == sample:
        end += 2
    return end
