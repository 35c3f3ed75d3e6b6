"""When a group cannot work or must not, it says so in one line and leaves with the right code."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from jobrun.model import State
from tests.process.site import Site

pytestmark = pytest.mark.process


def _rejects(site: Site, code: int, words: str) -> None:
    group = site.start()
    assert group.wait() == code
    assert words in group.log()
    assert "Traceback" not in group.log()
    assert site.alive() == []


def _elsewhere(site: Site) -> Path:
    site.path = site.folder / "other" / "jobs.db"
    site.path.parent.mkdir(mode=0o700)
    return site.path


def test_another_programs_database_is_left_alone(site: Site) -> None:
    path = _elsewhere(site)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    path.chmod(0o600)
    before = path.read_bytes()

    _rejects(site, 4, f"`{path}`")
    assert path.read_bytes() == before


def test_what_is_no_database_is_left_alone(site: Site) -> None:
    path = _elsewhere(site)
    path.write_bytes(b"\xff\xd8 a picture" * 1000)
    path.chmod(0o600)

    _rejects(site, 4, f"`{path}`")
    assert path.read_bytes() == b"\xff\xd8 a picture" * 1000


def test_a_job_file_that_all_may_write_is_refused(site: Site) -> None:
    site.path.chmod(0o666)

    _rejects(site, 5, "chmod")


def test_a_job_file_in_a_folder_that_all_may_write_is_refused(site: Site) -> None:
    path = _elsewhere(site)
    path.parent.chmod(0o777)

    _rejects(site, 5, "chmod")


def test_a_job_file_in_a_missing_folder_cannot_be_made_below_a_file(site: Site) -> None:
    site.path = site.folder / "effects" / "jobs.db"

    _rejects(site, 4, "effects")


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_group_whose_job_file_is_taken_away_leaves(site: Site, how: str) -> None:
    path = _elsewhere(site)
    group = site.start()
    group.says("made a job file")

    if how == "replaced":
        _copy(path).replace(path)
    else:
        path.unlink()

    assert group.wait() == 4
    assert f"`{path}` was {how} while it was in use" in group.log()
    assert site.alive() == []


def test_jobs_that_run_when_the_file_is_moved_away_end_and_are_not_run_again(
    site: Site, tmp_path: Path
) -> None:
    stop, away = tmp_path / "stop", tmp_path / "away"
    jobs = [site.call("until", str(stop)) for _ in range(2)]
    group = site.start()
    for job_id in jobs:
        site.runs(job_id)

    site.path.rename(away)
    group.says("was removed while it was in use")
    stop.touch()
    assert group.wait() == 4
    assert "2 ends are kept" in group.log()

    away.replace(site.path)
    site.burst()
    assert [site.job(job_id).state for job_id in jobs] == [State.SUCCEEDED] * 2
    assert [site.last(job_id).number for job_id in jobs] == [1, 1]


def test_a_job_that_removes_the_job_file_ends_its_group(site: Site) -> None:
    group = site.start()
    site.call("removes_the_job_file")

    assert group.wait() == 4
    assert site.alive() == []
    for stray in site.strays():  # what they were for is gone, and who would sweep
        (site.side / stray).unlink()


def test_an_import_path_that_all_may_write_is_refused(site: Site) -> None:
    (site.folder / "tasks").chmod(0o777)

    _rejects(site, 5, "can be written by everybody")


def test_a_group_that_was_refused_has_touched_no_job(site: Site) -> None:
    job_id = site.call("short")
    site.path.chmod(0o666)
    _rejects(site, 5, "chmod")
    site.path.chmod(0o600)

    assert site.job(job_id).state is State.READY


def _copy(path: Path) -> Path:
    copy = path.with_suffix(".copy")
    with sqlite3.connect(copy) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    copy.chmod(0o600)
    return copy
