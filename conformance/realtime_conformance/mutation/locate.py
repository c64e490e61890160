"""Where the code lives that is to be mutated: run as a program beside the client.

Laws:
- It goes through a public name, so it finds the code wherever a release keeps it.
- It is run beside any release, so it imports what a worker does and no more.
- It says what it found as one JSON object; whatever a client prints goes to standard error.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

from realtime_conformance.worker import packages


def located(address: str) -> dict[str, Any]:
    """The file of what `module:attribute` names, and the package or module to copy for it.

    `entry` is the folder on the import path that it comes from, and `root` what lies in there: the
    outermost regular package around the file, or the file itself where there is none.
    """
    module, _, attribute = address.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    file = Path(inspect.getfile(found)).resolve()
    name: str = inspect.getmodule(found).__name__  # type: ignore[union-attr]
    depth = len(name.split(".")) - (file.name != "__init__.py")
    entry = file.parents[depth]
    root = file
    while (root.parent / "__init__.py").is_file() and root.parent != entry:
        root = root.parent
    return {
        "module": name,
        "entry": str(entry),
        "root": str(root.relative_to(entry)),
        "file": str(file.relative_to(entry)),
        "packages": packages(),
    }


def main() -> None:
    """Print where it is, or why it is not found."""
    channel = os.dup(1)
    os.dup2(2, 1)
    try:
        found = located(sys.argv[1])
    except Exception as error:
        # whatever it is, there is nothing to mutate here, and the asker must be told
        found = {"refused": f"{type(error).__name__}: {error}"}
    with os.fdopen(channel, "w", encoding="utf-8") as stream:
        json.dump(found, stream)


if __name__ == "__main__":
    main()
