"""How a correct client carries out the functions that the model calls.

Laws:
- A function is run once for each call, and only for one that came whole and was not interrupted.
- Every call that was run is answered once, and so is one of a function that there is not.
- When every call of a reply is answered, one reply to all of that is asked for; none if the user
  has interrupted meanwhile.
"""

from __future__ import annotations

from doubles.conversation import Entry
from doubles.link import Wire
from doubles.records import Reply
from doubles.replies import Replies
from realtime_conformance.clients.interface import FUNCTION, Seams, ToolFailed


class Tools(Replies):
    """Runs calls and answers them."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.carry_out = seams.carry_out

    def on_response_output_item_done(self, event: Wire) -> None:
        """A call is complete, or was cut."""
        reply, item = self.replies.get(event["response_id"]), event["item"]
        if reply is None or item["type"] != "function_call":
            return
        entry = self.entry(item["id"])
        if entry is not None:
            entry.item["arguments"], entry.cut = item["arguments"], item["status"] != "completed"
        if item["status"] != "completed":
            return
        if not reply.interrupted:
            reply.calls += 1
            self.take(reply, item)

    def take(self, reply: Reply, item: Wire) -> None:
        """Run what is called, or say that there is no such function."""
        if item["name"] == FUNCTION:
            self.spawn(self.run(reply, item["call_id"]))
        else:
            self.answer(reply, item["call_id"], f"unknown function {item['name']}")

    async def run(self, reply: Reply, call_id: str) -> None:
        """Run the function of the app, and answer with what it gives back."""
        try:
            output = await self.carry_out(call_id)
        except ToolFailed as error:
            output = f"failed: {error}"
        self.answer(reply, call_id, output)

    def answer(self, reply: Reply, call_id: str, output: str) -> None:
        """Answer a call."""
        reply.answered += 1
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        self.create(Entry({"id": f"output_of_{call_id}", **item}))
        self.follow(reply)
        self.go_on()

    def on_response_done(self, event: Wire) -> None:
        """No call follows."""
        super().on_response_done(event)
        reply = self.replies.get(event["response"]["id"])
        if reply is not None:
            self.follow(reply)

    def follow(self, reply: Reply) -> None:
        """Want the reply to what the calls gave back, once all of them have."""
        all_answered = 0 < reply.calls == reply.answered
        if all_answered and not (reply.active or reply.interrupted or reply.followed):
            reply.followed = True
            self.generate_reply()
