"""Messages come out as they went in, whole and in order, however large."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.model import (
    COMMON_TERMS,
    Added,
    Ending,
    ErrorInfo,
    Kind,
    Leftovers,
    NewJob,
    OnCrash,
    Outcome,
    Output,
    State,
    Surroundings,
    Terms,
)
from jobrun.units import from_ms
from jobrun.wire.channel import LARGEST_PACKET, Channel, Unreadable, attach, pair
from jobrun.wire.messages import (
    Answer,
    Ask,
    Drained,
    Ended,
    Gone,
    Greeting,
    Hello,
    Hired,
    Kill,
    Leave,
    Message,
    Noted,
    Nudge,
    Opened,
    Run,
    Settled,
    Shutdown,
    Stop,
    Why,
)
from jobrun.wire.packing import pack, unpack

numbers = st.integers(-(2**63), 2**63 - 1)
names = st.text(max_size=20)
floats = st.floats(allow_nan=False, allow_infinity=False)
instants = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)
values = st.recursive(
    st.none() | st.booleans() | numbers | floats | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
keywords = st.dictionaries(names, values, max_size=3)
environments = st.dictionaries(names, names, max_size=3)
outputs = st.builds(Output, head=st.binary(max_size=50), tail=st.binary(max_size=50), size=st.integers(0))
errors = st.builds(ErrorInfo, type=names, message=names, traceback=st.none() | names)
endings = st.builds(
    Ending,
    outcome=st.sampled_from(Outcome),
    began_at=st.none() | instants,
    took_s=st.none() | floats,
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    cause=st.none() | names,
    result=st.none() | names,
    error=st.none() | errors,
    retry_in_s=st.none() | floats,
    is_permanent=st.booleans(),
    is_skip=st.booleans(),
    cpu_s=st.none() | floats,
    peak_rss=st.none() | numbers,
    output=outputs,
)
codes = st.lists(st.integers(0, 255), max_size=3).map(tuple)
terms = st.just(COMMON_TERMS) | st.builds(
    Terms,
    stdin=st.none() | names,
    ok_exit=codes,
    skip_exit=codes,
    no_retry_exit=codes,
    discards_output=st.booleans(),
    leftovers=st.sampled_from(Leftovers),
    is_catchup=st.booleans(),
    isolate=st.booleans(),
    ping=st.none() | names,
)
new_jobs = st.builds(
    NewJob,
    kind=st.sampled_from(Kind),
    task=names,
    args=st.lists(values, max_size=3).map(tuple),
    kwargs=keywords,
    priority=numbers,
    run_at=st.none() | instants,
    expires_at=st.none() | instants,
    retries=numbers,
    backoff_s=floats,
    timeout_s=st.none() | floats,
    key=st.none() | names,
    tags=st.lists(names, max_size=2).map(tuple),
    on_crash=st.sampled_from(OnCrash),
    surroundings=st.none() | st.builds(Surroundings, cwd=names, umask=numbers, environment=environments),
    deadline_s=st.none() | floats,
    entry=st.none() | names,
    scheduled_for=st.none() | instants,
    terms=terms,
)
added = st.builds(Added, id=numbers, state=st.sampled_from(State), run_at=instants, is_new=st.booleans())
runs = st.builds(
    Run,
    token=names,
    job_id=numbers,
    attempt=numbers,
    max_attempts=numbers,
    kind=st.sampled_from(Kind),
    task=names,
    args=st.lists(values, max_size=3),
    kwargs=keywords,
    queue=names,
    name=st.none() | names,
    grace_s=floats,
    cwd=st.none() | names,
    umask=st.none() | numbers,
    environment=environments,
    variables=environments,
    terms=terms,
)
messages = st.one_of(
    runs,
    st.builds(Ended, token=names, ending=endings, pid=st.none() | numbers),
    st.builds(Ask, number=numbers, jobs=st.lists(new_jobs, max_size=2)),
    st.builds(Answer, number=numbers, added=st.lists(added, max_size=2), error=st.none() | names),
    st.builds(Stop, token=names, why=st.sampled_from(Why)),
    st.builds(Hello, generation=numbers, unsettled=st.lists(names, max_size=2)),
    st.builds(Greeting, generation=numbers),
    st.builds(Hired, name=names, number=numbers, pid=numbers, started_at=numbers),
    st.builds(
        Gone,
        name=names,
        status=numbers,
        begun=st.lists(names, max_size=3),
        cpu_s=floats,
        peak_rss=numbers,
        out_of_memory=st.none() | st.booleans(),
    ),
    st.builds(Shutdown, hurry=st.booleans()),
    st.builds(Settled, tokens=st.lists(names, max_size=3)),
    st.builds(Noted, name=names),
    st.builds(Nudge, name=names),
    st.builds(Kill, name=names),
    st.sampled_from([Leave(), Opened(), Drained()]),
)


@given(messages)
def test_every_message_comes_out_as_it_went_in(message: Message) -> None:
    assert unpack(pack(message)) == message


@given(st.binary(max_size=300))
def test_every_byte_of_an_output_comes_out_as_it_went_in(printed: bytes) -> None:
    ended = Ended(
        token="t", ending=Ending(outcome=Outcome.OK, output=Output(head=printed, size=len(printed)))
    )

    assert unpack(pack(ended)) == ended


def test_an_instant_keeps_its_milliseconds() -> None:
    ask = Ask(number=1, jobs=[NewJob(kind=Kind.CALL, task="a:f", run_at=from_ms(1_234))])

    assert unpack(pack(ask)) == ask


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Channel, Channel]]:
    left, right = pair(tmp_path)
    yield left, right
    left.close()
    right.close()


Ends = tuple[Channel, Channel]


def large(size: int) -> Settled:
    """Return a message whose packet has a size."""
    return Settled(tokens=["x" * (size - len(pack(Settled(tokens=[""]))))])


def test_nothing_is_received_while_nothing_was_sent(ends: Ends) -> None:
    assert ends[0].receive() is None


@pytest.mark.parametrize("size", [100, LARGEST_PACKET - 1, LARGEST_PACKET, LARGEST_PACKET + 1, 3_000_000])
def test_a_message_of_any_size_arrives_and_leaves_no_file(ends: Ends, tmp_path: Path, size: int) -> None:
    left, right = ends
    message = large(size)

    left.send(message)
    spooled = list(tmp_path.iterdir())
    received = right.receive()

    assert received == message
    assert len(spooled) == (size > LARGEST_PACKET)
    assert list(tmp_path.iterdir()) == []


def test_a_spooled_message_can_be_read_by_its_owner_alone(ends: Ends, tmp_path: Path) -> None:
    before = os.umask(0)
    ends[0].send(large(100_000))
    os.umask(before)

    [spooled] = tmp_path.iterdir()
    assert spooled.stat().st_mode & 0o777 == 0o600


def test_what_finds_no_room_is_kept_and_arrives_in_order(ends: Ends) -> None:
    left, right = ends
    sent = [Settled(tokens=[f"{number:04}" + "x" * 5000]) for number in range(400)]

    for message in sent:
        left.send(message)
    assert not left.flush()
    received: list[Message] = []
    while len(received) < len(sent):
        left.flush()
        while (message := right.receive()) is not None:  # type: ignore[assignment]
            received.append(message)

    assert received == sent
    assert left.flush()


def test_a_descriptor_travels_with_its_message(ends: Ends, tmp_path: Path) -> None:
    left, right = ends
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own_end = Channel(ours, tmp_path)

    left.send(Hired(name="w", number=1, pid=2, started_at=3), descriptors=[theirs.fileno()])
    theirs.close()
    assert isinstance(right.receive(), Hired)
    passed = attach(right.take_descriptor(), tmp_path)
    own_end.send(Leave())

    assert passed.receive() == Leave()
    assert not os.get_inheritable(passed.fileno())
    passed.close()
    own_end.close()


def test_the_end_of_the_other_process_is_an_end_of_file(ends: Ends) -> None:
    left, right = ends
    left.send(Leave())
    left.close()

    assert right.receive() == Leave()
    with pytest.raises(EOFError):
        right.receive()
    with pytest.raises(EOFError):
        right.send(Leave())
    with pytest.raises(EOFError):
        right.send(Leave(), descriptors=[right.fileno()])


def test_who_hangs_up_still_hears(ends: Ends) -> None:
    left, right = ends

    left.hang_up()
    right.send(Drained())

    assert left.receive() == Drained()
    with pytest.raises(EOFError):
        right.receive()


def test_what_the_spool_has_no_room_for_is_kept_and_sent_once_it_has(ends: Ends, tmp_path: Path) -> None:
    left, right = ends
    sent = [large(100_000), Settled(tokens=["next"])]
    away = tmp_path.with_name("away")
    tmp_path.rename(away)

    for message in sent:
        left.send(message)
    assert not left.flush()
    assert right.receive() is None
    away.rename(tmp_path)

    assert left.flush()
    assert [right.receive(), right.receive()] == sent


def test_a_message_whose_file_is_gone_is_told_apart_from_an_end(ends: Ends, tmp_path: Path) -> None:
    left, right = ends
    left.send(large(100_000))
    left.send(Settled(tokens=["next"]))
    for path in tmp_path.iterdir():
        path.unlink()

    with pytest.raises(Unreadable):
        right.receive()
    assert right.receive() == Settled(tokens=["next"])


@pytest.mark.parametrize(
    "packet",
    [
        *(
            b"junk",
            b"\xff",
            b"[]",
            b"5",
            b'["Nobody", []]',
            b'["Ended", {}]',
            b'["Ended", ["t", 5]]',
            b"[" * 9999,
        ),
        *(
            b'["Run", []]',
            b'["Answer", [1, [[1, "gone", 5, true]]]]',
            b'["Answer", [1, [[1, "ready", 1e300, true]]]]',
        ),
        *(b"file:", b"file:\0", b"file:\xff", b"file:../kept", b"x" * (LARGEST_PACKET + 1)),
    ],
    ids=lambda packet: repr(packet[:40]),
)
def test_what_a_task_writes_to_a_channel_is_told_apart_from_a_message(packet: bytes, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(pack(Leave()))
    spool = tmp_path / "spool"
    spool.mkdir()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        channel = Channel(ours, spool)
        theirs.send(packet)
        theirs.send(pack(Leave()))

        with pytest.raises(Unreadable):
            channel.receive()
        assert channel.receive() == Leave()
        channel.close()
    assert kept.exists()
