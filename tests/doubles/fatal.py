"""Clients that take their worker with them: one ends its process, one never gives it back.

Laws:
- It happens in few runs: where agent code interrupts a reply right after it was created.
- In every other run they do what the reference client does.
"""

from __future__ import annotations

import os
import sys
import time

from doubles.reference import ReferenceClient, Wire


class Fatal(ReferenceClient):
    """Remembers the last event that it was told of."""

    last = ""

    def handle(self, event: Wire) -> None:
        """Remember it."""
        self.last = event["type"]
        super().handle(event)

    def interrupt(self) -> None:
        """Fatal right after `response.created`."""
        if self.last == "response.created":
            self.end()
        super().interrupt()

    def end(self) -> None:
        """Do what ends the worker."""


class Dies(Fatal):
    """Ends the process that it runs in."""

    def end(self) -> None:
        """Without any clearing up."""
        sys.stderr.write("so it ends\n")
        sys.stderr.flush()
        os._exit(3)


class Hangs(Fatal):
    """Blocks the process that it runs in."""

    def end(self) -> None:
        """For longer than anybody waits."""
        time.sleep(3600)
