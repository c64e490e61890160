"""How far a run is: a bar on a terminal, a line now and then in a log.

Laws:
- It goes to standard error, so what is printed of the report can be kept apart.
- A log gets a line when a scope begins and at most one in `SECONDS`, whatever the number of runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

SECONDS = 30.0
"""Least time between two lines about one scope."""

Told = Callable[[str, int, int], None]
"""Told the scope, how many runs are made, and how many are known that are not."""


class _Rate(ProgressColumn):
    """Runs in a second."""

    def render(self, task: Task) -> Text:
        """The rate, once it is known."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


@contextmanager
def shown(name: str, console: Console) -> Iterator[Told]:
    """What is to be told of the progress of a run, which is called `name`."""
    if not console.is_terminal:
        yield Lines(name, console)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs made of those known so far"),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(name)
        yield lambda scope, done, left: bar.update(
            task, description=f"{name} {scope}", completed=done, total=done + left
        )


class Lines:
    """Prints a line when a scope begins, and then now and then."""

    def __init__(
        self, name: str, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._console = console
        self._clock = clock
        self._scope = ""
        self._next = 0.0

    def __call__(self, scope: str, done: int, left: int) -> None:
        """Take note of how far a scope is."""
        now = self._clock()
        if scope == self._scope and now < self._next:
            return
        self._scope, self._next = scope, now + SECONDS
        line = f"{self._name} {scope}: {done:,} of {done + left:,} runs known so far are made"
        self._console.print(Text(line), soft_wrap=True)
