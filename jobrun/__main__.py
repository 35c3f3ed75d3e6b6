"""The command `jobrun`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C while modules load ends us without a traceback
    from jobrun.cli.door import run  # noqa: PLC0415 -- see above

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
