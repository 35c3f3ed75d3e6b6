#!/bin/sh
# Run all tests on several Pythons, one after the other, each as strict as Python can be:
#
#     tests/versions.sh python3.11 python3.12 python3.13 python3.14
#     SQLITE=/folder/of/libsqlite3.so.0 tests/versions.sh python3.11
#
# ARGUMENTS are pytest's. Warnings are errors in all that the tests start, too. The environment in .venv/ is made
# anew for each of them, and that of the last one stays.
set -eu
cd -- "$(dirname -- "$0")/.."
[ $# -gt 0 ] || { echo 'usage: [SQLITE=FOLDER] [ARGUMENTS=...] tests/versions.sh PYTHON...' >&2 && exit 64; }
export LD_LIBRARY_PATH="${SQLITE:-}${SQLITE:+${LD_LIBRARY_PATH:+:}}${LD_LIBRARY_PATH:-}"
harmless=ignore:Binding:DeprecationWarning # see filterwarnings in pyproject.toml
failed=''
for python; do
    PYTHON=$python ./install.sh test --version >/dev/null # before the rest: pip is not that strict
    .venv/bin/python -c 'import sqlite3, sys; print("Python", sys.version.split()[0], "SQLite", sqlite3.sqlite_version)'
    # shellcheck disable=SC2086 # they are words
    PYTHONDEVMODE=1 PYTHONWARNINGS="error,$harmless" .venv/bin/python -m pytest -q ${ARGUMENTS:-} || failed="$failed $python"
done
[ -z "$failed" ] || { echo "failed on:$failed" >&2 && exit 1; }
