"""From `pkg.mod:func` to a function that may be called."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from jobrun.errors import meant

_GENERATES = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class BadTarget(Exception):
    """The target cannot be called; `type` says as which error it is recorded."""

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(message)
        self.type_name = type_name


def resolve(task: str) -> Callable[..., Any]:
    """Import a module and return its function; import errors of the module pass through.

    Raises `BadTarget` for what is missing, a class, or nothing that can be called.
    """
    module_name, _, path = task.partition(":")
    found: Any = importlib.import_module(module_name)
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise BadTarget("AttributeError", _missing(task, found, name)) from None
    if inspect.isclass(found):
        raise BadTarget("TypeError", f"`{task}` is a class; name a function that makes and uses it")
    if not callable(found):
        raise BadTarget("TypeError", f"`{task}` is a {type(found).__name__}, not a function")
    code = getattr(found, "__code__", None)
    if code is None or code.co_flags & _GENERATES:  # functools.partial and the like are looked through
        _refuse_generator(task, found)
    return found  # type: ignore[no-any-return]


def _refuse_generator(task: str, found: object) -> None:
    if inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found):
        raise BadTarget("TypeError", f"`{task}` is a generator function; it would never run")


def _missing(task: str, holder: object, name: str) -> str:
    hint = meant(name, [n for n in dir(holder) if not n.startswith("_")])
    return f"`{task}`: there is no `{name}`" + (f"; {hint}" if hint else "")
