"""Clients by name; a client is imported only when it is driven.

A name is that of a client that comes with this package, or `module:attribute` for one of one's
own: a callable that takes `Seams` and returns a `Client`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from realtime_conformance.clients.interface import Client, Seams

KNOWN = {
    "livekit-agent": "realtime_conformance.clients.livekit_agent:LivekitAgent",
    "livekit-session": "realtime_conformance.clients.livekit_session:LivekitSession",
}


class UnknownClient(ValueError):
    """A name that is no client: what was expected and what came."""


def address(name: str) -> str:
    """`module:attribute` of a client.

    Raises:
        UnknownClient: the name is neither known nor an address.
    """
    if name in KNOWN:
        return KNOWN[name]
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute.isidentifier()):
        raise UnknownClient(
            f"unknown client {name!r}; expected one of {', '.join(KNOWN)}, or module:attribute"
        )
    return name


def load(name: str) -> Callable[[Seams], Client]:
    """The client that a name stands for.

    Raises:
        UnknownClient: there is no such client.
        MissingSeam: the installed client lacks something that the harness needs.
    """
    module, _, attribute = address(name).partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise UnknownClient(f"unknown client {name!r}: {error}") from error
    made: Callable[[Seams], Client] = found
    return made
