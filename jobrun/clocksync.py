"""Whether something keeps the clock right, as the kernel was told: adjtimex(2), which changes nothing here."""

from __future__ import annotations

import ctypes

_STA_UNSYNC = 0x40
_TIME_ERROR = 5


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def is_kept() -> bool | None:
    """Say whether a time service keeps the clock in step; None where the kernel does not tell."""
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    told = _Timex()
    state = ask(ctypes.byref(told))
    if state < 0:
        return None
    return state != _TIME_ERROR and not told.status & _STA_UNSYNC
