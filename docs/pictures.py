"""Draw the pictures of the README: what commands show of a job file that real workers have worked on.

Run by hand, with the virtual environment's Python, tmux (for the live screen) and half a minute:

    .venv/bin/python docs/pictures.py            all of them, to docs/
    .venv/bin/python docs/pictures.py top why    these

Each becomes docs/NAME.svg by rich's own export. A small shop is made up in a new folder below the
temporary one: its tasks, its table and its mishaps. What is printed about them is what they came to.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).resolve().parent
COLUMNS = 100
LINES = 27
PATIENCE_S = 60.0
JOBRUN = (sys.executable, "-m", "jobrun", "--db", "jobs.db")

TASKS = '''\
"""The tasks of a shop."""
import os
import signal
import time


def send_mail(to, order):
    time.sleep(0.1)
    if order % 7 == 0:
        raise ConnectionRefusedError(111, "mail.example.org: Connection refused")


def build_report(month, seconds=6):
    for part in ("orders", "returns", "stock", "totals"):
        print(f"{month}: {part}", flush=True)
        time.sleep(seconds / 4)


def resize(image):
    if image == "poster.tif":
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory is short
    time.sleep(0.2)
'''
TABLE = """\
[jobs.backup]
shell = "sleep 1; echo '412 MiB saved'"
schedule = "15 2 * * *"

[jobs.invoices]
call = "shop:build_report"
args = ["invoices"]
schedule = "0 * * * MON-FRI"
queue = "reports"

