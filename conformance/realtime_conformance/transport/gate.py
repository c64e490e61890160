"""Where handshakes wait, in the order in which they came, until they are let in or turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Gate:
    """Holds handshakes for whoever decides about them; `on_knock` is told of each that begins."""

    def __init__(self, on_knock: Callable[[], None] | None) -> None:
        self._on_knock = on_knock
        self._waiting: list[asyncio.Future[int]] = []

    async def passed(self) -> int:
        """Wait for the decision about one handshake: 0, or the HTTP status it is refused with.

        A gate that nobody is told about stands open.
        """
        if self._on_knock is None:
            return 0
        knocking: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(knocking)
        self._on_knock()
        return await knocking

    def __bool__(self) -> bool:
        """Whether a handshake waits."""
        return any(not knocking.done() for knocking in self._waiting)

    def admit(self) -> None:
        """Let the oldest handshake succeed."""
        self.refuse(0)

    def refuse(self, status: int) -> None:
        """Answer the oldest handshake with an HTTP status that is no success."""
        # a client may have given up a handshake meanwhile
        self._waiting = [knocking for knocking in self._waiting if not knocking.done()]
        self._waiting.pop(0).set_result(status)
