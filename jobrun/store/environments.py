"""The environments of callers: each distinct one is kept once. Loads no json, since `enqueue` stands in loops."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from jobrun.store.database import Database


def json_text(text: str) -> str:
    """Return a text as JSON, as `rows.compact` does."""
    if text.isascii() and text.isprintable():
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    import json  # noqa: PLC0415 -- most variables are plain

    return json.dumps(text)


def keep_environment(database: Database, environment: Mapping[str, str]) -> str:
    """Store an environment, within a transaction, unless it is there, and return its hash."""
    text = (
        f"{{{','.join(f'{json_text(name)}:{json_text(environment[name])}' for name in sorted(environment))}}}"
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    database.change(
        "INSERT OR IGNORE INTO environments (hash, variables) VALUES (:hash, :variables)",
        {"hash": digest, "variables": text},
    )
    return digest
