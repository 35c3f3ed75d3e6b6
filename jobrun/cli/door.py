"""The door of the command line: what every command needs before it starts and after it ends.

`enqueue` and `exec` go to a parser of our own and never load typer, which costs more than the commit itself;
plain words of `enqueue` take a straight way that loads hardly anything.
Whatever goes wrong is answered here: a person's mistake in one line, a bug with its traceback. Who asks for
`health` is a monitor: it hears on standard output that nothing is known.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable

from jobrun import __version__
from jobrun.errors import UNCHANGED, JobrunError, NotDone, UsageError
from jobrun.trouble import around_us  # here, for later there may be no descriptor to load it with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

BUG = 70
UNKNOWN = 3  # of monitoring plugins, whatever went wrong
PROBE = "health"
INTERRUPTED = 130
BROKEN_PIPE = 141
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # no file named: it was the output


def run(argv: list[str]) -> int:
    """Answer one command line and return its exit code; nothing is raised."""
    closed = _open_standard_descriptors()
    try:
        _prepare_streams(is_closed=1 in closed)
        words, db = _take_db(_as_utf8(argv))
        code = _dispatch(words, db)
        _flush()
    except JobrunError as error:
        return _tell(error, argv)
    except KeyboardInterrupt:
        return _quietly(INTERRUPTED)
    except BrokenPipeError:
        return _quietly(BROKEN_PIPE)
    except SystemExit as leave:  # of a process that was forked in here and ends its own way
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except Exception as error:  # noqa: BLE001 -- the last place that can say what it is
        fault = _fault_around_us(error)
        return _bug(error, argv) if fault is None else _tell(fault, argv)
    return code


def _dispatch(words: list[str], db: str | None) -> int:
    if words == ["--version"]:
        sys.stdout.write(f"jobrun {__version__}\n")
        return 0
    if words[:1] == ["help"]:
        return _dispatch([*words[1:], "--help"], db)
    if words[:1] == ["enqueue"]:
        try:
            return _enqueue(words[1:], db)
        except JobrunError as error:
            error.message = error.message.replace(UNCHANGED, ": the job was NOT queued")
            raise
    if words[:1] == ["exec"]:
        from jobrun.cli.executing import run as execute  # noqa: PLC0415 -- it stands in crontabs, and is to be quick

        return execute(words[1:], _path(db))
    from jobrun.cli.app import run as others  # noqa: PLC0415 -- typer is loaded for them alone

    return others(words, _path(db))


def _enqueue(words: list[str], db: str | None) -> int:
    from jobrun.cli.straight import run as straight  # noqa: PLC0415 -- only here

    if straight(words, db):
        return 0
    from jobrun.cli.enqueue import run as enqueue  # noqa: PLC0415 -- only here

    return enqueue(words, _path(db))


def _path(db: str | None) -> Path | None:
    from pathlib import Path  # noqa: PLC0415 -- the straight way does without

    return None if db is None else Path(db)


def _take_db(words: list[str]) -> tuple[list[str], str | None]:
    """Take `--db PATH` out of the words, wherever it stands before `--`."""
    named: str | None = None
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            kept += [word, *rest]
        elif word == "--db" or word.startswith("--db="):
            if named is not None:
                raise UsageError("--db is given twice")
            named = word[5:] if "=" in word else next(rest, "")
            if not named:
                raise UsageError("--db needs a PATH", hint="as in `jobrun --db PATH status`")
        else:
            kept.append(word)
    return kept, None if named is None else os.fsdecode(named.encode())


def _as_utf8(argv: list[str]) -> list[str]:
    """Return the words as the caller's bytes mean them, whatever the locale says."""
    return [word if word.isascii() else _decoded(word, n) for n, word in enumerate(argv, start=1)]


def _decoded(word: str, number: int) -> str:
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        shown = os.fsencode(word).decode(errors="backslashreplace")
        raise UsageError(f"argument {number} is not valid UTF-8: `{shown}`") from None


def _before_dashes(argv: list[str]) -> list[str]:
    return argv[: argv.index("--")] if "--" in argv else argv


def _open_standard_descriptors() -> set[int]:
    """Open what is closed of 0, 1 and 2, or the job file would get the number and the text meant for it."""
    closed = set()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            closed.add(number)
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    return closed


