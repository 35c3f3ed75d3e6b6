"""What is taken off a command, and above all what is not."""

from __future__ import annotations

import pytest

from jobrun.crontab.wrappers import Around, unwrap

AROUND = Around(shared_locks=frozenset({"/run/shared"}), most_jitter_s=1800)
PING = "https://hc-ping.com/5a1c-44"


@pytest.mark.parametrize(
    ("line", "command", "keys"),
    [
        ("flock -n /run/a b c", "b c", {"overlap": "skip"}),
        ("/usr/bin/flock --nonblock /run/a b 'c d'", "b 'c d'", {"overlap": "skip"}),
        ("flock -xn '/run/a b' c", "c", {"overlap": "skip"}),
        ("flock /run/a b", "b", {"overlap": "queue"}),
        ("flock -x /run/a b", "b", {"overlap": "queue"}),
        ("flock -n /run/a -c 'b; c | d'", "b; c | d", {"overlap": "skip"}),
        ('flock -n /run/a -c "b \\"c\\""', 'b "c"', {"overlap": "skip"}),
        ("timeout 5m a", "a", {"timeout": "5m"}),
        ("timeout 90 a > b 2>&1", "a > b 2>&1", {"timeout": "90s"}),
        ("/usr/bin/timeout 1h a 'b'", "a 'b'", {"timeout": "1h"}),
        ("chronic a b", "a b", {}),
        ("nice a", "nice a", {}),
        ("nice -n 19 ionice -c3 a", "nice -n 19 ionice -c3 a", {}),
        ("nice -n 19 timeout 5m a", "nice -n 19 a", {"timeout": "5m"}),
        ("a >/dev/null 2>&1", "a", {"output": "discard"}),
        ("a b > /dev/null 2>&1", "a b", {"output": "discard"}),
        ("a >> /dev/null 2>&1", "a", {"output": "discard"}),
        ("a 1>/dev/null 2>/dev/null", "a", {"output": "discard"}),
        ("cd /x && a", "a", {"cwd": "/x"}),
        ('cd "/x y" && a | b && c > d', "a | b && c > d", {"cwd": "/x y"}),
        ("cd /x && timeout 9 a >/dev/null 2>&1", "a", {"cwd": "/x", "output": "discard", "timeout": "9s"}),
        ("sleep $((RANDOM % 300)); a; b", "a; b", {"jitter": "5m"}),
        ("sleep $(( RANDOM % 10 ))m && a", "a", {"jitter": "10m"}),
        ("sleep $[RANDOM % 90] ; a || b", "a || b", {"jitter": "90s"}),
        ("cd /x && sleep $((RANDOM%60)) && a", "a", {"cwd": "/x", "jitter": "1m"}),
        (f"a && curl -fsS -m 10 --retry 5 -o /dev/null {PING}", "a", {"ping": PING}),
        (f"a && curl {PING}", "a", {"ping": PING}),
        (f"a && curl {PING}/nightly-1", "a", {"ping": f"{PING}/nightly-1"}),
        (f"a | b && curl -sf '{PING}' >/dev/null 2>&1", "a | b", {"ping": PING}),
        (f"a && wget -q -O /dev/null {PING}", "a", {"ping": PING}),
        (f"a; curl -fsS {PING}/$?", "a", {"ping": PING}),
        (f'a ; curl -fsS "{PING}/$?" > /dev/null', "a", {"ping": PING}),
        (f"flock -n /run/a b && curl {PING}", "b", {"overlap": "skip", "ping": PING}),
        (
            f"cd /x && flock -n /run/a timeout 5m nice b > /dev/null 2>&1 && curl {PING}",
            "nice b",
            {"cwd": "/x", "overlap": "skip", "timeout": "5m", "output": "discard", "ping": PING},
        ),
    ],
)
def test_a_wrapper_that_is_recognised_becomes_a_key(line: str, command: str, keys: dict[str, str]) -> None:
    left = unwrap(line, AROUND)

    assert (left.command, left.keys) == (command, keys)


