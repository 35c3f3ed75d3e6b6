"""cron import: a crontab becomes a table on stdout; what is to be known of it goes to stderr."""

from __future__ import annotations

import sys

from jobrun.cli import options
from jobrun.cli.place import utc_now


def import_(
    *,
    crontab: options.Crontab = None,
    is_system: options.IsSystem = False,
    user: options.CrontabUser = None,
    with_disabled: options.WithDisabled = False,
) -> int:
    """Print a crontab as a table, and whether both run at the same times.

    Nothing else is changed. The exit code is 1 if a line is left out or a run time differs.
    """
    from jobrun.cli import crontabs  # noqa: PLC0415 -- what computes times is loaded for them alone
    from jobrun.crontab.importing import imported  # noqa: PLC0415

    found = crontabs.crontabs(crontab, is_system=is_system, user=user)
    result = imported(found, crontabs.host(user), with_disabled=with_disabled, now=utc_now())
    sys.stdout.write(result.text)
    sys.stdout.flush()
    crontabs.tell(result)
    return int(bool(result.refused or result.comparison.different))
