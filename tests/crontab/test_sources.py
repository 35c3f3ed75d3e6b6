from __future__ import annotations

from pathlib import Path

from jobrun.crontab.sources import of_file, of_system, unread


def test_the_crontabs_of_the_system_are_those_that_every_cron_reads(tmp_path: Path) -> None:
    folder = tmp_path / "cron.d"
    folder.mkdir()
    for name in ("b", "a", ".placeholder", "a.dpkg-old", "a~", "sub.d"):
        (folder / name).write_text(f"0 0 * * * root {name}\n")
    (folder / "deeper").mkdir()
    crontab = tmp_path / "crontab"
    crontab.write_text("0 1 * * * root x\n")

    found = list(of_system(folder, crontab))

    assert [Path(each.name).name for each in found] == ["crontab", "a", "b"]
    assert all(each.has_users for each in found)
    assert [path.name for path in unread(folder)] == ["a.dpkg-old", "a~", "sub.d"]


def test_a_host_without_crontabs_has_none(tmp_path: Path) -> None:
    assert list(of_system(tmp_path / "cron.d", tmp_path / "crontab")) == []
    assert unread(tmp_path / "cron.d") == []


def test_a_crontab_of_the_system_is_known_by_its_place() -> None:
    path = Path("/etc/crontab")
    if path.exists():
        assert of_file(path, has_users=False).has_users
