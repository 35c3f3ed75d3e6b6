"""How a group ends: drained, in a hurry, at its deadline, or when nothing is due."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from jobrun.model import Outcome, State
from tests.process.site import Site, eventually, kill

pytestmark = pytest.mark.process

BEGIN = 'echo "S $JOBRUN_ID $JOBRUN_ATTEMPT" >> "$LEDGER"; '
STOPS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("signum", STOPS)
def test_a_signal_lets_running_jobs_end_and_starts_no_other(site: Site, signum: signal.Signals) -> None:
    group = site.start()
    running = [site.call("until", str(site.folder / "go")) for _ in range(2)]
    for job_id in running:
        site.runs(job_id)
    waiting = site.call("short")

    group.send(signum)
    group.says("stopping: running jobs have 30 s")
    (site.folder / "go").touch()

    assert group.wait() == 0
    assert [site.job(job_id).state for job_id in running] == [State.SUCCEEDED] * 2
    assert site.job(waiting).state is State.READY
    assert site.effects()[f"S {waiting} 1"] == 0


@pytest.mark.parametrize("signum", STOPS)
def test_a_second_signal_interrupts_and_the_next_group_finishes(site: Site, signum: signal.Signals) -> None:
    group = site.start()
    call = site.call("cleans_up", timeout_s=600)
    command = site.shell(BEGIN + "[ $JOBRUN_ATTEMPT = 2 ] || sleep 600")
    site.runs(call)
    site.runs(command)

    group.send(signum)
    group.says("stopping")
    group.send(signum)

    assert group.wait() == 0
    for job_id in (call, command):
        job = site.job(job_id)
        assert (job.state, job.attempt, job.failures) == (State.READY, 1, 0)
        assert site.last(job_id).ending.outcome is Outcome.INTERRUPTED
    assert site.effects()[f"Interrupted {call} 1"] == 1
    site.start()
    assert site.wait(command).state is State.SUCCEEDED
    site.runs(call, attempt=2)


def test_jobs_that_do_not_end_are_killed_in_a_hurry_and_wait_again(site: Site) -> None:
    group = site.start()
    call = site.call("ignores_stops")
    command = site.shell(BEGIN + "trap '' TERM; setsid sh -c \"trap '' TERM; sleep 600\" & sleep 600")
    site.runs(call)
    site.runs(command)

    assert group.stop() == 0

    for job_id in (call, command):
        job = site.job(job_id)
        assert (job.state, job.failures, job.crashes) == (State.READY, 0, 0)
        assert site.last(job_id).ending.outcome is Outcome.INTERRUPTED
    assert site.alive() == []


def test_jobs_that_run_longer_than_the_drain_time_are_interrupted(site: Site) -> None:
    group = site.start("--drain", "0.2s")
    job_id = site.call("cleans_up")
    site.runs(job_id)

    group.send(signal.SIGTERM)

    assert group.wait() == 0
    assert site.job(job_id).state is State.READY
    assert site.effects()[f"Interrupted {job_id} 1"] == 1


def test_a_dispatcher_killed_while_the_group_drains_is_replaced_and_the_drain_goes_on(site: Site) -> None:
    group = site.start()
    running = site.call("until", str(site.folder / "go"))
    site.runs(running)
    waiting = site.call("works", 600)
    site.runs(waiting)
    dispatcher = group.dispatcher()

    group.send(signal.SIGTERM)
    group.says("stopping")
    group.kill_one(dispatcher)
    (site.folder / "go").touch()
    site.wait(running)
    group.send(signal.SIGTERM)

    assert group.wait() == 0
    assert site.job(running).state is State.SUCCEEDED
    assert (site.job(waiting).state, site.job(waiting).failures) == (State.READY, 0)


def test_what_is_killed_after_the_group_began_to_stop_is_interrupted_not_crashed(site: Site) -> None:
    group = site.start()
    call, command = site.call("works", 600), site.shell(f"{BEGIN} sleep 600")
    site.runs(call)
    site.runs(command)

    group.send(signal.SIGTERM)
    eventually(lambda: all(row.stopping_at for row in site.store.workers.all()))
    group.kill_all()
    site.start("-Q", "nobody")

    for job_id in (call, command):
        job = site.wait(job_id, {State.READY})
        assert (job.failures, job.crashes) == (0, 0)
        assert site.last(job_id).ending.outcome is Outcome.INTERRUPTED


def test_quit_prints_the_stacks_of_all_and_the_group_goes_on(site: Site) -> None:
    group = site.start()
    ids = [site.call("until", str(site.folder / "go")) for _ in range(2)]
    for job_id in ids:
        site.runs(job_id)

    group.send(signal.SIGQUIT)

    eventually(lambda: group.log().count("(most recent call first)") >= 4)
    eventually(lambda: group.log().count("disasters.py") >= 2)
    (site.folder / "go").touch()
    assert [site.wait(job_id).attempt for job_id in ids] == [1, 1]


def test_other_signals_that_people_send_end_nothing(site: Site) -> None:
    group = site.start()
    workers = group.workers()

    for signum in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        group.send(signum)

    assert site.wait(site.call("short")).state is State.SUCCEEDED
    assert group.workers() == workers


def test_a_signal_to_every_process_at_once_lets_running_jobs_end(site: Site) -> None:
    group = site.start()
    workers = group.workers()
    running = [site.call("until", str(site.folder / "go")) for _ in workers]
    for job_id in running:
        site.runs(job_id)

    for pid in workers:
        kill(pid, signal.SIGTERM)  # as systemd does with the whole control group
    group.send(signal.SIGTERM)
    group.says("stopping")
    (site.folder / "go").touch()

    assert group.wait() == 0
    assert [site.job(job_id).state for job_id in running] == [State.SUCCEEDED] * len(workers)


def test_a_burst_does_what_is_due_and_leaves(site: Site) -> None:
    ids = [site.call("short") for _ in range(20)]
    retried = site.call("raises_until", 3, "Retry now", retries=5)

    site.burst()

    assert all(site.job(job_id).state is State.SUCCEEDED for job_id in ids)
    assert (site.job(retried).state, site.job(retried).attempt) == (State.SUCCEEDED, 3)
    assert site.effects() == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in ids)


def test_a_burst_of_nothing_leaves_at_once(site: Site) -> None:
    group = site.burst()

    assert group.log() == ""


def test_a_stop_before_the_group_has_begun_ends_it(site: Site) -> None:
    group = site.start()
    group.send(signal.SIGTERM)

    assert group.wait() in (0, -signal.SIGTERM), "before or after its handler stands"
