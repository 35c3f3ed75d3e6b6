"""Who races whom. Each entry arranges a file and returns what its actors do."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

from jobrun.actions import acting
from jobrun.cron.digest import digest, schedule_digest
from jobrun.cron.words import Entry, EntrySpec
from jobrun.dispatcher.ends import expire
from jobrun.dispatcher.retention import Retention
from jobrun.model import TROUBLED, JobFilter, Kind, NewJob, Outcome
from jobrun.paths import side_dir
from jobrun.scheduler.serving import Serving
from jobrun.scheduler.timetable import Timetable
from jobrun.store import Store, open_store
from tests.claims import claim
from tests.races.scene import NOW, Act, Arrange, Scene, finish, keep, take
from tests.races.stage import point
from tests.rules.entries import entry

TROUBLE = JobFilter(states=TROUBLED)
OVER = JobFilter(states=acting.FINAL)
LATER = timedelta(seconds=90)
OLD = (Path(__file__).parents[1] / "store" / "schema_v1.sql").read_text(encoding="utf-8")


def claim_claim(scene: Scene) -> Mapping[str, Act]:
    scene.add()
    scene.add(priority=1)
    return {"one": take("w1"), "other": take("w2")}


def claim_recover(scene: Scene) -> Mapping[str, Act]:
    scene.add(retries=1)
    scene.run()
    return {"claim": take("w1"), "recover": keep}


def finish_recover(scene: Scene) -> Mapping[str, Act]:
    """The worker is dead, and somebody late says how its attempt ended."""
    scene.add(retries=1)
    return {"finish": finish(scene.run()), "recover": keep}


def finish_recover_living(scene: Scene) -> Mapping[str, Act]:
    """The worker lives until its end is committed: nobody may take it for dead."""
    scene.add(retries=1)
    job = scene.run(is_held=True)

    def end(store: Store) -> object:
        done = finish(job)(store)
        point("let go")
        scene.let_go("w0")
        return done

    return {"finish": end, "recover": keep}


def retry_purge(scene: Scene) -> Mapping[str, Act]:
    _failed(scene)
    return {"retry": _retry, "purge": _purge(TROUBLE)}


def cancel_finish(scene: Scene) -> Mapping[str, Act]:
    scene.add(retries=1)
    return {"cancel": _cancel, "finish": finish(scene.run(), Outcome.ERROR)}


def promote_cancel(scene: Scene) -> Mapping[str, Act]:
    scene.add(run_at=NOW + timedelta(seconds=60))
    return {"promote": lambda store: store.queue.promote(now=NOW + LATER), "cancel": _cancel}


def promote_cancel_claim(scene: Scene) -> Mapping[str, Act]:
    return {**promote_cancel(scene), "claim": take("w1")}


def key_key(scene: Scene) -> Mapping[str, Act]:
    assert scene.path
    return dict.fromkeys(("one", "other"), _ask_with_key)


def key_retry_claim(scene: Scene) -> Mapping[str, Act]:
    _failed(scene, key="k")
    return {"ask": _ask_with_key, "retry": _retry, "claim": take("w1")}


def purge_late_finish(scene: Scene) -> Mapping[str, Act]:
    scene.add()
    late = scene.run()
    finish(late, Outcome.CRASHED)(scene.store)
    return {"purge": _purge(OVER), "finish": finish(late)}


def keeper_keeper(scene: Scene) -> Mapping[str, Act]:
    scene.add(retries=1)
    scene.run()
    return {"one": keep, "other": keep}


def claim_recover_finish(scene: Scene) -> Mapping[str, Act]:
    return {**finish_recover(scene), "claim": take("w1")}


def cancel_finish_recover(scene: Scene) -> Mapping[str, Act]:
    return {**finish_recover(scene), "cancel": _cancel}


def retry_purge_claim(scene: Scene) -> Mapping[str, Act]:
    return {**retry_purge(scene), "claim": take("w1")}


def retry_purge_run(scene: Scene) -> Mapping[str, Act]:
    """What was retried may have succeeded before the purge comes to it."""
    _failed(scene)

    def run(store: Store) -> object:
        return _retry(store), _run("w1")(store)

    return {"retry and run": run, "purge": _purge(TROUBLE)}


def retry_all_cancel(scene: Scene) -> Mapping[str, Act]:
    """Who cancels what somebody else has just retried must not see it run."""
    _failed(scene)

    def again_and_off(store: Store) -> object:
        return _retry(store), _cancel(store)

    retry_all = partial(acting.retry_all, which=TROUBLE, now=NOW, tell=_nobody)
    return {"retry all": lambda store: retry_all(store).count, "retry, cancel": again_and_off}


def retention_retry_cancel(scene: Scene) -> Mapping[str, Act]:
    scene.add()
    _cancel(scene.store)

    def forget(store: Store) -> None:
        Retention(store, 10.0).do_round(now=NOW + LATER, monotonic=100.0)

    return {"forget": forget, "retry": _retry, "cancel": _cancel}


def expire_claim(scene: Scene) -> Mapping[str, Act]:
    scene.add(expires_at=NOW + timedelta(seconds=1))

    def late(store: Store) -> None:
        expire(store, now=NOW + LATER)

    return {"expire": late, "claim": take("w1"), "cancel": _cancel}


def serve_serve(scene: Scene) -> Mapping[str, Act]:
    """Two schedulers of one table: a lock forbids it, the rows make it harmless."""
    return {name: _server(scene, entry(schedule="* * * * *"), "/a") for name in ("one", "other")}


def serve_again(scene: Scene) -> Mapping[str, Act]:
    """The clock was set back behind a tick that has run, or is about to."""
    plain = entry(schedule="* * * * *")

    def set_back(store: Store) -> object:
        store.entries.rewind("/a", now=NOW)
        return _serve(store, plain, "/a")

    return {"serve": _server(scene, plain, "/a"), "set back": set_back}


def reload_serve(scene: Scene) -> Mapping[str, Act]:
    """Another table takes an entry over while its old scheduler still serves it."""
    plain = entry(schedule="* * * * *")
    serve = _server(scene, plain, "/a")
    heir = replace(plain, task="other")

    def take_over(store: Store) -> object:
        store.entries.load("/b", [_spec(heir)], boot_id="b", now=NOW + LATER)
        return _serve(store, heir, "/b")

    return {"serve": serve, "take over": take_over}


def pause_serve(scene: Scene) -> Mapping[str, Act]:
    def rest(store: Store) -> object:
        return store.entries.pause("backup", until=None, now=NOW) is not None

    return {"serve": _server(scene, entry(schedule="* * * * *"), "/a"), "pause": rest}


def migrate_open(scene: Scene) -> Mapping[str, Act]:
    """Two commands find a file of version 1."""
    old = scene.path.with_name("old.db")
    connection = sqlite3.connect(old)
    connection.executescript(f"{OLD}; PRAGMA journal_mode = WAL;")
    connection.close()
    old.chmod(0o600)

    def begin(_: Store) -> object:
        with open_store(old) as store:
            [added] = store.intake.add([NewJob(kind=Kind.CALL, task="app:work")], now=NOW)
            return added.is_new, (side_dir(old) / "version-1.db").exists()

    return {"one": begin, "other": begin}


def _failed(scene: Scene, **options: object) -> None:
    scene.add(**options)
    finish(scene.run(), Outcome.ERROR)(scene.store)


def _retry(store: Store) -> object:
    return acting.retry(store, [1], now=NOW).ids


def _cancel(store: Store) -> object:
    job = store.orders.cancel(1, now=NOW)
    return job and str(job.state)


def _purge(which: JobFilter) -> Act:
    return lambda store: acting.purge_all(store, which, tell=_nobody)


def _ask_with_key(store: Store) -> object:
    [added] = store.intake.add([NewJob(kind=Kind.CALL, task="app:work", key="k")], now=NOW)
    return added.id


def _server(scene: Scene, one: Entry, table: str) -> Act:
    scene.store.entries.load(table, [_spec(one)], boot_id="b", now=NOW)
    return lambda store: _serve(store, one, table)


def _serve(store: Store, one: Entry, table: str) -> object:
    timetable = Timetable({one.name: one}, {row.name: row for row in store.entries.rows()})
    ticks = Serving(store, table).serve(timetable, [one.name], now=NOW + LATER)
    return [(str(tick.at), str(tick.state)) for tick in ticks]


def _spec(one: Entry) -> EntrySpec:
    return EntrySpec(entry=one, digest=digest(one), schedule_digest=schedule_digest(one))


def _nobody(_: int) -> None:
    pass


def melee(dice: Random) -> Arrange:
    """Return a lost job and a few actors who do whatever can be done to it."""

    def arrange(scene: Scene) -> Mapping[str, Act]:
        scene.add(retries=dice.randrange(3), key=dice.choice([None, "k"]))
        lost = scene.run("w9")
        found: dict[str, Act] = {}
        for number in range(dice.randint(3, 5)):
            acts = {
                "finish": finish(lost, dice.choice(list(Outcome))),
                "take": take(f"w{number}"),
                "run": _run(f"w{number}"),
                "cancel": _cancel,
                "retry": _retry,
                "ask": _ask_with_key,
                "keep": keep,
                "purge": _purge(OVER),
            }
            name = dice.choice(list(acts))
            found[f"{name} {number}"] = acts[name]
        return found

    return arrange


def _run(worker: str) -> Act:
    """Claim a job and end it."""

    def act(store: Store) -> object:
        claimed = claim(store, worker, now=NOW, new_token=lambda: f"of {worker}")
        return [finish(job)(store) for job in claimed]

    return act


PAIRS: list[Arrange] = [
    claim_claim,
    claim_recover,
    finish_recover,
    finish_recover_living,
    retry_purge,
    cancel_finish,
    promote_cancel,
    key_key,
    purge_late_finish,
    keeper_keeper,
    retry_purge_run,
    retry_all_cancel,
    serve_serve,
    serve_again,
    reload_serve,
    pause_serve,
    migrate_open,
]
TRIPLES: list[Arrange] = [
    promote_cancel_claim,
    key_retry_claim,
    claim_recover_finish,
    cancel_finish_recover,
    retry_purge_claim,
    retention_retry_cancel,
    expire_claim,
]
