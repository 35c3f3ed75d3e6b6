"""What the live screen shows of what it is told, and what its keys do; no terminal is needed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from os import terminal_size
from pathlib import Path
from typing import Any

import pytest

from jobrun.actions.watching import Look, Picture, QueueView, Repeated, Watcher
from jobrun.cli.top import deeds, reading
from jobrun.cli.top.frame import LEAST
from jobrun.cli.top.pager import Pager
from jobrun.cli.top.painting import Painter, plain
from jobrun.cli.top.screen import KEYS, Scene, screen
from jobrun.cli.top.sheets import Panel, bar, pace_style, sheets
from jobrun.cli.top.sight import Sight
from jobrun.cli.top.steering import Aim, Deed, Order, pressed
from jobrun.errors import NoSuchJob
from jobrun.measures import Measures, Pause, QueueMeasure, Usual
from jobrun.model import Job
from jobrun.store import Store

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
Finished = Any


def picture(store: Store, clock_s: float = 100.0) -> Picture:
    return Watcher(store).look(datetime.now(UTC), clock_s=clock_s)


def shown(found: Picture, columns: int = 80, lines: int = 24, **more: Any) -> list[str]:
    scene = Scene(path="/srv/jobs.db", picture=found, sheets=sheets(found, ()), **{"aim": Aim(), **more})
    return [plain(line) for line in screen(scene, found.at, terminal_size((columns, lines)))]


def with_queues(found: Picture, many: int) -> Picture:
    views = [
        QueueView(
            measure=QueueMeasure(queue=f"q{number:03}", ready=number, running=0, oldest_at=NOW, pause=None),
            per_minute=0.0,
        )
        for number in range(many)
    ]
    return Picture(
        at=found.at,
        running=found.running,
        queues=tuple(views),
        workers=found.workers,
        troubled=found.troubled,
        tables=found.tables,
        measures=found.measures,
    )


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (50, 12), (200, 60), (149, 13), (150, 40)])
def test_the_screen_is_filled_and_never_overflows(
    store: Store, start: Callable[..., Job], fail: Callable[..., Job], columns: int, lines: int
) -> None:
    fail("mail:" + "long" * 80)
    start("報告:作成" * 30, queue="q" * 60)
    found = with_queues(picture(store), 99)
    scene = Scene(path="/srv/" + "d" * 300, picture=found, sheets=sheets(found, ()), aim=Aim())

    painted_lines = screen(scene, found.at, terminal_size((columns, lines)))

    assert len(painted_lines) == lines
    assert max(len(plain(line)) for line in painted_lines) <= columns
    assert plain(painted_lines[-1]) == KEYS[:columns] or plain(painted_lines[-1]).endswith("…")


@pytest.mark.parametrize("size", [(LEAST.columns - 1, 40), (200, LEAST.lines - 1), (3, 1)])
def test_a_screen_that_is_too_small_says_so(store: Store, size: tuple[int, int]) -> None:
    found = shown(picture(store), *size)

    assert len(found) == size[1]
    assert found[0].startswith("too small"[: max(size[0] - 1, 0)])


def test_every_panel_has_its_heading_and_says_when_it_is_empty(store: Store) -> None:
    text = "\n".join(shown(picture(store)))

    for panel in Panel:
        assert f"  {panel.upper()}" in text
    assert "nothing runs" in text
    assert "start one with `jobrun worker`" in text


def test_what_runs_stands_beside_its_usual_time(
    store: Store, start: Callable[..., Job], end: Callable[..., Job]
) -> None:
    for _ in range(5):
        end("app:report")
    start("app:report")

    [row] = [line for line in shown(picture(store)) if "app:report" in line]

    assert row.split()[:4] == [">", "app:report", "6", "default"]
    assert re.fullmatch(r"[\d.]+s", row.split()[5])  # usually


@pytest.mark.parametrize(
    ("elapsed_s", "style"), [(1, ""), (20, ""), (21, "magenta"), (40, "magenta"), (41, "red")]
)
def test_a_run_that_is_longer_than_usual_stands_out(elapsed_s: float, style: str) -> None:
    assert pace_style(elapsed_s, Usual(median_s=10, p95_s=20, count=9)) == style


def test_a_run_of_a_moment_is_not_long_for_being_twice_as_long_as_ever() -> None:
    assert pace_style(0.5, Usual(median_s=0.01, p95_s=0.02, count=9)) == ""


def test_a_bar_is_full_at_the_usual_time_and_tells_what_is_beyond() -> None:
    usual = Usual(median_s=10, p95_s=20, count=9)

    assert [bar(at_s, usual) for at_s in (0, 5, 10, 19, 25, 99_999)] == [
        "........",
        "####....",
        "########",
        "########",
        "2.5 times",
        "100 times+",
    ]
    assert bar(5, None) == ""


def test_text_of_others_moves_nothing_on_the_screen(store: Store, fail: Callable[..., Job]) -> None:
    fail("app:\x1b[2Jf")

    assert not [line for line in shown(picture(store), trouble="\x1b[31mbad") if "\x1b" in line]


def test_a_queue_tells_who_paused_it(store: Store, add: Callable[..., Job]) -> None:
    add(queue="mail")
    now = datetime.now(UTC)
    until = now + timedelta(hours=2, seconds=1)
    store.pauses.begin(Pause(queue="mail", since=now, until=until, by="ann", reason="relay is down"))

    [row] = [line for line in shown(picture(store), 120) if "  mail " in line]

    assert row.endswith("paused by ann, ends in 2h: relay is down")


def test_queues_in_which_something_waits_stand_first(
    store: Store, start: Callable[..., Job], add: Callable[..., Job]
) -> None:
    start(queue="a")
    add(queue="b")
    rows = sheets(picture(store), ())[1].rows

    assert [row.key for row in rows] == ["b", "a"]


def test_a_count_that_is_not_of_now_says_when_it_was(store: Store, add: Callable[..., Job]) -> None:
    add()
    found = picture(store)
    old = Measures(
        **{
            name: getattr(found.measures, name)
            for name in ("queues", "scheduled", "failed", "crashed", "missed", "since")
        },
        at=found.at - timedelta(seconds=41),
    )
    stale = Picture(
        at=found.at,
        running=found.running,
        queues=found.queues,
        workers=found.workers,
        troubled=found.troubled,
        tables=found.tables,
        measures=old,
    )

    assert "COUNTED 41S AGO" in "\n".join(shown(stale))
    assert "COUNTED" not in "\n".join(shown(found))


def test_the_last_picture_stays_and_says_why_it_is_old(path: Path, add: Callable[..., Job]) -> None:
    add("app:kept", queue="mail")
    sight = Sight(path, datetime.now(UTC))
    before = sight.picture
    aside = path.with_name("aside")
    path.rename(aside)

    sight.refresh(datetime.now(UTC))
    line = shown(sight.picture, columns=500, trouble=sight.trouble)[1]

    assert sight.picture is before
    assert line.startswith("as it was at ")
    assert f"`{path}` was removed while it was in use" in line
    sight.close()


def test_a_file_that_is_back_is_looked_at_again(path: Path, add: Callable[..., Job]) -> None:
    sight = Sight(path, datetime.now(UTC))
    files = [path.with_name(f"{path.name}{end}") for end in ("", "-wal", "-shm")]
    for file in files:
        file.rename(file.with_name(f"aside-{file.name}"))
    sight.refresh(datetime.now(UTC))
    for file in files:
        file.with_name(f"aside-{file.name}").rename(file)
    add("app:new", queue="mail")
    sight.again_s = 0.0  # as if some seconds had passed
    sight.refresh(datetime.now(UTC))

    assert (sight.trouble, [view.measure.queue for view in sight.picture.queues]) == ("", ["mail"])
    sight.close()


def test_a_read_is_repeated_only_when_something_has_changed() -> None:
    numbers = count(1)
    repeated = Repeated(lambda _now: next(numbers), within_s=50.0)

    told = [
        repeated.value(Look(NOW, clock_s, changes, at_once))
        for clock_s, changes, at_once in [
            (100.0, 1, False),
            (110.0, 1, False),  # nothing was committed
            (120.0, 2, False),
            (130.0, 2, True),  # after an order
            (179.0, 2, False),
            (180.0, 2, False),  # it is old
        ]
    ]

    assert told == [1, 1, 2, 3, 3, 4]


def test_a_dear_read_rests_in_proportion_and_no_order_hurries_it() -> None:
    numbers, used_s = count(1), iter([0.0, 0.5, 10.0, 10.5])  # half a second each
    repeated = Repeated(lambda _now: next(numbers), share=0.01, used_s=lambda: next(used_s))

    told = [
        repeated.value(Look(NOW, clock_s, changes, at_once))
        for clock_s, changes, at_once in [
            (100.0, 1, False),
            (140.0, 2, True),
            (149.0, 3, False),
            (150.0, 4, False),
        ]
    ]

    assert told == [1, 1, 1, 2]


def test_a_picture_is_the_same_until_somebody_commits(path: Path, fail: Callable[..., Job]) -> None:
    fail("app:broken", queue="mail")
    with closing(Sight(path, datetime.now(UTC))) as sight:
        first = sight.picture
        sight.refresh(datetime.now(UTC))
        second = sight.picture
        assert second.troubled is first.troubled

        fail("app:again", queue="mail")
        sight.refresh(datetime.now(UTC), at_once=True)

    assert [job.task for job in sight.picture.troubled] == ["app:again", "app:broken"]


@pytest.fixture
def lists(store: Store, start: Callable[..., Job], fail: Callable[..., Job]) -> Any:
    """Return the panels of a file in which jobs 1 to 3 have failed and 4 runs."""
    for _ in range(3):
        fail(queue="mail")
    start(queue="web")
    return sheets(picture(store), ())


def press(lists: Any, *keys: str, aim: Aim | None = None) -> tuple[Aim, list[Order]]:
    aim, orders = aim or Aim(), []
    for key in keys:
        aim, order = pressed(aim, key, lists)
        if order:
            orders.append(order)
    return aim, orders


def test_tab_goes_round_the_panels_and_back(lists: Any) -> None:
    seen = [press(lists, *["tab"] * count)[0].panel for count in range(6)]

    assert seen == [*Panel, Panel.RUNNING]
    assert press(lists, "back-tab")[0].panel is Panel.NEXT


def test_the_choice_moves_among_rows_and_stops_at_the_ends(lists: Any) -> None:
    def at(*keys: str) -> str:
        return press(lists, "tab", "tab", *keys)[0].chosen[Panel.FAILED]

    newest, middle, oldest = "3", "2", "1"
    assert [at("j"), at("j", "down", "j"), at("k"), at("G"), at("G", "g"), at("j", "j", "up")] == [
        middle,
        oldest,
        newest,
        oldest,
        newest,
        middle,
    ]


def test_the_choice_stays_on_its_job_when_others_come(
    lists: Any, store: Store, fail: Callable[..., Job], settled: Callable[..., Job]
) -> None:
    aim, _ = press(lists, "tab", "tab", "j")
    [running] = store.endings.running()
    settled(running)
    fail(queue="mail")
    later = sheets(picture(store), ())

    _, [order] = press(later, "l", aim=aim)

    assert order == Order(Deed.LOG, job_id=2)


def test_what_is_chosen_is_marked_without_colour(lists: Any, store: Store) -> None:
    aim, _ = press(lists, "tab", "tab", "j")
    marked = [line for line in shown(picture(store), aim=aim) if line.startswith("> ")]

    assert [line.split()[2] for line in marked] == ["2"]


@pytest.mark.parametrize(
    ("key", "deed"), [("enter", Deed.LOG), ("l", Deed.LOG), ("i", Deed.INSPECT), ("r", Deed.RETRY)]
)
def test_a_key_is_for_the_chosen_job(lists: Any, key: str, deed: Deed) -> None:
    assert press(lists, "tab", "tab", key)[1] == [Order(deed, job_id=3)]


def test_a_job_is_cancelled_after_a_yes_alone(lists: Any) -> None:
    asking, none = press(lists, "c")

    assert (asking.question, none) == ("cancel job 4? y or n", [])
    assert press(lists, "c", "y")[1] == [Order(Deed.CANCEL, job_id=4)]
    for other in ("n", "enter", "q"):
        aim, orders = press(lists, "c", other)
        assert (aim.remark, orders) == ("left as it is", [])


def test_a_queue_is_paused_where_queues_are(lists: Any) -> None:
    assert press(lists, "tab", "p")[1] == [Order(Deed.PAUSE, queue="mail")]
    assert press(lists, "tab", "j", "p")[1] == [Order(Deed.PAUSE, queue="web")]
    assert press(lists, "p")[0].remark.startswith("choose a queue first")
    assert press(lists, "tab", "c")[0].remark.startswith("choose a job first")


def test_a_key_without_a_meaning_is_told(lists: Any) -> None:
    assert press(lists, "x")[0].remark == "no key `x`; ? names them"


@pytest.mark.usefixtures("lists")
def test_what_was_done_is_told_and_what_could_not_be_done_too(store: Store) -> None:
    def told(deed: Deed, job_id: int = 0, queue: str = "") -> str:
        return deeds.do(store, Order(deed, job_id, queue), now=datetime.now(UTC))

    assert told(Deed.RETRY, 1) == "job 1 is queued again"
    assert told(Deed.RETRY, 1) == "job 1 is ready"
    assert told(Deed.CANCEL, 1) == "job 1 is cancelled"
    assert told(Deed.CANCEL, 2) == "job 2 is failed"
    assert told(Deed.CANCEL, 4) == "job 4 is to be stopped by its worker"
    assert told(Deed.PAUSE, queue="mail").startswith("queue mail is paused")
    assert [pause.reason for pause in store.pauses.all(now=datetime.now(UTC))] == [deeds.REASON]
    assert told(Deed.PAUSE, queue="mail") == "queue mail goes on"
    with pytest.raises(NoSuchJob):
        told(Deed.RETRY, 99)


def pages(pager: Pager, lines: int = 5, columns: int = 20) -> list[str]:
    return [plain(line) for line in pager.screen(terminal_size((columns, lines + 2)))][1:-1]


def test_a_log_stays_at_its_end_until_somebody_goes_up() -> None:
    pager = Pager("job 1", at_end=True)
    pager.feed(b"".join(b"line %d\n" % number for number in range(9)))
    assert pages(pager)[-1] == "line 8"

    pager.pressed("k", 5)
    pager.feed(b"line 9\n")
    assert pages(pager)[-1] == "line 7"

    pager.pressed("G", 5)
    pager.feed(b"line 10\nhal")
    pager.feed(b"f\n")
    assert pages(pager)[-2:] == ["line 10", "half"]


def test_long_lines_of_a_log_are_folded_and_nothing_in_them_is_obeyed() -> None:
    pager = Pager("job 1", at_end=True)
    pager.feed(b"a" * 25 + b"\x1b[2J\xff\n" + "漢".encode() * 11)

    assert pages(pager) == ["a" * 20, "aaaaa\\x1b[2J\\xff", "漢" * 10, "漢", ""]


def test_a_page_is_scrolled_to_both_ends_and_no_further() -> None:
    pager = Pager("job 1", "\n".join(map(str, range(20))))
    seen = []
    for key in ("k", "page-down", "j", "G", "j", "page-up", "g"):
        pages(pager)
        pager.pressed(key, 5)
        seen.append(pages(pager)[0])

    assert seen == ["0", "4", "5", "15", "15", "11", "0"]


def test_a_page_about_a_job_is_what_inspect_prints(store: Store, fail: Callable[..., Job]) -> None:
    job = fail("app:broken")

    text = "\n".join(pages(reading.about(store, job.id, NOW), 40, 80))

    assert "app:broken" in text
    assert "attempt 1: error: exit 3" in text


def test_the_log_of_a_job_that_printed_nothing_says_so(store: Store, start: Callable[..., Job]) -> None:
    following = reading.Following(store, start().id)
    following.close()

    assert following.page.status == "running, attempt 1, has printed nothing"


def test_only_what_has_changed_is_painted_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    found = picture(store)
    scene = Scene(path="/srv/jobs.db", picture=found, sheets=sheets(found, ()), aim=Aim())
    size = terminal_size((80, 24))
    painter = Painter()

    first = painter.changes(screen(scene, found.at, size), 80)
    same = painter.changes(screen(scene, found.at, size), 80)
    later = painter.changes(screen(scene, found.at + timedelta(seconds=1), size), 80)

    assert "\x1b[24;1H" in first
    assert same == ""
    assert later.count("\x1b[1;1H") == 1
    assert later.count("H") == 1
    assert "\x1b[31m" not in first + later


def test_a_look_without_a_terminal_prints_everything_once(
    jobrun: Callable[..., Finished], fail: Callable[..., Job]
) -> None:
    fail("app:broken", queue="mail")
    done = jobrun("top", "--once")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 running, 0 ready, 0 scheduled, 1 failed; no worker\n")
    assert "\x1b" not in done.stdout


def test_a_picture_for_programs_is_one_object(
    jobrun_json: Callable[..., Any], start: Callable[..., Job], fail: Callable[..., Job]
) -> None:
    fail("app:broken", queue="mail")
    start("app:long", queue="web")
    found = jobrun_json("top")

    assert [job["task"] for job in found["running"]] == ["app:long"]
    assert [job["id"] for job in found["troubled"]] == [1]
    assert [(each["queue"], each["running"]) for each in found["queues"]] == [("mail", 0), ("web", 1)]
    assert (found["failed"], found["workers"], found["coming"]) == (1, [], [])
    text = (Path(__file__).resolve().parents[2] / "man" / "jobrun.1").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", text.partition(".Ss The screen")[2].partition(".Ss ")[0]))
    own = {"elapsed_s", "usual_s", "usual_p95_s", "usual_runs"}
    assert {*found, *found["queues"][0], *own} <= words
    assert own <= found["running"][0].keys()


@pytest.mark.usefixtures("store")
def test_without_a_terminal_it_says_what_to_do_instead(jobrun: Callable[..., Finished]) -> None:
    done = jobrun("top")

    assert (done.returncode, done.stdout) == (2, "")
    assert "needs a terminal" in done.stderr
    assert "hint: `jobrun top --once`" in done.stderr


@pytest.mark.usefixtures("store")
def test_an_interval_that_would_be_a_burden_is_refused(jobrun: Callable[..., Finished]) -> None:
    done = jobrun("top", "--once", "--interval", "0.1s")

    assert (done.returncode, "--interval" in done.stderr) == (2, True)


def test_looking_makes_no_job_file(jobrun: Callable[..., Finished], path: Path) -> None:
    assert (jobrun("top", "--once").returncode, path.exists()) == (4, False)


def test_a_queue_that_was_paused_stays_chosen_where_the_rows_change_places(
    path: Path, add: Callable[..., Job], store: Store
) -> None:
    add("app:one", queue="alpha")
    now = datetime.now(UTC)
    store.pauses.begin(Pause(queue="zeta", since=now, until=None, by="ann", reason=""))
    with closing(Sight(path, now)) as sight:
        before = sheets(sight.picture, ())
        aim, _ = pressed(Aim(), "tab", before)
        _, first = pressed(aim, "p", before)
        turned = tuple(
            replace(sheet, rows=tuple(reversed(sheet.rows))) if sheet.panel is Panel.QUEUES else sheet
            for sheet in before
        )
        _, again = pressed(aim, "p", turned)

    assert (first, again) == (Order(Deed.PAUSE, queue="alpha"), Order(Deed.PAUSE, queue="alpha"))


def test_an_entry_that_began_stands_at_once_with_its_next_run(
    path: Path, tmp_path: Path, load: Callable[..., None]
) -> None:
    file = tmp_path / "jobs.toml"
    file.write_text('[jobs.tick]\nshell = "true"\nevery = "10s"\n')
    now = datetime.now(UTC)
    load(file, now=now)
    with closing(Sight(path, now)) as sight:
        [first] = sight.coming
        for _ in range(200):  # a read that cost more rests for longer
            sight.refresh(first.occurrence.at)
            if sight.coming:
                break
            time.sleep(0.05)
        [second] = sight.coming

    assert second.occurrence.at - first.occurrence.at == timedelta(seconds=10)


def test_a_look_on_a_terminal_is_cut_to_fit(fail: Callable[..., Job], terminal: Callable[..., str]) -> None:
    fail(f"app:{'long' * 40}", queue="mail")
    told = re.sub(r"\x1b\[[0-9;]*m", "", terminal("top", "--once", columns=80, NO_COLOR=""))

    assert max(map(len, told.splitlines())) <= 80
    assert "…" in told


def test_a_long_pause_does_not_push_the_queues_over_the_edge(
    path: Path, add: Callable[..., Job], store: Store
) -> None:
    add("app:one", queue="mail")
    now = datetime.now(UTC)
    store.pauses.begin(Pause(queue="mail", since=now, until=None, by="ann", reason="the relay is down " * 10))
    with closing(Sight(path, now)) as sight:
        lines = shown(sight.picture, columns=80)

    heading = next(line for line in lines if "ENDS/MIN" in line)
    assert "…" not in heading
