"""The variables of this process, for values that are others with every job.

setenv(3) of glibc keeps every value that it was ever given, since somebody may still point to it: 140
bytes for each job, for as long as a worker lives. putenv(3) takes memory of ours instead, and what
stands there may change (environ(7)).
"""

from __future__ import annotations

import ctypes
import os

_LEAST = 64  # bytes of a place, so that a longer number needs no other one

_libc = ctypes.CDLL(None)
_libc.getenv.restype = ctypes.c_void_p


class Environ:
    """What `os.environ` shows, and what programs started from here are given."""

    def __init__(self) -> None:
        # What os.environ itself keeps: to decode and copy it for each job took longer than the job.
        self.now: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]  # noqa: SLF001
        self._places: dict[bytes, ctypes.Array[ctypes.c_char]] = {}

    def set(self, name: bytes, value: bytes) -> None:
        """Set a variable, in the place that it has had if that is large enough."""
        line = b"%b=%b" % (name, value)
        place = self._places.get(name)
        if place is None or len(line) >= len(place):
            place = ctypes.create_string_buffer(max(_LEAST, 2 * len(line)))
            place.value = line
            _libc.putenv(place)  # first: the old place is in use until then
            self._places[name] = place
        else:
            place.value = line
            if _libc.getenv(name) != ctypes.addressof(place) + len(name) + 1:
                _libc.putenv(place)  # a call has set or removed it
        self.now[name] = value

    def change_to(self, wanted: dict[bytes, bytes]) -> None:
        """Set and remove what has to be, so that these are all variables."""
        for name in self.now.keys() - wanted.keys():
            del os.environb[name]
        for name, value in wanted.items():
            if self.now.get(name) != value:
                self.set(name, value)
