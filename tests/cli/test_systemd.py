"""jobrun systemd: what it prints, as systemd reads it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.cli.commands.working import DRAIN_S, GRACE_S
from jobrun.cli.unitfiles import Service, Wanted, unit_file
from jobrun.dispatcher.process import PATIENCE_S
from jobrun.supervisor.service import PROBES_A_WATCH

Run = Callable[..., subprocess.CompletedProcess[str]]
HOST, USER = (), ("--user",)


@pytest.fixture
def analyze(tmp_path: Path) -> Run:
    """Have systemd judge a unit; where no systemd runs it still reads files."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")

    def run(text: str, *words: str, name: str = "jobrun-test.service") -> subprocess.CompletedProcess[str]:
        (tmp_path / name).write_text(text)
        return subprocess.run(
            ["systemd-analyze", *words, f"./{name}"],
            cwd=tmp_path,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_RUNTIME_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def _settings(unit: str) -> dict[str, list[str]]:
    pairs = [line.partition("=")[::2] for line in unit.splitlines() if "=" in line and line[0] != "#"]
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("service", list(Service))
@pytest.mark.parametrize("manager", [HOST, USER], ids=["host", "user"])
def test_systemd_finds_nothing_to_say_about_a_unit(
    service: Service, manager: tuple[str, ...], jobrun: Run, analyze: Run
) -> None:
    unit = jobrun("systemd", service, *manager)

    found = analyze(unit.stdout, *manager, "verify")

    assert (unit.returncode, unit.stderr) == (0, "")
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


@pytest.mark.parametrize("service", list(Service))
def test_a_service_of_the_host_exposes_little(service: Service, jobrun: Run, analyze: Run) -> None:
    unit = jobrun("systemd", service).stdout

    found = analyze(unit, "security", "--offline=true", "--no-pager", "--threshold=25")

    assert found.returncode == 0, found.stdout.splitlines()[-1]


def test_a_service_of_a_user_leaves_jobs_what_the_user_may_do(jobrun: Run) -> None:
    settings = _settings(jobrun("systemd", "cron", "--user").stdout)

    implying_no_sudo = {"NoNewPrivileges", "SystemCallFilter", "RestrictNamespaces", "LockPersonality"}
    assert not settings.keys() & {*implying_no_sudo, "User", "UMask", "ProtectSystem"}
    assert settings["WantedBy"] == ["default.target"]


def test_systemd_waits_longer_than_jobs_may_take_to_end(jobrun: Run) -> None:
    [patience] = _settings(jobrun("systemd", "worker").stdout)["TimeoutStopSec"]

    assert int(patience) > DRAIN_S + GRACE_S


def test_only_the_scheduler_is_reloaded(jobrun: Run) -> None:
    cron, worker = (_settings(jobrun("systemd", service).stdout) for service in ("cron", "worker"))

    assert cron["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert "ExecReload" not in worker


def test_the_table_and_the_job_file_are_named_in_full(jobrun: Run, tmp_path: Path) -> None:
    settings = _settings(jobrun("--db", "some.db", "systemd", "cron", "my.toml").stdout)

    assert settings["ExecStart"][0].endswith(f" cron {tmp_path}/my.toml")
    assert settings["Environment"] == [f"JOBRUN_DB={tmp_path}/some.db"]
    assert settings["ReadWritePaths"] == [str(tmp_path)]


def test_without_names_the_usual_places_are_meant(jobrun: Run) -> None:
    host = _settings(jobrun("systemd", "cron", JOBRUN_DB="").stdout)
    user = _settings(jobrun("systemd", "cron", "--user", JOBRUN_DB="").stdout)

    assert host["ExecStart"][0].endswith(" cron /etc/jobrun/jobs.toml")
    assert host["Environment"] == ["JOBRUN_DB=%S/jobrun/jobrun.db"]
    assert user["ExecStart"][0].endswith(" cron %E/jobrun/jobs.toml")
    assert "Environment" not in user


def test_systemd_expands_nothing_in_a_name(tmp_path: Path, analyze: Run) -> None:
    program = tmp_path / "100 %n $HOME" / "jobrun"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    table = '/srv/"a" \\ $HOME %n.toml'

    unit = unit_file(Wanted(service=Service.CRON, program=[str(program)], table=table))
    found = analyze(unit, "verify")

    assert found.stderr == "", "systemd looks for another program"
    assert unit.count(r'cron "/srv/\"a\" \\ $$HOME %%n.toml"') == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "missing argument"),
        (("crn",), "`crn` is not one of `worker`, `cron`"),
        (("worker", "jobs.toml"), "worker takes no table"),
    ],
)
def test_words_that_make_no_unit_are_a_usage_error(jobrun: Run, words: tuple[str, ...], message: str) -> None:
    done = jobrun("systemd", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_the_watchdog_waits_longer_than_we_wait_for_a_job_file(jobrun: Run) -> None:
    [patience] = _settings(jobrun("systemd", "cron").stdout)["WatchdogSec"]

    assert int(patience) / PROBES_A_WATCH > 2 * PATIENCE_S
