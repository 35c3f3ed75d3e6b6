"""The addresses under which a monitor is told of a job, by the protocol of healthchecks."""

from __future__ import annotations


def ping_url(url: str, event: str = "", *, rid: str | None = None) -> str:
    """Return the address for an event: `start`, `log`, `fail`, an exit code; none: all went well.

    `rid` is a UUID that joins the start of a run to its end (healthchecks.io/docs/http_api).

    >>> ping_url("https://monitor.example/1234")
    'https://monitor.example/1234'
    >>> ping_url("https://monitor.example/key/nightly?create=1", "start", rid="5f")
    'https://monitor.example/key/nightly/start?create=1&rid=5f'
    """
    address, _, query = url.partition("?")
    if event:
        address = f"{address.rstrip('/')}/{event}"
    words = [query] if query else []
    if rid is not None:
        words.append(f"rid={rid}")
    return "?".join([address, "&".join(words)] if words else [address])


def host_of(url: str) -> str:
    """Return the host that an address names: its path and its user may be secrets.

    >>> host_of("https://me:secret@monitor.example:8000/1234?create=1")
    'monitor.example:8000'
    """
    return url.partition("://")[2].partition("?")[0].partition("/")[0].rpartition("@")[2]
