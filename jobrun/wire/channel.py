"""One end of a socket pair (SOCK_SEQPACKET, unix(7)): whole messages, never a part of one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from jobrun.wire.messages import Message
from jobrun.wire.packing import NO_MESSAGE, pack, unpack

LARGEST_PACKET = 64 * 1024  # a short recv cuts the tail of a packet; larger messages go through a file
_SPOOLED = b"file:"
_NAME = re.compile(rb"[0-9a-f]{32}")  # of a file in the spool
_NOBODY = {errno.ENOTCONN, errno.EBADF}  # the last: a task closed what was not its own
_IS_GONE = "the other process is gone"
_GONE = {errno.EPIPE, errno.ECONNRESET, *_NOBODY}
_MOST_DESCRIPTORS = 3  # with one message
_ROOM = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)  # socket.recv_fds of Python 3.11 forgets its flags
# Plain numbers: enum members would be combined anew for each message.
_RECEIVE = int(socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
_SEND = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
_CUT = int(socket.MSG_TRUNC)


class Unreadable(Exception):
    """A message came whose file cannot be read, which its sender still has and sends when greeted; or what is none.

    A task can write whatever it likes to the descriptors of its worker.
    """


class Channel:
    """Messages to and from one other process."""

    def __init__(self, end: socket.socket, spool: Path) -> None:
        self._socket = end
        self._spool = spool
        self._outbox: deque[bytes] = deque()
        self._descriptors: deque[int] = deque()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Message, *, descriptors: Sequence[int] = ()) -> None:
        """Send now if there is room, else keep for `flush`. Raises EOFError when nobody is there.

        With descriptors nothing is kept: raises OSError when there is no room.
        """
        packet = pack(message)
        if descriptors:
            try:
                socket.send_fds(self._socket, [packet], descriptors)
            except OSError as error:
                raise _end(error) from None
            return
        self._outbox.append(packet)
        self.flush()

    def flush(self) -> bool:
        """Send what is kept, in its order; True if nothing is left. Raises EOFError when nobody is there.

        The other end may not read now, or the spool may have no room: both pass.
        """
        while self._outbox:
            packet = self._outbox[0]
            if len(packet) > LARGEST_PACKET:
                reference = self._to_file(packet)
                if reference is None:
                    return False
                packet = self._outbox[0] = reference
            try:
                self._socket.send(packet, _SEND)
            except BlockingIOError:
                return False
            except OSError as error:
                raise _end(error) from None
            self._outbox.popleft()
        return True

    def receive(self) -> Message | None:
        """Return the next message, or None if none is there.

        Raises EOFError when none will come, and `Unreadable` for one that cannot be read.
        """
        try:
            packet, ancillary, flags, _ = self._socket.recvmsg(LARGEST_PACKET, _ROOM, _RECEIVE)
        except BlockingIOError:
            return None
        except ConnectionResetError:  # it left some of ours unread; told once, before what it had sent
            return self.receive()
        except OSError as error:
            if error.errno not in _NOBODY:
                raise
            packet, ancillary, flags = b"", [], 0
        for _, _, data in ancillary:
            self._descriptors += array("i", data)
        if not packet:
            raise EOFError(_IS_GONE)
        if flags & _CUT:
            raise Unreadable("what came is no message: it is larger than the largest")
        if packet.startswith(_SPOOLED):
            packet = self._from_file(packet)
        return _understood(packet)

    def take_descriptor(self) -> int:
        """Return the next of the descriptors that came with the message just received."""
        return self._descriptors.popleft()

    def take_unsent(self) -> Message | None:
        """Return the next message that there was no room for, which will not be sent; None if all were.

        Raises `Unreadable` for one that cannot be read.
        """
        if not self._outbox:
            return None
        packet = self._outbox.popleft()
        return _understood(self._from_file(packet) if packet.startswith(_SPOOLED) else packet)

    def hang_up(self) -> None:
        """Say that nothing more will come, and go on listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    def _to_file(self, packet: bytes) -> bytes | None:
        """Write a packet into the spool and return what names it there; None if there is no room."""
        path = self._spool / secrets.token_hex(16)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(packet)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return _SPOOLED + path.name.encode()

    def _from_file(self, packet: bytes) -> bytes:
        # Read once and removed: the sender still has what it sent until it hears that it is settled.
        name = packet.removeprefix(_SPOOLED)
        if _NAME.fullmatch(name) is None:  # elsewhere nothing is read, nor removed
            raise Unreadable(f"what came is no message: `{name[:80]!r}` names no file of the spool")
        path = self._spool / name.decode()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise Unreadable(f"cannot read a message in `{path}`: {error.strerror}") from None
        path.unlink(missing_ok=True)
        return content


def _end(error: OSError) -> Exception:
    """Return what is raised for an error of sending: to nobody is the same as hearing that nobody is there."""
    return EOFError(_IS_GONE) if error.errno in _GONE else error


def _understood(packet: bytes) -> Message:
    try:
        return unpack(packet)
    except NO_MESSAGE as error:
        raise Unreadable(f"what came is no message: {type(error).__name__}, `{packet[:80]!r}`") from None


def pair(spool: Path) -> tuple[Channel, Channel]:
    """Return two connected ends."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(left, spool), Channel(right, spool)


def attach(descriptor: int, spool: Path) -> Channel:
    """Return the end that a descriptor from another process stands for."""
    return Channel(socket.socket(fileno=descriptor), spool)
