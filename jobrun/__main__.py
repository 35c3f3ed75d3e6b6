"""The command `jobrun`, and `python -m jobrun`."""

from __future__ import annotations

import sys

from jobrun.cli.door import run


def main() -> None:
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
