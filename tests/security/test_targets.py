"""What may be named as a function to call: names alone, none of Python's inner ones, and only what can be called."""

from __future__ import annotations

import pytest

from jobrun.errors import UsageError
from jobrun.requests import check_target
from jobrun.run.target import BadTarget, resolve


@pytest.mark.parametrize("target", ["m:f", "a.b.c:d.e", "_m:_f", "m1:f_2", "os:system", "m:__private"])
def test_a_target_is_two_dotted_names(target: str) -> None:
    check_target(target)


@pytest.mark.parametrize(
    "target",
    [
        *("a:__class__", "a:b.__globals__", "a:b.__globals__.c", "__main__:f", "a.__init__:f", "a:____"),
        *("a", "a:", ":f", "a:b:c", "a..b:f", ".a:f", "a:f.", "a:1f", "1a:f", "a b:f", "a:f()", "a:f[0]"),
        *(
            "a;b:f",
            "a:f\n",
            "\na:f",
            "ä:f",
            "a:f\u0301",
            "a:f\0",
            "a:\uff46",
            "a/b:f",
            "../a:f",
            "a:lambda x",
            "-a:f",
            "",
        ),
    ],
)
def test_what_is_more_than_names_is_refused(target: str) -> None:
    with pytest.raises(UsageError):
        check_target(target)


@pytest.mark.parametrize(
    "target", ["os:environ", "sys:path", "math:pi", "os:path", "collections:OrderedDict"]
)
def test_what_cannot_be_called_is_refused_by_the_worker(target: str) -> None:
    with pytest.raises(BadTarget):
        resolve(target)


def test_who_may_enqueue_may_run_anything_and_that_is_said() -> None:
    assert resolve("os:system").__name__ == "system"
