"""A program that posts what it is asked to: one JSON line a request on 0, one JSON line a result on 1.

    {"id": 7, "url": "https://monitor.example/1234", "body": "said at the end"}
    {"id": 7, "status": 200, "limit": 100000}        any status; `limit`: bytes of a body that are kept there
    {"id": 7, "error": "no answer within 10 s"}

A process of its own: what TLS and HTTP load, and a server that is slow, stay away from those who
have the store open. Results come in any order, and who asks decides how many are under way. It ends
when 0 is closed and nothing is under way.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import sys
import threading
import time
from typing import Any
from urllib.error import URLError
from urllib.parse import urljoin
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from jobrun import __version__

TIMEOUT_S = 10.0  # of one step: to connect, or to wait for more
LONGEST_S = 30.0  # of all steps, once nobody asks any more
MOST_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": f"jobrun/{__version__}", "Content-Type": "text/plain; charset=utf-8"}


def main() -> None:
    """Serve until nobody asks any more."""
    opener = _opener()
    for line in sys.stdin.buffer:
        threading.Thread(target=_serve, args=(opener, json.loads(line)), daemon=True).start()
    end_at = time.monotonic() + LONGEST_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(max(end_at - time.monotonic(), 0))


def _opener() -> OpenerDirector:
    """Return what speaks HTTP and HTTPS, by the proxies that the environment names, and nothing else.

    It neither follows redirects nor takes any status for an error: `urllib` would ask again by GET,
    without the body, after it has read all that the first server has to say.
    """
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(context=ssl.create_default_context())):
        opener.add_handler(handler)
    return opener


def _serve(opener: OpenerDirector, request: dict[str, Any]) -> None:
    try:
        answer = _post(opener, request["url"], request["body"].encode())
    except Exception as error:  # noqa: BLE001 -- a server may say anything, and each request needs its result
        answer = {"error": _in_words(error)}
    line = json.dumps({"id": request["id"], **answer}) + "\n"
    with contextlib.suppress(BrokenPipeError):  # who asked is gone
        os.write(1, line.encode())  # all at once, for it is shorter than PIPE_BUF (pipe(7))


def _post(opener: OpenerDirector, url: str, body: bytes) -> dict[str, Any]:
    for _ in range(1 + MOST_REDIRECTS):
        request = Request(url, data=body, headers=_HEADERS, method="POST")  # noqa: S310 -- no other handlers
        response = opener.open(request, timeout=TIMEOUT_S)
        if response is None:
            return {"error": "neither http nor https"}
        with response:
            target = response.headers["Location"]
            if response.status not in _REDIRECTS or target is None:
                limit = response.headers["Ping-Body-Limit"] or ""
                return {"status": response.status} | ({"limit": int(limit)} if _is_number(limit) else {})
        url = urljoin(url, target)
    return {"error": f"redirected more than {MOST_REDIRECTS} times"}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _in_words(error: Exception) -> str:
    """Say what went wrong without any part of the address, which is a secret."""
    reason = error.reason if isinstance(error, URLError) else error
    match reason:
        case TimeoutError():
            return f"no answer within {TIMEOUT_S:.0f} s"
        case ssl.SSLCertVerificationError():
            return f"bad certificate: {reason.verify_message}"
        case OSError():
            return (reason.strerror or type(reason).__name__)[:200]
        case _:
            return type(reason).__name__


if __name__ == "__main__":
    main()
