"""Alerts told by real processes, with workers and without."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from jobrun.alerts.words import Event, Latch, Reading
from jobrun.durability import FULL
from jobrun.log import Log
from jobrun.model import JobFilter, Outcome, State
from jobrun.scheduler.heralding import PATIENCE, Heralding
from jobrun.steps import utc_now
from jobrun.table import read_table
from tests.process.site import Site, children_of, eventually, kill

pytestmark = pytest.mark.process

TELL = """shell = '''echo "$JOBRUN_ALERT_NAME $JOBRUN_ALERT_STATE" >> "$TOLD"'''\n"""
BACKLOG = f'[alerts.backlog]\ndepth = 3\nqueue = "idle"\nremind = "2s"\n{TELL}'
DESERTED = f"[alerts.deserted]\nno_worker = true\nfor = '2s'\n{TELL}"


def serve(site: Site, text: str, *, n: int) -> Path:
    """Serve a table whose alerts write into a file, and return that file."""
    told = site.folder / "told"
    told.touch()
    site.table(f"TOLD = '{told}'\n{text}")
    site.cron("-Q", "default", n=n)
    return told


def says(told: Path, *lines: str) -> None:
    eventually(lambda: told.read_text().splitlines()[: len(lines)] == list(lines))


def telling(site: Site) -> list[State]:
    jobs = site.store.ledger.select(JobFilter(tag="alert"), limit=100, newest_first=False)
    return [job.state for job in jobs]


def test_a_backlog_is_told_once_reminded_and_told_when_it_is_over(site: Site) -> None:
    idle = [site.shell("true", queue="idle") for _ in range(3)]
    told = serve(site, BACKLOG, n=1)

    says(told, "backlog firing", "backlog reminder")
    for job_id in idle:
        site.store.orders.cancel(job_id, now=utc_now())
    eventually(lambda: "backlog over" in told.read_text())

    firing, *reminders, over = told.read_text().splitlines()
    assert (firing, set(reminders), over) == ("backlog firing", {"backlog reminder"}, "backlog over")
    eventually(lambda: set(telling(site)) == {State.SUCCEEDED})


def test_that_nobody_works_is_told_though_nobody_works(site: Site) -> None:
    told = serve(site, DESERTED, n=0)

    says(told, "deserted firing")
    eventually(lambda: telling(site) == [State.SUCCEEDED])
    assert len(site.store.ledger.attempts(1)) == 1

    site.start(n=1)
    eventually(lambda: "deserted over" in told.read_text())
    assert told.read_text() == "deserted firing\ndeserted over\n"


def test_who_died_while_telling_is_found_by_the_next_scheduler(site: Site) -> None:
    wait = """shell = 'echo "$JOBRUN_ATTEMPT" >> "$TOLD"; exec sleep 600'\n"""
    told = serve(site, DESERTED.replace(TELL, wait), n=0)
    eventually(told.read_text)
    [worker] = site.store.workers.all()
    for pid in (worker.group_pid, *children_of(worker.group_pid)):
        kill(pid)
    site.groups[0].kill_all()

    site.cron(n=0)

    eventually(lambda: site.store.ledger.attempts(1))
    assert site.last(1).ending.outcome is Outcome.CRASHED
    assert telling(site) == [State.SCHEDULED]  # to be told again


def test_with_all_workers_busy_it_is_told_by_one_more(site: Site) -> None:
    told = site.folder / "told"
    told.touch()
    site.table(f"TOLD = '{told}'\n{DESERTED}")
    site.start(n=1)
    busy = site.shell("sleep 600")
    site.wait(busy, {State.RUNNING})
    [alert] = read_table(site.table_path, local=UTC, local_name="UTC", environ={}).alerts
    table = str(site.table_path)
    site.store.alerts.load(table, [alert], now=utc_now())
    [row] = site.store.alerts.rows()
    latch = Latch(holds_since=utc_now(), told_at=utc_now(), tells=1)
    reading = Reading(value=1.0, text="no worker")
    site.store.alerts.move(row, latch, told=(Event.FIRING, reading), now=utc_now() - PATIENCE / 2)
    heralding = Heralding(site.store, table, Log("test"), durability=FULL)
    heralding.step(now=utc_now())
    assert telling(site) == [State.READY]

    heralding.step(now=utc_now() + PATIENCE / 2)

    says(told, "deserted firing")
    eventually(lambda: telling(site) == [State.SUCCEEDED])
    assert site.job(busy).state is State.RUNNING
    heralding.close()
