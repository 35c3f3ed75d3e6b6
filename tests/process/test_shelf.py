"""A finished job stays finished, though nobody could write that down before its whole group was killed."""

from __future__ import annotations

import os
import signal

import pytest

from jobrun.model import Ending, Outcome, State
from jobrun.wire import shelf
from jobrun.wire.messages import Ended
from tests.process.site import Site, eventually, kill

pytestmark = pytest.mark.process

LINE = 'echo "S $JOBRUN_ID $JOBRUN_ATTEMPT" >> "$LEDGER"; read go < "$HOLD"; echo "E $JOBRUN_ID" >> "$LEDGER"'


def hold(site: Site) -> str:
    """Return a line that begins, and ends when the pipe is written to."""
    pipe = site.folder / "hold"
    os.mkfifo(pipe)
    return f"HOLD={pipe}; {LINE}"


def let_go(site: Site) -> None:
    (site.folder / "hold").write_text("go\n")


def test_an_ending_that_nobody_settled_is_applied_after_the_death_of_its_group(site: Site) -> None:
    job = site.shell(hold(site))
    group = site.start(n=1)
    site.runs(job)
    group.freeze(group.dispatcher())
    let_go(site)
    token = site.job(job).token or ""
    eventually((site.side / "spool" / shelf.name(token)).exists)

    group.kill_all()
    site.burst(n=1)

    assert (site.job(job).state, site.job(job).attempt) == (State.SUCCEEDED, 1)
    assert site.last(job).ending.outcome is Outcome.OK
    assert site.effects() == {f"S {job} 1": 1, f"E {job}": 1}
    assert site.strays() == []


def test_an_ending_that_a_dispatcher_took_with_it_is_found_though_its_worker_died_too(site: Site) -> None:
    job = site.shell(hold(site))
    group = site.start(n=1)
    [worker] = group.workers()
    site.runs(job)
    token = site.job(job).token or ""
    group.freeze(worker)
    # What the worker would have written, had it not been heard for half a second.
    shelf.put(site.side / "spool", Ended(token=token, ending=Ending(outcome=Outcome.OK, exit_code=0)))
    kill(worker)

    assert site.wait(job).state is State.SUCCEEDED
    assert site.job(job).attempt == 1
    eventually(lambda: not (site.side / "spool" / shelf.name(token)).exists())


def test_what_is_settled_is_not_shelved_any_more(site: Site) -> None:
    job = site.shell(hold(site))
    group = site.start(n=1)
    site.runs(job)
    dispatcher = group.dispatcher()
    group.freeze(dispatcher)
    let_go(site)
    token = site.job(job).token or ""
    eventually((site.side / "spool" / shelf.name(token)).exists)

    kill(dispatcher, signal.SIGCONT)

    assert site.wait(job).state is State.SUCCEEDED
    eventually(lambda: not (site.side / "spool" / shelf.name(token)).exists())


def test_a_file_that_is_no_ending_is_none(site: Site) -> None:
    spool = site.side / "spool"
    for number, content in enumerate((b"", b"[", b"null", b'["Leave",[]]', b"\xff")):
        (spool / shelf.name(f"t{number}")).write_bytes(content)

        assert shelf.find(spool, f"t{number}") is None
        shelf.remove(spool, f"t{number}")
    assert not any(spool.iterdir())
