"""What a rule is: one kind of step, as data.

Laws:
- A guard and an effect are expressions (see `expressions`) over named fields of finite range, so
  what a rule reads and writes is known without running it.
- A rule is the only place where its transition is written: the graph, the reference server, the
  explorer's choices, the Hypothesis machine and the checks are derived from it.
- Every rule says where it comes from and how sure that is.
"""

from __future__ import annotations

from typing import Literal

import attrs

Actor = Literal["server", "client", "user", "app", "speaker", "network", "clock"]
Confidence = Literal["documented", "observed", "inferred"]
Disturbs = Literal["", "interruption", "clock"]


@attrs.frozen(kw_only=True)
class Rule:
    """One kind of step.

    `id` is the stable clause id.
    `event` is the wire event of a server or client step, or the name of the act.
    `reads` is the client message that a server step takes from the head of the inbox; its
    argument is the name `argument` in the expressions.
    `sends` marks a client step that puts `event` into the inbox, with an argument from 0 to the
    value of `argument_limit` (an expression over the bounds).
    `when` is the guard, `then` the effect: field name to expression.
    `permitted` (client steps only) is what the protocol allows a client that knows all that has
    been delivered; a step outside it is possible, and the server rejects it or the user is wronged.
    `within` (client steps only) is what the graph holds of that: the steps of a client that is
    prompt and wastes nothing.
    `error` is the catalogue entry of the `error` event that the server answers with.
    `disturbs` marks a step that does not let the reply go on, and so draws on a budget.
    """

    id: str
    actor: Actor
    event: str
    why: str
    source: str
    confidence: Confidence
    when: str = "True"
    then: dict[str, str] = attrs.field(factory=dict)
    reads: str = ""
    sends: bool = False
    argument_limit: str = "0"
    permitted: str = "True"
    within: str = "True"
    error: str = ""
    disturbs: Disturbs = ""

    @property
    def is_client(self) -> bool:
        """Whether the software under test takes this step."""
        return self.actor == "client"
