"""Queues that one group has for itself, and who serves which queue."""

from __future__ import annotations

from collections.abc import Sequence


def reserved_queue(queue: str, owner: int) -> str:
    """Return where a job waits that only the group of process `owner` may take; then it is in `queue`.

    No person can give a queue such a name, and who serves all queues does not serve these.

    >>> reserved_queue("mail", 4711)
    '.4711.mail'
    """
    return f".{owner}.{queue}"


def is_reserved(queue: str) -> bool:
    """Say whether one group has a queue for itself."""
    return queue.startswith(".")


def public(queue: str) -> str:
    """Return the queue that a job is in for all others while one group has it for itself.

    >>> public(".4711.mail"), public("mail")
    ('mail', 'mail')
    """
    return queue.split(".", 2)[-1] if is_reserved(queue) else queue


def serves(served: Sequence[str], queue: str | None = None) -> bool:
    """Say whether a worker of some queues (none: of all) takes jobs of one; None: of any that people use.

    >>> serves((), "mail"), serves(("web",), "mail"), serves((".4711.mail",))
    (True, False, False)
    """
    if queue is None:
        return not served or not all(map(is_reserved, served))
    return queue in served if served else not is_reserved(queue)
