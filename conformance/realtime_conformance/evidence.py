"""Catches what a client lets escape: logged errors, unhandled task and loop exceptions.

Laws:
- An error-level record, a record with an exception, and whatever the loop reports is evidence.
- Evidence found while garbage is collected after a run belongs to that run.
- Addresses and made-up ids are taken out, so that equal evidence has equal text.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import re
from collections.abc import Callable
from types import TracebackType
from typing import Any

from realtime_conformance.history import Evidence, History

SLIPS = (
    LookupError,
    TypeError,
    AttributeError,
    NameError,
    AssertionError,
    ArithmeticError,
    asyncio.InvalidStateError,
)
"""Exceptions that tell of a slip of the programmer, never of what happened to the program."""

HARNESS_FAULTS = ("playback_finished called more times than playback segments were captured",)
"""Warnings of a client that say the harness broke its side of the contract."""

ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
IDENTIFIER = re.compile(r"\b([a-z_]+_)[0-9a-f]{12}\b")


class HarnessFault(AssertionError):
    """The harness did not keep the client's contract."""


class Witness(logging.Handler):
    """Listens to one run."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[Evidence] = []
        self.position: Callable[[], int] = lambda: 0
        self.harness_fault = ""
        self.listens = True
        """Whether what is said still belongs to the run; a run that was ended early shows nothing
        of its end, since nobody carries on what the client waits for."""

    def __enter__(self) -> None:
        """Start listening to every logger."""
        logging.getLogger().addHandler(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record that is evidence."""
        text = record.getMessage()
        if any(fault in text for fault in HARNESS_FAULTS):
            self.harness_fault = text
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            self.add("slip" if isinstance(error, SLIPS) else "exception", error, text)
        elif record.levelno >= logging.ERROR:
            self.add("error", None, text)

    def loop_exception(
        self,
        loop: asyncio.AbstractEventLoop,  # noqa: ARG002
        context: dict[str, Any],
    ) -> None:
        """Take what the event loop reports."""
        self.add("loop", context.get("exception"), str(context.get("message")))

    def add(self, kind: str, error: BaseException | None, text: str = "") -> None:
        """Note one piece of evidence: an exception, a text, or both."""
        if not self.listens:
            return
        told = "" if error is None else f"{type(error).__name__}: {error}"
        text = ": ".join(part for part in (text, told) if part)
        clean = IDENTIFIER.sub(r"\1...", ADDRESS.sub("0x...", text)).splitlines()
        self.found.append(Evidence(kind, clean[0][:300] if clean else "", self.position()))

    def settle_up(self, history: History) -> None:
        """Collect the garbage of the run and hand everything over to it.

        Raises:
            HarnessFault: a warning says that the harness broke its contract.
        """
        # nothing may keep the client alive, or what its end reveals would be charged to nobody
        self.position = lambda: len(history.entries)
        gc.collect()
        if self.harness_fault:
            raise HarnessFault(self.harness_fault)
        history.evidence.extend(self.found)
