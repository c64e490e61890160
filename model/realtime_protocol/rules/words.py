"""Phrases that several machines use in their guards.

They are text, put together before anything is read: what a rule says stands in the rule.
"""

OPEN = "connection in (open, ready)"
"""The client can send."""

LIVE = "connection == ready"
"""The server has begun its session and can send."""

ACTIVE = "any(response[q] == active and oob[q] == 0 for q in RESPONSES)"
"""A response writes to the default conversation."""

RUNS = "any(response[q] == active and oob[q] == 0 and ending[q] == running for q in RESPONSES)"
"""It can still be cut."""

CALM = "interruptions + ticks + changes + faults < DISTURBANCES"
"""The budget of disturbances is not used up."""

SOUNDS = "any(segment[m] in (open, flushed, cleared) for m in OUTS)"
"""A playback segment is not finished."""

BUSY = (
    f"(asked == yes or requested > 0 or pending > 0 or {ACTIVE}"
    f" or turn in (stopped, committed, due) or {SOUNDS}"
    " or any(tool[m] in (running, returned, raised) for m in OUTS)"
    " or len(inbox) > 0 or wanted > 0 or context > 0)"
)
"""Something is under way that a reply is waiting for, or that is a reply."""

IDLE = (
    f"connection == ready and updates == 0 and speech == silent and turn == none"
    f" and leaving == no and not {BUSY}"
)
"""Nothing is under way, and the session is configured."""

NEW_REPLY = {"cancels": "0"}
"""What is counted anew with each reply that is begun."""

BARGED_NO_MORE = {
    "turns": "turns + barged",
    "barged": "0",
    **{field: f"{new} if barged == 1 else {field}" for field, new in NEW_REPLY.items()},
}
"""What began as a barge-in is a turn of its own: a reply to it is begun."""
