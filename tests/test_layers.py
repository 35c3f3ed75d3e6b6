"""The shape of the package: floors, homes of libraries, sizes, and words that have one place."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jobrun

PACKAGE = Path(jobrun.__file__).parent

# A module imports from lower floors and from its own room only.
FLOORS = [
    {"errors", "frozen"},
    {"model", "units", "measures", "ranks", "places", "durability", "private", "trouble", "ways", "keeping"}
    | {"queues"},
    {"paths"},
    {"payload"},
    {"lifecycle", "when", "requests", "unusual", "cron", "health"},
    {"alerts"},
    {"locks", "bell", "signals", "procs", "zone", "log", "patience", "wire", "notify", "steps", "clocksync"},
    {"store", "run", "table", "messenger"},
    {"dispatcher", "worker", "actions", "scheduler", "crontab", "solo"},
    {"supervisor"},
    {"cli", "api", "herald"},
    {"__init__", "__main__"},
]
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}

# Where a library may be imported: rooms, or modules that need it for one thing.
HOMES = {
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "sqlite3": {"store"},
    "sqlite_utils": {"store"},
    "croniter": {"cron"},
    "tomllib": {"table", "cli/editpage.py"},
    "filelock": {"locks"},
    "prometheus_client": {"cli/prometheus.py"},
    "fcntl": {"locks"},
    "subprocess": {
        "run/command.py",
        "cli/checking.py",
        "cli/editor.py",
        "crontab/sources.py",
        "scheduler/courier.py",
        "scheduler/heralding.py",
    },
    "ctypes": {"bell.py", "clocksync.py", "procs.py", "run/environ.py", "run/output.py"},
    "asyncio": {"run/call.py"},
    "urllib": {"messenger.py"},
    "ssl": {"messenger.py"},
    "socket": {"notify.py", "wire/channel.py", "supervisor"},
}
# What would run bytes that it reads, or has no place in one small package.
NOWHERE = {"pickle", "marshal", "shelve", "yaml", "multiprocessing", "concurrent", "logging", "http"}
DRAWERS = {"utils.py", "helpers.py", "base.py", "types.py", "constants.py", "common.py", "misc.py"}

LONGEST_FUNCTION, LONGEST_MODULE, MOST_PARAMETERS = 40, 300, 5
# Exceptions, each with its reason.
LONG = {("store/rows.py", "job_of")}  # one line a column, nothing else
# What is slow to import and has no use for most: sqlite-utils, difflib, the words of cron, and for `enqueue` most others.
LATE = {
    ("errors.py", "difflib"),
    ("run/again.py", "jobrun.run.debugger"),  # pdb
    ("bell.py", "ctypes"),
    ("store/environments.py", "json"),
    *(("store/opening.py", f"jobrun.store.{name}") for name in ("migrations", "faults", "readonly")),
    ("store/database.py", "jobrun.store.faults"),
    ("store/opening.py", "pathlib"),
    ("store/opening.py", "jobrun.trouble"),
    *(("store/__init__.py", name) for name in ("importlib", "jobrun.store.medium", "jobrun.store.whole")),
} | {
    ("store/whole.py", f"jobrun.store{part}")
    for part in (
        "",
        ".entries",
        ".aging",
        ".exporting",
        ".merging",
        ".soundness",
        ".ticks",
        ".tables",
        ".creation",
        ".pings",
        ".measuring",
        ".usual",
        ".sections",
        ".tallies",
        ".standing",
        ".history",
        ".alerts",
        ".readings",
        ".pulse",
        ".integrity",
        ".edits",
    )
}
OPTIONS = "cli/commands/"  # typer reads the options of a command from its parameters

SQL = re.compile(
    r"\s*(SELECT\s.*\sFROM|INSERT\s(OR\s\w+\s)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b", re.DOTALL
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """One source file of the package, parsed."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(PACKAGE).as_posix()
        self.room = self.name.partition("/")[0].removesuffix(".py")
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text, path)
        self.nodes = list(ast.walk(self.tree))
        self.imports = list(self._imports())
        self.functions = [node for node in self.nodes if isinstance(node, Function)]

    def _imports(self) -> Iterator[tuple[str, bool]]:
        """Yield every imported name at any depth, and whether it stands at the top of the file."""
        for node in self.nodes:
            is_top = node in self.tree.body
            if isinstance(node, ast.Import):
                yield from ((alias.name, is_top) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno}: names are written out in full"
                inner = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (
                    (name, is_top) for name in (inner if node.module == "jobrun" else [node.module or ""])
                )


MODULES = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]


