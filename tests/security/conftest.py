from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a test a job file of its own; its groups are ended with it, and nothing of them may be left."""
    site = Site(tmp_path)
    yield site
    site.close()
