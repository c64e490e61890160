"""Looks at what an interpreter has installed: the part of `doctor` that runs there.

Laws:
- It is run as a program beside any release, so it imports what a worker does and no more.
- It says what it found as one JSON object; whatever a client prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import platform
from typing import Any

from realtime_conformance.clients.interface import MissingSeam
from realtime_conformance.clients.livekit_seams import described
from realtime_conformance.worker import packages

PACKAGES = ("livekit-agents", "livekit-plugins-openai", "livekit", "openai", "aiohttp")
"""What the livekit clients are made of."""


def found() -> dict[str, Any]:
    """Python, what the clients are made of, each seam, and why livekit is not usable if so."""
    installed = packages()
    seams: list[dict[str, Any]] = []
    missing = ""
    try:
        seams = described()
    except MissingSeam as error:
        missing = str(error)
    return {
        "python": platform.python_version(),
        "packages": {name: installed.get(name) for name in PACKAGES},
        "missing": missing,
        "seams": seams,
    }


def main() -> None:
    """Print what was found."""
    channel = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(channel, "w", encoding="utf-8") as stream:
        json.dump(found(), stream)


if __name__ == "__main__":
    main()
