"""Run a few hundred jobs on real files, two at a time, and check every answer.

    ./install.sh try
    python examples/try.py FOLDER        the same, with the jobrun of that Python; FOLDER is emptied

The jobs hash, count and compress the sources of Python's standard library, as Python calls and as
commands. A few fail on purpose, one is retried into success. In the end, what they returned and
printed is compared with the same work done directly.
"""

import asyncio
import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tasks import sources  # to do the same work directly

TASKS = Path(__file__).resolve().parent / "tasks"
PATIENCE_S = 120.0  # the run takes some seconds
FINAL = ("succeeded", "failed", "crashed", "cancelled", "expired", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job, and what must come of it."""

    request: str  # the words after `jobrun enqueue`, or in a batch also a JSON object
    direct: Callable[[], Any] | None = None  # the same work without jobrun
    fails_with: str | None = None  # on purpose: the type of its error, or its exit code
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobrun:
    """The installed command, with a job file of its own."""

    program: str
    job_file: Path

    def words(self, *words: str) -> list[str]:
        return [self.program, "--db", str(self.job_file), *words]

    def ask(self, *words: str, stdin: str = "") -> str:
        """Return what jobrun prints; if it fails, it has said why."""
        done = subprocess.run(self.words(*words), input=stdin, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"`{shlex.join(done.args)}` ended with {done.returncode}")
        return done.stdout

    def show(self, *words: str) -> None:
        """Let jobrun print to the person who looks on."""
        say(f"\n$ jobrun {shlex.join(words)}")
        subprocess.run(self.words(*words), check=False)


def main(folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    folder = folder.resolve()
    jobrun = Jobrun(program=find_program(), job_file=folder / "jobrun.db")
    plans = enqueue_one_by_one(jobrun, folder) | enqueue_at_once(jobrun)
    work(jobrun, folder / "worker.log", total=len(plans))
    jobrun.show("status")
    jobrun.show("failed")
    return report(jobrun, plans)


# -- the jobs


def enqueue_one_by_one(jobrun: Jobrun, folder: Path) -> dict[int, Plan]:
    plans = {}
    for plan in single_plans(folder):
        say(f"$ jobrun enqueue {plan.request}")
        plans[int(jobrun.ask("enqueue", "-q", *shlex.split(plan.request)))] = plan
    return plans


def enqueue_at_once(jobrun: Jobrun) -> dict[int, Plan]:
    plans = [*call_plans(), *command_plans()]
    say(f"\n$ jobrun enqueue --batch -      {len(plans)} more, over the files in {sources.LIBRARY}")
    ids = jobrun.ask("enqueue", "-q", "--batch", "-", stdin="".join(f"{plan.request}\n" for plan in plans))
    return dict(zip(map(int, ids.split()), plans, strict=True))


def single_plans(folder: Path) -> Iterator[Plan]:
    """Yield one job that needs two attempts, and those that fail on purpose."""
    marker, latin_1 = folder / "seen", folder / "latin-1.txt"
    latin_1.write_text("naïveté", encoding="latin-1")
    yield Plan(
        request=f"sources:sha256_when_settled os.py {shlex.quote(str(marker))} --retries 1 --priority 9",
        direct=partial(sources.sha256, "os.py"),
        attempts=2,
    )
    yield Plan(request=f"sources:count {shlex.quote(str(latin_1))}", fails_with="UnicodeDecodeError")
    yield Plan(request="sources:sha256 no_such_file.py", fails_with="FileNotFoundError")
    yield Plan(request="sources:compressed os.py method=rar --retries 5", fails_with="Permanent")
    yield Plan(request="--shell 'sha256sum no_such_file'", fails_with="exit 1")


def call_plans() -> Iterator[Plan]:
    names = sorted(path.name for path in sources.LIBRARY.glob("*.py"))
    yield Plan(
        request=json.dumps({"task": "sources:summary", "args": [names]}),
        direct=partial(quietly, sources.summary, names),
    )
    for name in names:
        yield Plan(request=f"sources:sha256 {name}", direct=partial(sources.sha256, name))
        yield Plan(request=f"sources:count name={name}", direct=partial(sources.count, name))
    for name in names[::2]:
        request = {"task": "sources:compressed", "args": [name], "kwargs": {"method": "lzma"}}
        yield Plan(request=f"sources:compressed {name}", direct=partial(sources.compressed, name))
        yield Plan(request=json.dumps(request), direct=partial(sources.compressed, name, "lzma"))
    for name in names[::4]:
        yield Plan(
            request=f"sources:longest_line {name}", direct=partial(run_here, sources.longest_line, name)
        )


def command_plans() -> Iterator[Plan]:
    """Yield jobs whose answer is what they print."""
    for path in sorted([*sources.LIBRARY.glob("json/*.py"), *sources.LIBRARY.glob("email/*.py")]):
        argv = ["sha256sum", str(path)]
        yield Plan(request=json.dumps({"command": argv}), direct=partial(subprocess.check_output, argv))
        line = f"gzip -c {shlex.quote(str(path))} | wc -c"
        direct = partial(subprocess.check_output, line, shell=True)
        yield Plan(request=f"--shell {shlex.quote(line)}", direct=direct)


def quietly(function: Callable[..., Any], *args: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args)


def run_here(function: Callable[..., Any], *args: Any) -> Any:
    return asyncio.run(function(*args))


# -- the run


def work(jobrun: Jobrun, log: Path, *, total: int) -> None:
    """Run a worker until nothing is due, and show how far it is."""
    words = ["worker", "-n", "2", "--burst", "--path", str(TASKS)]
    say(f"\n$ jobrun {shlex.join(words)}")
    began = time.monotonic()
    with (
        log.open("wb") as stderr,
        subprocess.Popen(jobrun.words(*words), stdout=stderr, stderr=stderr) as worker,
    ):
        watch(jobrun, worker, total=total)
    if worker.returncode != 0:
        sys.exit(f"{log.read_text(errors='replace')}the worker ended with {worker.returncode}")
    say(f"  all done in {time.monotonic() - began:.1f} s")


def watch(jobrun: Jobrun, worker: "subprocess.Popen[bytes]", *, total: int) -> None:
    """Show one line that is written over on a terminal, and a line at each quarter elsewhere."""
    on_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    quarters_shown = 0
    give_up_at = time.monotonic() + PATIENCE_S
    while worker.poll() is None:
        if time.monotonic() > give_up_at:
            say(f"\nit takes longer than {PATIENCE_S:.0f} s: stopped")
            worker.kill()
        counts = json.loads(jobrun.ask("status", "--json"))["counts"]
        done = sum(counts.get(state, 0) for state in FINAL)
        line = f"  {done:4} of {total} done, {counts.get('failed', 0)} failed"
        if on_terminal:
            print(f"\r{line}", end="", flush=True)
        elif done * 4 // total > quarters_shown:
            quarters_shown = done * 4 // total
            say(line)
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(0.2)
    if on_terminal:
        print("\r\x1b[K", end="")


# -- the check


def report(jobrun: Jobrun, plans: dict[int, Plan]) -> int:
    """Compare all answers, say what differs, and return the exit code."""
    jobs = {job["id"]: job for job in json.loads(jobrun.ask("list", "--json", "--limit", "10000"))}
    wrong = [line for job_id, plan in plans.items() if (line := difference(jobrun, plan, jobs.get(job_id)))]
    failures = sum(plan.fails_with is not None for plan in plans.values())
    for line in wrong:
        say(f"wrong: {line}")
    if wrong:
        say(f"\nchecked {len(plans)} jobs: {len(wrong)} are not as they should be")
        return 1
    say(
        f"\nthe {failures} failed jobs are those that were made to fail, and the one to be retried took 2 attempts"
    )
    say(f"checked {len(plans) - failures} results against the same work done directly: all equal")
    tell_what_next(jobrun, plans)
    return 0


def difference(jobrun: Jobrun, plan: Plan, job: dict[str, Any] | None) -> str | None:
    """Say in one line what is not as it should be, or return None."""
    if job is None:
        return f"the job for `{plan.request}` is gone"
    found = (job["state"], job["attempt"], answer(jobrun, job))
    if plan.direct is None:
        wanted = ("failed", plan.attempts, plan.fails_with)
    else:
        wanted = ("succeeded", plan.attempts, plan.direct())
    return None if found == wanted else f"job {job['id']} `{plan.request}` gave {found}, and not {wanted}"


def answer(jobrun: Jobrun, job: dict[str, Any]) -> Any:
    """Return the result of a call, what a command printed, or why either failed."""
    if job["state"] != "succeeded":
        return job["error"]["type"] if job["error"] else f"exit {job['exit_code']}"
    return job["result"] if job["kind"] == "call" else jobrun.ask("logs", str(job["id"])).encode()


def tell_what_next(jobrun: Jobrun, plans: dict[int, Plan]) -> None:
    last_failed = max(job_id for job_id, plan in plans.items() if plan.fails_with)
    say("\nLook around:")
    say(f"  export JOBRUN_DB={shlex.quote(str(jobrun.job_file))}")
    say(f"  PATH={shlex.quote(str(Path(jobrun.program).parent))}:$PATH")
    for words in (
        f"inspect {last_failed}",
        "list --limit 5",
        f"logs {last_failed + 1} | sort -n | tail -3",
        "failed --retry",
    ):
        say(f"  jobrun {words}")


def find_program() -> str:
    """Return the jobrun that was installed with this Python, or the one on PATH."""
    beside = Path(sys.executable).with_name("jobrun")
    found = str(beside) if beside.exists() else shutil.which("jobrun")
    return found or sys.exit("jobrun is not installed; `./install.sh try` does all of it")


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
