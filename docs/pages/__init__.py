"""The specification as pages: written from the rules whenever the manual is built, never by hand.

Laws:
- A page says what the data says, and nothing that is written here a second time: a rule, a field,
  an event, an error, a check or a bound that changes is a page that changes.
- A page is a function of its `Source`, so a test can write the pages of rules that differ.
- Every rule, event, error, check, scope, assumption and property has a place of its own, with an
  address that other pages and diagrams use.
"""

from __future__ import annotations

from collections.abc import Mapping

from pages import checks, errors, events, laws, machines, questions, scopes
from pages.examples import Example
from pages.source import Source

NO_EXAMPLES: Mapping[str, Example] = {}


def specification(source: Source, examples: Mapping[str, Example] = NO_EXAMPLES) -> dict[str, str]:
    """All pages of the specification: name of the file to its text in Markdown.

    `examples` has a run that breaks each check, by the id of the check; those that are not there
    are said to be missing.
    """
    return {
        **machines.pages(source),
        **events.pages(source),
        "errors.md": errors.page(source),
        "checks.md": checks.page(examples),
        "scopes.md": scopes.page(source),
        "laws.md": laws.page(source),
        "questions.md": questions.page(source),
    }