[jobs.clean-up]
shell = "find spool -mtime +7 -delete"
every = "6h"
"""


class Shop:
    """A folder with a job file, and workers that live as long as the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "shop.py").write_text(TASKS, encoding="utf-8")
        (folder / "jobs.toml").write_text(TABLE, encoding="utf-8")
        (folder / "jobs.toml").chmod(0o600)
        (folder / "spool").mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}
        self.environ = {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"}

    def run(self, *words: str) -> str:
        """Run a command without a terminal, and return what it prints."""
        done = subprocess.run(
            [*JOBRUN, *words], cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )
        return done.stdout

    def enqueue(self, *words: str) -> int:
        return int(self.run("enqueue", "-q", *words))

    def job(self, job_id: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("inspect", str(job_id), "--json"))
        return found

    @contextlib.contextmanager
    def workers(self, *words: str) -> Iterator[None]:
        child = subprocess.Popen(
            [*JOBRUN, "cron", *words, "--drain", "0s", "jobs.toml"],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            child.terminate()
            child.wait()

    def shown(self, words: Sequence[str]) -> tuple[int, str]:
        """Run a command on a terminal; return its exit code and all that it shows."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        child = subprocess.Popen(
            [*JOBRUN, *words], cwd=self.folder, env=self.environ, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        told = b""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while chunk := os.read(ours, 65536):
                told += chunk
        os.close(ours)
        return child.wait(), told.decode().replace("\r\n", "\n")

    def screen(self, words: Sequence[str]) -> str:
        """Return what stands on a terminal some seconds after a command has begun."""
        tmux = ["tmux", "-S", str(self.folder / "tmux"), "-f", "/dev/null"]
        command = " ".join([*JOBRUN, *words])
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        subprocess.run(
            [*tmux, "new-session", "-d", *size, command], cwd=self.folder, env=self.environ, check=True
        )
        try:
            time.sleep(5)  # some pictures
            done = subprocess.run(
                [*tmux, "capture-pane", "-e", "-p"],
                env=self.environ,
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            subprocess.run([*tmux, "kill-server"], env=self.environ, check=False)
        return done.stdout


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what workers do."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            sys.exit("the workers did not get there in time")
        time.sleep(0.2)


def open_shop(shop: Shop) -> dict[str, str]:
    """Have a day of work done in some seconds; return the jobs that pictures are of, by their roles."""
    for entry in ("backup", "invoices"):
        for _ in range(5):
            trigger(shop, entry)
    for order in range(1, 41):
        retries = ("--retries", "2", "--backoff", "1s") if order % 7 == 0 else ()
        last = shop.enqueue("-Q", "mail", *retries, "shop:send_mail", "ann@example.org", str(order))
    for month in ("june", "july", "august", "september", "october"):
        shop.enqueue("-Q", "reports", "shop:build_report", month)
    crashed = shop.enqueue("-Q", "images", "--on-crash", "park", "shop:resize", "poster.tif")
    failed = shop.enqueue("--name", "sync", "--shell", "echo 'no route to host' >&2; exit 12")
    ids = (last, crashed, failed)
    until(lambda: all(shop.job(each)["finished_at"] for each in ids))
    until(lambda: json.loads(shop.run("status", "--json"))["counts"]["scheduled"] == 0)
    until(lambda: json.loads(shop.run("status", "--json"))["counts"]["ready"] == 0)
    later = shop.enqueue("-Q", "reports", "--in", "2h", "--name", "monthly", "shop:build_report", "november")
    shop.enqueue("-Q", "reports", "shop:build_report", "december", "seconds=120")
    trigger(shop, "backup", wait=False)
    waits = [shop.enqueue("-Q", "video", "--shell", f"ffmpeg -i {n}.mov {n}.mp4") for n in range(3)]
    until(lambda: json.loads(shop.run("status", "--json"))["counts"]["running"] >= 1)
    mail = json.loads(shop.run("failed", "-Q", "mail", "--json"))
    return {"failed": str(mail[0]["id"]), "waits": str(waits[0]), "later": str(later)}


def trigger(shop: Shop, entry: str, *, wait: bool = True) -> None:
    """Run an entry of the table now, as a person does."""
    before = json.loads(shop.run("why", entry, "--json") or "{}").get("ticks", [])
    shop.run("cron", "trigger", "jobs.toml", entry)

    def has_ended() -> bool:
        ticks = json.loads(shop.run("why", entry, "--json"))["ticks"]
        return len(ticks) > len(before) and ticks[0]["job_state"] == "succeeded"

    if wait:
        until(has_ended)


def draw(name: str, command: str, shown: str) -> None:
    """Write what a terminal has shown as a picture, without fonts from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown.rstrip("\n")), soft_wrap=True)
    picture = console.export_svg(title=f"jobrun {command}", unique_id=f"jobrun-{name}")
    picture = re.sub(r"@font-face\s*{[^}]*}\s*", "", picture)
    picture = picture.replace("<text ", '<text xml:space="preserve" ')  # some viewers drop leading blanks
    lines = (line.rstrip() for line in picture.splitlines())
    (DOCS / f"{name}.svg").write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


def main(wanted: Sequence[str]) -> None:
    """Draw the pictures that are wanted, or all."""
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        shop = Shop(Path(folder))
        shop.run("enqueue", "-q", "--shell", "true")
        with shop.workers("-n", "4", "-Q", "default", "-Q", "mail", "-Q", "reports", "-Q", "images"):
            until(lambda: len(json.loads(shop.run("workers", "--json"))) == 4)
            jobs = open_shop(shop)
            commands = {
                "top": "top",
                "status": "status",
                "failed": "failed",
                "inspect": f"inspect {jobs['failed']}",
                "why": f"why {jobs['waits']}",
                "cron-next": "cron next jobs.toml",
                "stats": "stats",
            }
            if unknown := set(wanted) - commands.keys():
                sys.exit(f"{', '.join(sorted(unknown))}: none of {', '.join(commands)}")
            for name in wanted or commands:
                words = commands[name].split()
                code, shown = (0, shop.screen(words)) if name == "top" else shop.shown(words)
                if code:
                    sys.stderr.write(f"{name}: exit code {code}, no picture: {shown}\n")
                else:
                    draw(name, commands[name], shown)


if __name__ == "__main__":
    main(sys.argv[1:])
