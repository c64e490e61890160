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
Disturbs = Literal["", "interruption", "clock", "app", "fault"]


@attrs.frozen(kw_only=True)
class Rule:
    """One kind of step.

    `id` is the stable clause id.
    `event` is the wire event of a server or client step, or the name of the act.
    `over` gives the slots that the step exists in: a name for use in the expressions, and the
    number of slots. `at` is the slot of one unrolled rule.
    `reads` is the client message that a server step takes from the head of the inbox; its
    argument is the name `argument` in the expressions, and `address` the slot that it must name
    (any, where it is empty).
    `sends` marks a client step that puts `event` into the inbox, addressed to `address`, with an
    argument from 0 to the value of `argument_limit` (an expression over the bounds).
    `when` is the guard, `then` the effect: field to expression. The key `name[*]` is an effect on
    every slot of a field; its expression calls the slot `i` and the old value `this`.
    `clears` marks a step that empties the inbox: what was in flight is lost.
    `urgent` marks a server step that no other server step can overtake.
    `permitted` (client steps only) is what the protocol allows a client that knows all that has
    been delivered; a step outside it is possible, and the server rejects it or the user is wronged.
    `within` (client steps only) is what the graph holds of that: the steps of a client that is
    prompt and wastes nothing.
    `error` is the catalogue entry of the `error` event that the server answers with, `variants`
    others that it may be instead.
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
    over: dict[str, str] = attrs.field(factory=dict)
    at: dict[str, int] = attrs.field(factory=dict)
    reads: str = ""
    sends: bool = False
    address: str = ""
    argument_limit: str = "0"
    clears: bool = False
    urgent: bool = False
    permitted: str = "True"
    within: str = "True"
    error: str = ""
    variants: tuple[str, ...] = ()
    disturbs: Disturbs = ""

    @property
    def is_client(self) -> bool:
        """Whether the software under test takes this step."""
        return self.actor == "client"

    @property
    def label(self) -> str:
        """The clause id with the slot of this rule, if it has one."""
        return f"{self.id}[{','.join(map(str, self.at.values()))}]" if self.at else self.id
