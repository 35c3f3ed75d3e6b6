"""The one table of what `enqueue` can be asked for; plain tuples, since `enqueue` stands in loops.

The two parsers, batch files and the help page are made of it.
"""

from __future__ import annotations

WHAT, WHEN, HOW, NAMED, ANSWER = "What to run", "When", "How hard to try", "Names", "Answer"

# How a value is read. FLAG takes none; TEXTS may be repeated.
FLAG, TEXT, TEXTS, WHOLE, DURATION, AFTER, INSTANT, INSTANT_OR_DURATION, POLICY, JSON, DURABILITY = range(11)

# Flags, the last one long; what the option sets; its group; its metavar; how its value is read; its help.
TABLE = (
    (("--shell",), "shell", WHAT, "LINE", TEXT,
     "a line for /bin/sh, with your directory, umask and environment"),
    (("-x", "--exec"), "exec", WHAT, None, FLAG,
     "what follows `--` is a command and its arguments, no shell"),
    (("--args",), "args", WHAT, "JSON", JSON,
     "the arguments as a JSON list, or named ones as an object; @FILE or - to read it"),
    (("--kwargs",), "kwargs", WHAT, "JSON", JSON,
     "the named arguments as a JSON object; @FILE or - to read it"),
    (("--batch",), "batch", WHAT, "FILE", TEXT,
     "one job a line, as words or as a JSON object; - reads standard input"),
    (("--check",), "check", WHAT, None, FLAG,
     "import the function first, in a process of its own; refuse what does not fit"),
    (("--in",), "in", WHEN, "DUR", AFTER,
     "not before this long from now: 90s, 5m, 2h, 1d, 1h30m"),
    (("--eta",), "eta", WHEN, "WHEN", INSTANT,
     "not before: 18:00, tomorrow 06:30, 2027-03-01 10:00, or RFC 3339"),
    (("--expires",), "expires", WHEN, "WHEN|DUR", INSTANT_OR_DURATION,
     "do not start it later than this, or than this long after it is due"),
    (("-Q", "--queue"), "queue", WHEN, "QUEUE", TEXT,
     "the queue; default: default"),
    (("--priority",), "priority", WHEN, "N", WHOLE,
     "higher runs first; default: 0"),
    (("--retries",), "retries", HOW, "N", WHOLE,
     "further attempts after a failure, 0 to 100; default: 0"),
    (("--backoff",), "backoff_s", HOW, "DUR", DURATION,
     "longest wait before the first retry, doubled each time; default: 10s"),
    (("--max-backoff",), "max_backoff_s", HOW, "DUR", DURATION,
     "longest wait of all; default: 10m"),
    (("--timeout",), "timeout_s", HOW, "DUR", DURATION,
     "time limit of each attempt; default: none"),
    (("--on-crash",), "on_crash", HOW, "POLICY", POLICY,
     "if its worker dies: retry while retries are left, park or fail; default: retry"),
    (("--isolate",), "isolate", HOW, None, FLAG,
     "run the call in a fork of its own: what it does to its process ends with it"),
    (("--key",), "key", NAMED, "KEY", TEXT,
     "at most one unfinished job has it; if taken, that job is the answer"),
    (("--name",), "name", NAMED, "NAME", TEXT,
     "a name to find it by"),
    (("--tag",), "tags", NAMED, "TAG", TEXTS,
     "a tag to find it by; may be repeated"),
    (("-q", "--quiet"), "quiet", ANSWER, None, FLAG,
     "print the id alone"),
    (("--json",), "json", ANSWER, None, FLAG,
     "print the job as JSON"),
    (("--durability",), "durability", ANSWER, "full|fast", DURABILITY,
     "fast: do not wait for the disk; a power cut may lose it; default: full"),
    (("--wait",), "wait", ANSWER, None, FLAG,
     "wait for it and exit with its code"),
    (("--follow",), "follow", ANSWER, None, FLAG,
     "show its output while waiting"),
)  # fmt: skip
