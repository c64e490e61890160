"""Conformance tests generated from the model, driving a real client through every interleaving.

`check_client(factory)` is the whole suite as a plain function.

Who may import whom: `realtime_protocol` imports nothing of this package; `cli`, `report` and
`pytest_plugin` are on top and nothing imports them; only `clients` knows livekit; only
`transport` knows sockets.
"""

from typing import Any

__all__ = ["NotConformant", "check_client"]


def __getattr__(name: str) -> Any:
    """What the suite offers, loaded when it is asked for: a worker imports this package too."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("realtime_conformance.suite"), name)
