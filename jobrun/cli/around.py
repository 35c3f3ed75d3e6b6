"""Where a command of the caller would run: its directory, umask and environment.

Bytes that are not UTF-8 are kept as lone surrogates (PEP 383), whatever the locale.
"""

from __future__ import annotations

import os

from jobrun.errors import UsageError

_OF_THE_SESSION = frozenset({"TERM", "DISPLAY", "WAYLAND_DISPLAY", "_", "SHLVL", "OLDPWD"})
_FAMILIES_OF_THE_SESSION = ("SSH_", "BASH_FUNC_", "JOBRUN_")


def directory() -> str:
    """Return the working directory, or raise `UsageError` if it is gone."""
    try:
        return _text(os.getcwdb())
    except FileNotFoundError:
        hint = "change to one that does; the command would run there"
        raise UsageError("the working directory does not exist any more", hint=hint) from None


def umask() -> int:
    """Return the umask without setting it, which for a moment would hold for every thread."""
    with open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def environment() -> dict[str, str]:
    """Return the environment without what belongs to the session."""
    variables = {_text(name): _text(value) for name, value in os.environb.items()}
    return {name: value for name, value in variables.items() if not _is_of_the_session(name)}


def _is_of_the_session(name: str) -> bool:
    return name in _OF_THE_SESSION or name.startswith(_FAMILIES_OF_THE_SESSION)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
