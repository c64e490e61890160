"""A sample of mutants, drawn by seed and stratified by function.

Laws:
- Each function has its share by the number of its mutants, and at least one if there are enough.
- Those of a function are drawn in an order that seed and function alone decide.
- What does not compile, or changes nothing, is not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from realtime_conformance.mutation.mutants import Mutant

SIZE = 150
"""How many are drawn where nobody says otherwise."""


def drawn(
    mutants: Sequence[Mutant], size: int, seed: int, is_fit: Callable[[Mutant], bool]
) -> list[Mutant]:
    """A sample in the order of the file; all of them if there are no more."""
    strata = _strata(mutants, seed)
    counts = shares({name: len(found) for name, found in strata.items()}, size)
    chosen = {
        mutant.id for name, found in strata.items() for mutant in _fit(found, counts[name], is_fit)
    }
    return [mutant for mutant in mutants if mutant.id in chosen]


def shares(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of each: one, and of the rest as is its share, by largest remainders.

    Where there are more names than there is room, the largest have one each.
    """
    by_size = sorted(sizes, key=lambda name: (-sizes[name], name))
    given = dict.fromkeys(sizes, 0) | dict.fromkeys(by_size[:total], 1)
    left = min(total, sum(sizes.values())) - sum(given.values())
    spare = {name: sizes[name] - given[name] for name in sizes}
    room = sum(spare.values())
    if left <= 0 or room == 0:
        return given
    exact = {name: left * spare[name] / room for name in sizes}
    for name in sizes:
        given[name] += int(exact[name])
    short = left - sum(map(int, exact.values()))
    by_rest = sorted(sizes, key=lambda name: (int(exact[name]) - exact[name], name))
    for name in by_rest[:short]:
        given[name] += 1
    return given


def _strata(mutants: Sequence[Mutant], seed: int) -> dict[str, list[Mutant]]:
    strata: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        strata.setdefault(mutant.function, []).append(mutant)
    for name, found in strata.items():
        Random(f"{seed} {name}").shuffle(found)
    return strata


def _fit(found: Sequence[Mutant], count: int, is_fit: Callable[[Mutant], bool]) -> list[Mutant]:
    chosen: list[Mutant] = []
    for mutant in found:
        if len(chosen) == count:
            break
        if is_fit(mutant):
            chosen.append(mutant)
    return chosen
