"""What a person is not shown unless they ask for it: values under a name that says that they are secret.

It goes by the name alone, and only where we print arguments and results; `--json` is exact. This stands on the
straight way of `enqueue`, so it loads nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HIDDEN = "[hidden]"
_ANYWHERE = ("password", "passwd", "passphrase", "secret", "authorization", "credential")
_AT_THE_END = (
    *("token", "cookie", "cookies", "pwd", "bearer", "jwt"),
    *("apikey", "accesskey", "authkey", "privatekey", "signingkey", "encryptionkey", "sshkey"),
)


def is_secret(name: str) -> bool:
    """Say whether a name is that of a secret. A bare `key` is not: most are those of caches, rows and files.

    >>> [is_secret(name) for name in ("DB_PASSWORD", "api-key", "accessToken", "key", "max_tokens")]
    [True, True, True, False, False]
    """
    bare = name.lower().replace("_", "").replace("-", "")
    return bare.endswith(_AT_THE_END) or any(word in bare for word in _ANYWHERE)


def veiled(value: Any) -> Any:
    """Return a JSON value with `HIDDEN` in place of what stands under the name of a secret.

    >>> veiled({"user": "ann", "auth": [{"token": "t0p", "cookie": None}]})
    {'user': 'ann', 'auth': [{'token': '[hidden]', 'cookie': None}]}
    """
    if isinstance(value, dict):
        return {name: _veiled_under(name, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [veiled(inner) for inner in value]
    return value


def _veiled_under(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):  # whether there is one is no secret
        return value
    return HIDDEN if is_secret(name) else veiled(value)