def _offenders(find: Callable[[Module], list[str]]) -> dict[str, list[str]]:
    """Return what `find` finds wrong, by module."""
    return {module.name: found for module in MODULES if (found := find(module))}


def _length(function: Function) -> int:
    """Count the lines of a function, without its docstring and the inner lines of long literals."""
    assert function.end_lineno is not None
    uncounted: set[int] = set()
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        uncounted.update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    for node in ast.walk(function):
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            uncounted.update(range(node.lineno + 1, (node.end_lineno or 0) + 1))
    return len(set(range(function.lineno, function.end_lineno + 1)) - uncounted)


def _parameters(function: Function) -> int:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(each.arg not in ("self", "cls") for each in every)


def test_imports_point_down() -> None:
    def upward(module: Module) -> list[str]:
        inner = [
            name for name, _ in module.imports if name.startswith("jobrun.") and name != "jobrun.__version__"
        ]
        rooms = {name: name.split(".")[1] for name in inner}
        here = FLOOR_OF[module.room]
        return [name for name, room in rooms.items() if room != module.room and FLOOR_OF[room] >= here]

    assert _offenders(upward) == {}


def test_a_library_is_imported_in_its_home_alone() -> None:
    def homeless(module: Module) -> list[str]:
        tops = {name.partition(".")[0] for name, _ in module.imports}
        return [top for top in tops & HOMES.keys() if not {module.name, module.room} & HOMES[top]]

    assert _offenders(homeless) == {}


def test_a_library_from_elsewhere_has_a_home() -> None:
    known = sys.stdlib_module_names | HOMES.keys() | {"jobrun"}

    def unknown(module: Module) -> list[str]:
        return [name for name, _ in module.imports if name.partition(".")[0] not in known]

    assert _offenders(unknown) == {}


def test_below_the_command_line_imports_stand_at_the_top() -> None:
    def late(module: Module) -> list[str]:
        if FLOOR_OF[module.room] >= FLOOR_OF["cli"]:
            return []
        return [name for name, is_top in module.imports if not is_top and (module.name, name) not in LATE]

    assert _offenders(late) == {}


def test_what_would_run_the_bytes_it_reads_is_imported_nowhere() -> None:
    def dangerous(module: Module) -> list[str]:
        return [name for name, _ in module.imports if name.partition(".")[0] in NOWHERE]

    assert _offenders(dangerous) == {}


def test_no_text_is_run_as_code() -> None:
    def runs(module: Module) -> list[str]:
        names = [node.id for node in module.nodes if isinstance(node, ast.Name)]
        return [name for name in names if name in ("eval", "exec", "compile", "__import__")]

    assert _offenders(runs) == {}


def test_sql_stands_in_the_store_alone() -> None:
    def statements(module: Module) -> list[str]:
        constants = [node.value for node in module.nodes if isinstance(node, ast.Constant)]
        texts = [value for value in constants if isinstance(value, str)]
        return [text for text in texts if SQL.match(text) and module.room != "store"]

    assert _offenders(statements) == {}


def test_a_cursor_is_always_read_to_its_end() -> None:
    def partial(module: Module) -> list[str]:
        names = [node.attr for node in module.nodes if isinstance(node, ast.Attribute)]
        return [name for name in names if name in ("fetchone", "fetchmany")]

    assert _offenders(partial) == {}


def test_a_module_fits_the_head() -> None:
    def long(module: Module) -> list[str]:
        lines = module.text.count("\n")
        return [f"{lines} lines"] if lines > LONGEST_MODULE else []

    assert _offenders(long) == {}


def test_a_function_fits_the_screen() -> None:
    def long(module: Module) -> list[str]:
        sizes = {
            each.name: _length(each) for each in module.functions if (module.name, each.name) not in LONG
        }
        return [f"{name}: {size} lines" for name, size in sizes.items() if size > LONGEST_FUNCTION]

    assert _offenders(long) == {}


def test_a_function_takes_few_parameters() -> None:
    def wide(module: Module) -> list[str]:
        if module.name.startswith(OPTIONS):
            return []
        return [each.name for each in module.functions if _parameters(each) > MOST_PARAMETERS]

    assert _offenders(wide) == {}


def test_a_module_is_named_for_what_it_does() -> None:
    assert _offenders(lambda module: [module.name] if module.name.rpartition("/")[2] in DRAWERS else []) == {}


def test_a_module_says_first_what_it_is_for() -> None:
    def silent(module: Module) -> list[str]:
        first = (ast.get_docstring(module.tree) or "nothing").splitlines()[0]
        return [] if first.endswith((".", "?")) else [first]

    assert _offenders(silent) == {}