@pytest.mark.parametrize(
    "line",
    [
        "flock -n /run/shared a",  # another line takes this lock, too
        "flock -n lock a",  # in whatever directory
        "flock -n $HOME/lock a",
        "flock -n 9 a",
        "flock -w 5 /run/a b",
        "flock -s /run/a b",
        "flock -n /run/a b; c",  # c runs without the lock
        "flock -n /run/a b | c",
        "flock -n /run/a b &",
        "flock -n /run/a -c b c",
        "flock -n /run/a -c $B",
        "flock -n /run/a",
        "flock",
        "timeout -k 5 60 a",
        "timeout -s KILL 60 a",
        "timeout 0 a",
        "timeout 1.5h a",
        "timeout $T a",
        "timeout 5m a && b",  # b has no limit
        "timeout 5m",
        "chronic -v a",
        "chronic a; b",
        "nice -n 19 flock -n /run/a -c 'b; c'",  # nice would hold for b alone
        "a > /dev/null",
        "a 2>&1 > /dev/null",  # errors are shown
        "a > b > /dev/null 2>&1",
        "a; b > /dev/null 2>&1",
        "a | b > /dev/null 2>&1",
        "(a; b) > /dev/null 2>&1",
        "a &> /dev/null",  # a job in the background, in sh
        "a > /dev/null 2>&1 &",
        "> /dev/null 2>&1",
        "cd /x; a",
        "cd /x && a || b",
        "cd /x && a; b",
        "cd /x && a &",
        "cd x && a",
        "cd $X && a",
        "cd ~/x && a",
        "cd /x* && a",
        "cd && a",
        "cd /x &&",
        "sleep 5; a",
        "sleep $((RANDOM % 3601)); a",  # longer than half the interval
        "sleep $((RANDOM % 0)); a",
        "sleep $((RANDOM % 60 + 5)); a",
        "sleep $((RANDOM % 60)) & a",
        "sleep $((RANDOM % 60)); a &",
        "sleep $((RANDOM % 60))",
        f"a; curl {PING}",  # whether a went well or not
        f"a || curl {PING}",
        f"a && curl {PING}/$?",
        f"a && curl {PING} && b",
        f"a && curl {PING} | b",
        f"a && curl -X POST {PING}",
        f"a && curl -o /tmp/x {PING}",
        f"a && curl {PING} > /tmp/x",
        f"a && curl {PING} https://example.com",
        f"a && curl {PING}/start",
        f"a && curl {PING}/fail",
        f"a && curl {PING}/0",
        f"a && curl {PING}/x/y",
        f"curl {PING}/start; a && curl {PING}",
        f"curl {PING}",
        "a && curl https://example.com/ping",
        "a 'b",  # an open quote
        "a # flock",
        "a <<b",
        "timeout 5m a `b 'c'`",
        "",
    ],
)
def test_what_is_in_doubt_stays_as_it_is(line: str) -> None:
    left = unwrap(line, AROUND)

    assert (left.command, left.keys) == (line, {})


def test_only_bash_sends_both_outputs_away_at_once() -> None:
    assert unwrap("a &>/dev/null", Around(is_bash=True)).keys == {"output": "discard"}


def test_a_limit_that_counts_the_wait_for_a_lock_keeps_the_lock() -> None:
    left = unwrap("timeout 5m flock /run/a b", AROUND)

    assert (left.command, left.keys) == ("flock /run/a b", {"timeout": "5m"})


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("flock -n /run/a b", "keep flock if something else takes that lock"),
        ("nice a", "the table has no key"),
        ("chronic a", "chronic is not needed"),
        ("sleep $((RANDOM % 60)); a", "RANDOM is empty"),
        (f"a && curl {PING}", "at start and on failure"),
    ],
)
def test_what_is_otherwise_now_is_said(line: str, remark: str) -> None:
    [said] = unwrap(line, AROUND).remarks

    assert remark in said
