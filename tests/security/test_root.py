"""Workers of root run only what nobody else could have put there, up the whole way to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobrun.errors import Refused
from jobrun.run.trust import check_import_paths
from jobrun.store import open_store
from jobrun.table.reading import read_trusted
from tests.security.face import AS_ROOT, NOBODY, Answer, jobrun_at, open_folder

pytestmark = [pytest.mark.process, AS_ROOT]

TABLE = "[jobs.a]\nshell = 'true'\nevery = '1h'\n"


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a folder of root that others may enter, with a job file and a table two folders below, and modules."""
    with open_folder() as folder:
        (folder / "state" / "jobrun").mkdir(parents=True)
        open_store(folder / "state" / "jobrun" / "jobs.db", create=True).close()
        (folder / "state" / "jobrun" / "jobs.toml").write_text(TABLE)
        (folder / "state" / "jobrun" / "jobs.toml").chmod(0o600)
        (folder / "code" / "app").mkdir(parents=True)
        for place in folder.rglob("*"):
            if place.is_dir() and not place.name.endswith(".d") and ".d" not in place.parent.name:
                place.chmod(0o755)
        yield folder


def check(home: Path) -> tuple[str, ...]:
    return check_import_paths([str(home / "code")], warn=lambda _: None)


def work(home: Path, path: Path | None = None, **variables: str) -> Answer:
    db = home / "state" / "jobrun" / "jobs.db"
    path = path or home / "code" / "app"
    words = ["worker", "--burst", "-n", "1", "--path", str(path)]
    return jobrun_at(db, *words, cwd=home, umask=0o022, **variables)


def give(place: Path) -> None:
    os.chown(place, NOBODY, NOBODY)


def open_to_group(place: Path) -> None:
    place.chmod(0o775)


def open_to_all(place: Path) -> None:
    place.chmod(0o777)


HARMS = [give, open_to_group, open_to_all]


def test_what_is_roots_alone_is_run(home: Path) -> None:
    assert work(home).code == 0


@pytest.mark.parametrize(
    ("harm", "place"),
    [
        (give, "code"),
        (open_to_group, "code/app"),
        (give, "state/jobrun"),
        (open_to_group, "state/jobrun"),
        (give, "state"),
    ],
)
def test_a_folder_on_the_way_that_others_can_change_is_refused(
    home: Path, harm: Callable[[Path], None], place: str
) -> None:
    harm(home / place)

    answer = work(home)

    assert answer.code == 5, answer
    assert f"{home / place}`" in answer.said


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("place", ["more/deep", "more"])
@pytest.mark.parametrize("is_there", [True, False])
def test_every_entry_of_the_path_is_looked_at_also_one_that_is_not_there_yet(
    home: Path,
    harm: Callable[[Path], None],
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_there: bool,
) -> None:
    (home / "more").mkdir(mode=0o755)
    if is_there or place == "more/deep":
        (home / "more" / "deep").mkdir(mode=0o755)
    wanted = home / "more" / "deep"
    monkeypatch.setattr(sys, "path", [*sys.path, str(wanted)])
    assert check(home) == (str(home / "code"),)

    harm(home / place)

    with pytest.raises(Refused, match=f"import path `{wanted}`"):
        check(home)


def test_what_is_in_pythonpath_counts(home: Path) -> None:
    give(home / "code")

    answer = work(home, home / "code" / "app", PYTHONPATH=str(home / "code"))

    assert (answer.code, "belongs to another user" in answer.said) == (5, True)


def test_a_link_of_another_user_on_the_path_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "link").symlink_to(home / "code")
    monkeypatch.setattr(sys, "path", [*sys.path, str(home / "link" / "app")])
    assert check(home) == (str(home / "code"),)

    os.chown(home / "link", NOBODY, NOBODY, follow_symlinks=False)

    with pytest.raises(Refused, match=f"`{home / 'link'}`"):
        check(home)


def test_the_working_directory_counts_where_no_path_is_named(home: Path) -> None:
    (home / "cwd").mkdir(mode=0o755)
    db = home / "state" / "jobrun" / "jobs.db"
    assert jobrun_at(db, "worker", "--burst", "-n", "1", cwd=home / "cwd").code == 0

    give(home / "cwd")

    assert jobrun_at(db, "worker", "--burst", "-n", "1", cwd=home / "cwd").code == 5


def test_a_job_file_of_another_user_is_not_worked_on(home: Path) -> None:
    give(home / "state" / "jobrun" / "jobs.db")

    answer = work(home)

    assert (answer.code, "its jobs would run as root" in answer.said) == (5, True)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("place", ["state/jobrun/jobs.toml", "state/jobrun", "state"])
def test_a_table_that_others_can_change_is_refused(
    home: Path, harm: Callable[[Path], None], place: str
) -> None:
    table = home / "state" / "jobrun" / "jobs.toml"
    assert "shell" in read_trusted(table, limit=1000)
    harm(home / place)

    with pytest.raises(Refused, match=f"`{home / place}`"):
        read_trusted(table, limit=1000)


@pytest.mark.parametrize("verb", [["cron", "check"], ["cron"]])
def test_a_table_in_a_folder_of_another_user_ends_the_command(home: Path, verb: list[str]) -> None:
    give(home / "state")

    answer = jobrun_at(home / "elsewhere.db", *verb, str(home / "state" / "jobrun" / "jobs.toml"), cwd=home)

    assert (answer.code, "belongs to another user" in answer.said) == (5, True)


@pytest.mark.parametrize("harm", [give])
def test_a_file_of_variables_that_others_can_change_is_refused(
    home: Path, harm: Callable[[Path], None]
) -> None:
    table, secrets = home / "state" / "jobrun" / "jobs.toml", home / "code" / "env"
    secrets.write_text("A=1\n")
    secrets.chmod(0o600)
    table.write_text(f"{TABLE}env_file = '{secrets}'\n")
    assert jobrun_at(home / "elsewhere.db", "cron", "check", str(table), cwd=home).code == 0

    harm(home / "code")

    assert jobrun_at(home / "elsewhere.db", "cron", "check", str(table), cwd=home).code == 5


def test_root_may_look_at_the_jobs_of_another_user(home: Path) -> None:
    db = home / "state" / "jobrun" / "jobs.db"
    for place in [db.parent, *db.parent.rglob("*")]:
        give(place)

    assert jobrun_at(db, "list", cwd=home).code == 0
    assert jobrun_at(db, "enqueue", "m:f", cwd=home).code == 0
    assert {place.stat().st_uid for place in db.parent.rglob("*")} == {NOBODY}
