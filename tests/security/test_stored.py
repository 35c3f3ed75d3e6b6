"""What is stored is text that nobody runs: not unpickled, not evaluated, not taken apart by a shell."""

from __future__ import annotations

import base64
import json
import pickle
import re
from pathlib import Path

import pytest

import jobrun
from tests.process.site import Site

PACKAGE = Path(jobrun.__file__).parent
RUNS_WHAT_IT_READS = re.compile(
    r"(import|from)\s+(pickle|cPickle|_pickle|marshal|shelve|yaml|dill|cloudpickle|jsonpickle|code|codeop)\b"
    r"|(?<![.\w])(eval|exec|compile|__import__)\s*\(|\bloads?_?module\b|shell\s*=\s*True|os\.(system|popen)\("
)


class Trap:
    """What unpickles this runs it."""

    def __init__(self, told: Path) -> None:
        self.told = told

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.told), "w")


def test_no_module_can_run_what_it_reads() -> None:
    found = {
        f"{path.name}:{number}": line.strip()
        for path in PACKAGE.rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if RUNS_WHAT_IT_READS.search(line.partition("#")[0]) and "re.compile(" not in line
    }

    assert found == {}


@pytest.mark.process
def test_a_pickle_stays_the_text_that_it_is(site: Site) -> None:
    told = site.folder / "told"
    pickled = pickle.dumps(Trap(told))
    texts = [
        pickled.decode("latin-1").replace("\0", "0"),
        base64.b64encode(pickled).decode(),
        "cos\nsystem\n(S'true'\ntR.",
    ]
    jobs = [site.call("echo", text, kwargs={}) for text in texts]

    site.burst()

    assert [json.loads(site.job(job_id).result or "") for job_id in jobs] == texts
    assert not told.exists()


@pytest.mark.process
@pytest.mark.parametrize(
    "text", ["__import__('os').system('true')", "{{7*7}}", "${HOME}", "%(x)s {0!r}", "$(id)", "`id`"]
)
def test_a_text_that_is_code_elsewhere_is_a_text(site: Site, text: str) -> None:
    job_id = site.call("echo", {"a": [text], text: text})

    site.burst(n=1)

    assert json.loads(site.job(job_id).result or "") == {"a": [text], text: text}
