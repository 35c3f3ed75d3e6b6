from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from jobrun.crontab.importing import Host, Imported, imported
from jobrun.crontab.sources import of_bytes

Import = Callable[..., Imported]


@pytest.fixture
def import_text() -> Import:
    """Import a crontab that is given as text, on a host in Berlin."""

    def run(
        text: str | bytes,
        *,
        has_users: bool = False,
        user: str = "root",
        with_disabled: bool = False,
        now: datetime = datetime(2026, 6, 1, tzinfo=UTC),
    ) -> Imported:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        host = Host(user=user, local=ZoneInfo("Europe/Berlin"), local_name="Europe/Berlin", environ={})
        source = of_bytes("crontab", data, has_users=has_users)
        return imported([source], host, with_disabled=with_disabled, now=now)

    return run
