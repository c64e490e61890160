"""Every command and option of the command line, read off the functions that it is made of.

Laws:
- What typer reads is read here: the signature of a command, and what is said of each parameter.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.models import ArgumentInfo, OptionInfo

from pages import markdown as md
from realtime_conformance.cli import app


def page() -> str:
    """The page."""
    lines: list[str] = []
    for name, command in commands():
        lines += _command(name, command)
    about = "`realtime-conformance COMMAND --help` says the same as this page."
    return md.page("Commands and options", about, *lines)


def commands(
    program: typer.Typer = app, before: str = ""
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every command with the words that call it, such as `ledger merge`."""
    for command in program.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        yield f"{before}{name}", command.callback
    for group in program.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, f"{before}{group.name} ")


def parameters(command: Callable[..., Any]) -> Iterator[tuple[str, str, str]]:
    """How each parameter of a command is written, what it is, and what holds without it."""
    hints = typing.get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        kind, info = typing.get_args(hints[name])[:2]
        shown = (
            _argument(name, info) if isinstance(info, ArgumentInfo) else _option(name, kind, info)
        )
        yield shown, info.help or "", _default(parameter.default)


def _command(name: str, command: Callable[..., Any]) -> list[str]:
    said = inspect.cleandoc(command.__doc__ or "")
    rows = [
        (md.code(shown), md.text(about), default and md.code(default))
        for shown, about, default in parameters(command)
    ]
    lines = [f"## {md.code(name)}", "", *(md.text(line) for line in said.split("\n")), ""]
    return lines + md.table(("argument or option", "what it is", "default"), rows)


def _argument(name: str, info: ArgumentInfo) -> str:
    return info.metavar or name.upper()


def _option(name: str, kind: Any, info: OptionInfo) -> str:
    # inside of `Annotated` the first word stands where a default would
    first = [info.default] if isinstance(info.default, str) else []
    given = [*first, *(info.param_decls or ())]
    words = ", ".join(given or [f"--{name.replace('_', '-')}"])
    if kind is bool:
        return words if given else f"{words}/--no-{name.replace('_', '-')}"
    return f"{words} {info.metavar or _of(kind)}"


def _of(kind: Any) -> str:
    """What is expected of a value, in capitals; of one of several where an option repeats."""
    inside = [one for one in typing.get_args(kind) if one is not type(None)]
    return _of(inside[0]) if inside else KINDS[kind.__name__]


KINDS = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER", "Path": "PATH"}


def _default(default: Any) -> str:
    nothing = default is inspect.Parameter.empty or default in (None, False, "", [])
    return "" if nothing else str(default)
