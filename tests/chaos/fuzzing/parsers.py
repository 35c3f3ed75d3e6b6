"""What reads words, JSON, times, schedules, tables and messages: thousands of inputs a second."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from bench import oracle
from jobrun.cli import batch
from jobrun.cli.asking import Caller
from jobrun.cli.plain import plain
from jobrun.cli.words import parse
from jobrun.cron.occurrences import next_occurrence
from jobrun.cron.schedule import parse_schedule
from jobrun.cron.words import Expression
from jobrun.errors import JobrunError, UsageError
from jobrun.model import Surroundings
from jobrun.payload import parse_json
from jobrun.store.rows import compact
from jobrun.table import read_table
from jobrun.units import format_duration, parse_duration, parse_size
from jobrun.when import parse_when
from jobrun.wire.channel import Channel, Unreadable
from jobrun.wire.packing import pack
from tests.chaos.fuzzing import grammar
from tests.chaos.fuzzing.kinds import Kind
from tests.chaos.fuzzing.spoil import odd, spoilt

NOW = datetime(2027, 3, 13, 17, 30, tzinfo=UTC)  # the night before a change of the clocks
ZONE = ZoneInfo("America/New_York")
SLOWEST_S = 0.05  # CPU time of one answer about a schedule
ORACLE = 20  # cases in one input of the oracle
_AROUND = Surroundings(cwd="/", umask=0o022, environment={})
_EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "jobs.toml"


def kinds(folder: Path) -> list[Kind]:
    return [
        Kind("words of enqueue", grammar.enqueue_words, _words),
        Kind("JSON texts", grammar.json_text, _json),
        Kind("lines of a batch", grammar.batch_line, _line),
        Kind("times", grammar.when_text, _time),
        Kind("schedules", grammar.schedule_text, _schedule),
        Kind("schedules, by an oracle", Random.random, _oracle, counts_as=ORACLE),
        Kind("tables", partial(_spoilt_table, _EXAMPLE.read_text()), partial(_table, folder), slice_s=0.3),
        Kind("messages", partial(_spoilt_packet, grammar.messages()), _Receiver(folder).meet),
    ]


def _caller() -> Caller:
    return Caller(now=NOW, zone=lambda: ZONE, surroundings=lambda: _AROUND, read=_no_file)


def _no_file(_source: str) -> str:
    raise UsageError("there are no files here")


def _words(words: list[str]) -> str | None:
    is_plain = plain(words) is not None
    try:
        parse(words, _caller())
    except UsageError as error:
        return f"plain words are refused: {error.message}" if is_plain else None
    return None


def _json(text: str) -> str | None:
    try:
        value = parse_json(text, "--args")
    except UsageError:
        return None
    again = parse_json(compact(value), "--args")
    return None if again == value == json.loads(text) else f"read as {value!r}, written as {again!r}"


def _line(line: str) -> str | None:
    with contextlib.suppress(UsageError):
        batch.parse([line], {}, _caller())
    return None


def _time(text: str) -> str | None:
    for read in (partial(parse_when, is_past=False), partial(parse_when, is_past=True)):
        try:
            instant = read(text, NOW, ZONE)
        except UsageError:
            continue
        if instant.tzinfo is None or not 1970 <= instant.astimezone(UTC).year <= 2200:
            return f"is {instant!r}"
    try:
        seconds = parse_duration(text)
    except UsageError:
        seconds = 0.0
    if not 0 <= seconds < 1e11 or (seconds >= 1 and not format_duration(seconds)):
        return f"is {seconds} s"
    try:
        return None if parse_size(text) >= 0 else "a negative size"
    except UsageError:
        return None


def _schedule(text: str) -> str | None:
    begun = time.process_time()
    try:
        schedule = parse_schedule(text, name="a", seed="b")
    except UsageError:
        schedule = None
    if isinstance(schedule, Expression):
        zone = ZoneInfo(oracle.ZONES[len(text) % len(oracle.ZONES)])
        found = next_occurrence(schedule, zone, NOW)
        if found is not None and found.at <= NOW:
            return f"runs again at {found.at}, which is not later than {NOW}"
    took = time.process_time() - begun
    if took > SLOWEST_S and all(_again(text) > SLOWEST_S for _ in range(3)):
        return f"took {took * 1000:.0f} ms"
    return None


def _again(text: str) -> float:
    begun = time.process_time()
    try:
        schedule = parse_schedule(text, name="a", seed="b")
        if isinstance(schedule, Expression):
            next_occurrence(schedule, ZONE, NOW + timedelta(days=1))
    except UsageError:
        pass
    return time.process_time() - begun


def _oracle(seed: float) -> str | None:
    tally = oracle.compare(str(seed), ORACLE)
    return None if not tally.others else f"{len(tally.others)} differences: {tally.others[0]}"


def _spoilt_table(text: str, dice: Random) -> str:
    if dice.random() < 0.5:
        return str(spoilt(dice, text, lambda dice: dice.choice([odd(dice), grammar.table_line(dice)])))
    lines = text.splitlines(keepends=True)
    return "".join(spoilt(dice, lines, lambda dice: [grammar.table_line(dice)]))


def _table(folder: Path, text: str) -> str | None:
    path = folder / "spoilt.toml"
    path.touch(mode=0o600)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    try:
        read_table(path, local=ZONE, local_name=str(ZONE), environ={})
    except JobrunError as error:
        if error.exit_code not in {2, 5} or not error.message:
            return f"exit {error.exit_code}: {error.message}"
        long = [line for line in (error.message, *error.details) if len(line) > 1000]
        return f"a line of {len(long[0])} characters" if long else None
    return None


def _spoilt_packet(messages: list[Any], dice: Random) -> bytes:
    packet = pack(dice.choice(messages))
    if dice.random() < 0.3:
        found = json.loads(packet)
        values = found[1] or [0]
        values[dice.randrange(len(values))] = dice.choice(
            [None, 5, -1e300, "x", [], {}, [[]], {"a": 1}, 10**40]
        )
        return json.dumps([*found[:1], values[: dice.randrange(len(values) + 1)]]).encode()
    return bytes(spoilt(dice, packet, lambda dice: odd(dice).encode("utf-8", "surrogateescape")))


class _Receiver:
    """One end of a channel, whose other end writes whatever it likes."""

    def __init__(self, folder: Path) -> None:
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = Channel(ours, folder)

    def meet(self, packet: bytes) -> str | None:
        if not packet:
            return None  # for the kernel it is the end
        self._theirs.send(packet[:100_000])
        try:
            return None if self._channel.receive() is not None else "nothing came"
        except Unreadable:
            return None
