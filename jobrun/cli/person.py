"""Who acts: the name that is written down beside what a person did."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping


def person(environ: Mapping[str, str], *, uid: int) -> str:
    """Return the login name of a user; of root by sudo(8) also who that is."""
    name = _login(uid)
    asked = environ.get("SUDO_USER", "")
    return f"{asked} (as {name})" if uid == 0 and asked not in {"", name} else name


def me() -> str:
    """Return who runs this process."""
    return person(os.environ, uid=os.getuid())


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container, for one
        return f"user {uid}"
