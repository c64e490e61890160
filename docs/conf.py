"""How Sphinx makes the manual: hand-written pages as they are, the rest written from the data.

Laws:
- What is written from the data lies in `specification/` and `reference/`, is written anew by every
  build, and is never committed.
- A build needs no network, and neither do the pages: what they show is drawn here.
"""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / room) for room in ("docs", "model", "conformance", "tests")]

project = "realtime-conformance"
author = "the authors of realtime-conformance"
project_copyright = author
release = version_of("realtime-conformance")

extensions = ["myst_parser"]
exclude_patterns = ["_build", "pages"]
nitpicky = True

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4
myst_links_external_new_tab = True

html_theme = "furo"
html_title = f"realtime-conformance {release}"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_show_sourcelink = False
html_last_updated_fmt = None

GENERATED = ("specification", "reference")
"""Folders that hold nothing but what is written here."""


def write_pages(app: Any) -> None:
    """Write every page that is made from the data, where Sphinx then finds it."""
    from doubles.faults import FAULTS
    from pages import commands, specification
    from pages.examples import examples
    from pages.source import Source

    found = examples(FAULTS.values()) if app.config.run_examples else {}
    written = {
        **{f"specification/{name}": text for name, text in specification(Source(), found).items()},
        "reference/commands.md": commands.page(),
    }
    for folder in GENERATED:
        shutil.rmtree(HERE / folder, ignore_errors=True)
    for name, text in written.items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def complete_findings(app: Any) -> None:
    """Derive what the pages of the findings say besides what is written by hand."""
    from pages import findings

    app.findings = findings.completed(app.config.run_examples)


def complete(app: Any, name: str, source: list[str]) -> None:
    """Add to the page of a finding what is derived of it."""
    if name.startswith("findings/"):
        source[0] += app.findings[name.partition("/")[2]]


def setup(app: Any) -> None:
    """Let Sphinx write the pages before it looks for any."""
    app.add_config_value("run_examples", default=True, rebuild="env", types=[bool])
    app.connect("builder-inited", write_pages)
    app.connect("builder-inited", complete_findings)
    app.connect("source-read", complete)
