"""What a job carries: JSON that is exact, and not too much of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from jobrun.errors import UsageError
from jobrun.units import format_size

MAX_PAYLOAD = 1 << 20  # bytes of JSON
MAX_DEPTH = 100
MAX_DIGITS = 100
MAX_SHOWN = 80  # characters of a key in an error

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def parse_json(text: str, what: str) -> Any:
    """Return the value of a JSON text that is exact: no NaN, no repeated key, no lone surrogate.

    `what` names the text in the error, for example `--args`.
    """
    if len(text) > MAX_PAYLOAD:
        refuse_above_limit(len(text.encode("utf-8", "surrogatepass")))
    try:
        value = _decoder(what).decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise UsageError(f"{what} is not JSON: {where}: {error.msg.lower()}") from None
    except RecursionError:
        raise UsageError(f"{what} is nested deeper than {MAX_DEPTH}") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:  # the rest of `_walk` the decoder has done
        _walk(value, what, MAX_DEPTH)
    if "\\u" in text or not text.isascii():  # or else nothing in it is a surrogate
        _encoded(value, what)
    return value


def check_payload(args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Return the bytes that arguments take as JSON; refuse what JSON would change, and too many of them."""
    _walk(args, "arguments", MAX_DEPTH)  # no deeper than the array that holds them
    _walk(kwargs, "arguments", MAX_DEPTH)
    size = len(_encoded((args, kwargs), "an argument")) - len("[,]")
    refuse_above_limit(size)
    return size


def refuse_above_limit(size: int) -> None:
    """Refuse a payload of more than `MAX_PAYLOAD` bytes."""
    if size > MAX_PAYLOAD:
        limit = format_size(MAX_PAYLOAD)
        hint = "pass the name of a file that holds the data"
        raise UsageError(f"payload {format_size(size)} is over the limit of {limit}", hint=hint)


@lru_cache
def _decoder(what: str) -> json.JSONDecoder:
    def integer(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise UsageError(f"{what}: a number of {len(digits)} digits is too long; at most {MAX_DIGITS}")
        return int(digits)

    def fraction(digits: str) -> float:
        if len(digits) > MAX_DIGITS:
            raise UsageError(f"{what}: a number of {len(digits)} digits is too long; at most {MAX_DIGITS}")
        number = float(digits)
        if number in {float("inf"), float("-inf")}:
            raise UsageError(f"{what}: `{digits}` is too large for a number")
        return number

    def constant(name: str) -> NoReturn:
        raise UsageError(f"{what}: `{name}` is not a JSON number")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            seen: set[str] = set()
            twice = next(key for key, _ in found if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise UsageError(f"{what}: duplicate key `{twice[:MAX_SHOWN]}`")
        return made

    return json.JSONDecoder(
        parse_int=integer, parse_float=fraction, parse_constant=constant, object_pairs_hook=pairs
    )


def _walk(value: Any, what: str, depth: int) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise UsageError(f"{what}: a number is too long; at most {MAX_DIGITS} digits")
    elif isinstance(value, float):
        if not abs(value) < float("inf"):
            raise UsageError(f"{what}: `{value}` is not a JSON number")
    elif depth == 0:
        raise UsageError(f"{what} is nested deeper than {MAX_DEPTH}")
    elif isinstance(value, dict):
        _walk_object(value, what, depth)
    elif isinstance(value, list | tuple):
        for item in value:
            _walk(item, what, depth - 1)
    else:
        hint = "pass text, numbers, lists and dicts, and load the rest in the task"
        raise UsageError(f"{what}: a value of type `{type(value).__name__}` is not JSON", hint=hint)


def _walk_object(value: Mapping[Any, Any], what: str, depth: int) -> None:
    for key, item in value.items():
        if not isinstance(key, str):
            raise UsageError(f"{what}: the key `{key!r}` is not text")
        _walk(item, what, depth - 1)


def _encoded(value: Any, what: str) -> bytes:
    try:
        return _encode(value).encode()
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise UsageError(f"{what} holds a lone surrogate, U+{code:04X}") from None
