"""Print a command of the README, so that what CI runs and what people read cannot differ.

The command is the code block that follows the line `<!-- command: NAME -->`.
"""

import pathlib
import re
import sys

readme = pathlib.Path(__file__).parent.parent / "README.md"
name = re.escape(sys.argv[1])
found = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", readme.read_text(), re.DOTALL)
if found is None:
    sys.exit(f"README.md has no command named {sys.argv[1]!r}")
sys.stdout.write(found[1])
