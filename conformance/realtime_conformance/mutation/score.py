"""What a campaign comes to: each mutant with its end, and the share that was killed.

Laws:
- The score is killed / (drawn - argued equivalent); what was not tried yet counts as not killed.
- Who is killed is no equivalent, whatever was argued.
- A limit on runs is said beside the score, and a survivor of fewer runs is called one of those.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from realtime_conformance.mutation import equivalent
from realtime_conformance.mutation.state import State

if TYPE_CHECKING:
    from realtime_conformance.mutation.campaign import Campaign, Drawn

Json = dict[str, Any]

VERDICTS = ("killed", "survived", "not reached", "not tried")
"""The ends of a mutant."""


def score(verdicts: Counter[str], argued: int) -> float | None:
    """Killed of those that are not argued equivalent, from 0 to 1; None where there are none."""
    counted = sum(verdicts.values()) - argued
    return verdicts["killed"] / counted if counted else None


def report_of(campaign: Campaign, drawn: Drawn, state: State) -> Json:
    """The report."""
    mutants = []
    for mutant in drawn.chosen:
        result = state.results.get(mutant.id, {"verdict": "not tried"})
        entry = campaign.equivalents.get(mutant.key)
        killed = result["verdict"] == "killed"
        mutants.append(
            {
                **mutant.plain(drawn.source, drawn.place.file.as_posix()),
                **result,
                "equivalent": entry.reason if entry and not killed else None,
                "argued_wrong": bool(entry and killed),
            }
        )
    verdicts = Counter(dict.fromkeys(VERDICTS, 0))
    verdicts.update(one["verdict"] for one in mutants)
    argued = sum(one["equivalent"] is not None for one in mutants)
    unfit = equivalent.unfit(campaign.equivalents.values(), drawn.mutants.all)
    return {
        "of": state.of,
        "passes": {one.name: one.runs for one in campaign.passes},
        "unmutated": {
            name: {"runs": scope["runs"], "refused": scope.get("refused")}
            for name, scope in state.unmutated.items()
        },
        "possible": len(drawn.mutants.all),
        "left_out": drawn.mutants.left_out,
        "mutants": mutants,
        "verdicts": dict(verdicts),
        "equivalent": argued,
        "score": score(verdicts, argued),
        "unfit_equivalents": [equivalent.told(entry) for entry in unfit],
    }
