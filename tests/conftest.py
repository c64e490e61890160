"""Settings of the test suite: everything is deterministic, and no test is timed."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("project", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("project")