def _prepare_streams(*, is_closed: bool) -> None:
    """Let nothing fail because a locale lacks a character; refuse to work for nobody.

    Remarks on a closed standard error go where `_open_standard_descriptors` made them go.
    """
    if sys.stdout is None:  # closed, or the interpreter could not find out
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False))
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if is_closed:
        raise NotDone("cannot write output: standard output is closed")


def _tell(error: JobrunError, argv: list[str]) -> int:
    """Say what is wrong in one line, with details and at most one hint, and return the exit code."""
    as_json, is_probe = "--json" in _before_dashes(argv), _is_probe(argv)
    if is_probe:
        error.exit_code = UNKNOWN
    lines = [] if is_probe and not as_json else [f"jobrun: {error.message}"]
    lines += [*error.details, *(() if error.hint is None else [f"hint: {error.hint}"])]
    told = "".join(f"{part}\n" for line in lines for part in _fitted(_safe(line)))
    if is_probe and not as_json:
        _tell_monitor(error.message)
    _whatever_happens(lambda: sys.stderr.write(told))
    if as_json:
        _whatever_happens(lambda: _write_as_json(error))
    return _quietly(error.exit_code)


def _is_probe(argv: list[str]) -> bool:
    """Say whether the first word that is neither an option nor the value of --db is `health`."""
    rest = iter(argv)
    for word in rest:
        if word == "--db":
            next(rest, None)
        elif not word.startswith("-"):
            return word == PROBE
    return False


def _tell_monitor(message: str) -> None:
    """Say in a line of a monitoring plugin, where a bar begins what is drawn, that nothing is known."""
    line = _safe(f"UNKNOWN - {message}").replace("|", "\\x7c")
    _whatever_happens(lambda: sys.stdout.write(f"{line}\n"))


def _write_as_json(error: JobrunError) -> None:
    from jobrun.cli.jsonout import dump, error_object  # noqa: PLC0415 -- for programs only

    sys.stdout.write(dump(error_object(error)) + "\n")


def _fitted(line: str) -> list[str]:
    """Return the lines of one that a terminal would break within a word, if what counts its cells can be loaded."""
    if not sys.stderr.isatty():
        return [line]
    try:
        from jobrun.cli.render import folded_for_terminal  # noqa: PLC0415 -- most commands go well
    except (OSError, ImportError, MemoryError):
        return [line]
    return folded_for_terminal(line)


def _safe(line: str) -> str:
    """Return a line harmless for a terminal, also where nothing can be loaded any more."""
    try:
        from jobrun.cli.safe import safe_line  # noqa: PLC0415 -- most commands go well
    except (OSError, ImportError, MemoryError):
        return ascii(line)[1:-1]  # a codec would have to be loaded
    return safe_line(line)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NotDone(f"cannot write output: {error.strerror}") from None


def _fault_around_us(error: Exception) -> JobrunError | None:
    """Return what only the system around us can mend, and which may come up anywhere; None for a bug."""
    if isinstance(error, OSError) and error.filename is None:
        if error.errno in NO_ROOM:
            return NotDone(f"cannot write output: {error.strerror}")
        if error.errno == errno.ENOENT:  # of getcwd
            hint = "change to one that does"
            return UsageError("the working directory does not exist any more", hint=hint)
    return around_us(error)


def _bug(error: Exception, argv: list[str]) -> int:
    """Answer what nobody foresaw."""
    from traceback import print_exception  # noqa: PLC0415 -- for bugs only

    _whatever_happens(lambda: print_exception(error))
    name, told = type(error).__name__, " ".join(str(error).split())
    _whatever_happens(lambda: sys.stderr.write(f"jobrun: internal error, {name}: {told}; this is a bug\n"))
    _whatever_happens(lambda: sys.stderr.write("hint: please report it with the lines above\n"))
    if not _is_probe(argv):
        return _quietly(BUG)
    _tell_monitor(f"internal error, {name}: {told}")
    return _quietly(UNKNOWN)


def _quietly(code: int) -> int:
    """Return the code; what stdout or stderr cannot be rid of will not be complained about at exit."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        if stream is not None and not _whatever_happens(stream.flush):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return code


def _whatever_happens(write: Callable[[], object]) -> bool:
    """Try to write, and say whether it went well; there is nobody left to tell."""
    try:
        write()
    except (OSError, ValueError, AttributeError):  # full, closed, or None
        return False
    return True
