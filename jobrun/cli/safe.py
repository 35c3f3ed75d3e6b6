r"""Foreign text made harmless for a terminal, at the last moment before it is shown.

Names, tasks, errors, output: whatever a job or its author wrote. What could move the cursor, forge or
reorder a line, or hide in it becomes a visible escape, as `\x1b` or `\u202e`; rich does none of this.
"""

from __future__ import annotations

import re

_FOREIGN = (
    "\x7f-\x9f"  # DEL and C1: a terminal may take 0x9b for ESC [
    "\xad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian vowel separator
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line ends, overrides, isolates
    "\ud800-\udfff"  # lone surrogates, which no encoding takes
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # joiners and fillers that nobody sees
    "\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # byte order mark, annotations, formats
    "\U00013430-\U0001343f\U000e0000-\U000e0fff"  # the same of hieroglyphs; tags, selectors of variants
)
_UNSAFE_IN_A_LINE = re.compile(f"[\x00-\x1f{_FOREIGN}]")
_UNSAFE_IN_TEXT = re.compile(f"[\x00-\x08\x0b-\x1f{_FOREIGN}]")


def safe_line(text: str) -> str:
    r"""Return one line in which everything that a terminal would obey is written out.

    >>> print(safe_line("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    return text if text.isascii() and text.isprintable() else _UNSAFE_IN_A_LINE.sub(_escape, text)


def safe_text(text: str) -> str:
    """Do the same, but leave line ends and tabs as they are."""
    return _UNSAFE_IN_TEXT.sub(_escape, text)


def safe_bytes(data: bytes) -> str:
    r"""Return what a job printed as safe text; bytes that are not UTF-8 become `\xff`.

    >>> print(safe_bytes(b"caf\xc3\xa9 \xff\x1b[0m"))
    café \xff\x1b[0m
    """
    return safe_text(data.decode("utf-8", "backslashreplace"))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")
