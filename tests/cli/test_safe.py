from __future__ import annotations

import re

import pytest

from jobrun.cli.safe import safe_bytes, safe_line, safe_text

HARMLESS = re.compile(r"[\x20-\x7e\n\t\xa1-\xac\xae-\xff]*")

CONTROL_STRINGS = [
    b"\x1b]0;title\x07",  # OSC: sets the window's title
    b"\x1b]52;c;cm0gLXJm\x07",  # OSC 52: writes the clipboard
    b"\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\",  # OSC 8: a hidden link
    b"\x1b[2J\x1b[1;1H",  # CSI: clears the screen
    b"\x1b[6n",  # CSI: the terminal answers on our stdin
    b"\x9b31m",  # CSI in one byte
    b"\xc2\x9b31m",  # the same as UTF-8
    b'\x1bP$q"p\x1b\\',  # DCS
    b"\x90payload\x9c",  # DCS in one byte
    b"\x1bX\x1b^\x1b_",  # SOS, PM, APC
    b"\x0e\x0f\x08\x08\x7f\r",  # shifts, backspaces, DEL, carriage return
]


@pytest.mark.parametrize("byte", range(256))
def test_no_single_byte_reaches_the_terminal_as_a_control(byte: int) -> None:
    shown = safe_bytes(b"a" + bytes([byte]) + b"b")

    assert HARMLESS.fullmatch(shown)
    assert shown.startswith("a")
    assert shown.endswith("b")


def test_all_bytes_at_once_are_harmless() -> None:
    assert HARMLESS.fullmatch(safe_bytes(bytes(range(256))))


@pytest.mark.parametrize("data", CONTROL_STRINGS)
def test_control_strings_are_shown_not_obeyed(data: bytes) -> None:
    assert HARMLESS.fullmatch(safe_bytes(data))


@pytest.mark.parametrize(
    "char", [chr(c) for c in range(0x20)] + ["\x7f"] + [chr(c) for c in range(0x80, 0xA0)]
)
def test_a_line_has_no_control_character_at_all(char: str) -> None:
    assert safe_line(char).isprintable()


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\x1b", "\\x1b"),
        ("\u202e", "\\u202e"),  # right-to-left override: `gpj.exe` reads as `exe.jpg`
        ("\u2066", "\\u2066"),
        ("\u200f", "\\u200f"),
        ("\u061c", "\\u061c"),
        ("\u2028", "\\u2028"),
        ("\u3164", "\\u3164"),  # a letter without ink
        ("\U000e0101", "\\U000e0101"),  # text may hide in a row of these
        ("\u2029", "\\u2029"),
        ("\u200b", "\\u200b"),
        ("\u200d", "\\u200d"),
        ("\ufeff", "\\ufeff"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_hides_or_reorders_becomes_visible(char: str, shown: str) -> None:
    assert safe_text(f"a{char}b") == f"a{shown}b"


def test_plain_text_of_any_script_stays_as_it_is() -> None:
    text = "naïve Größe 北京 Ελλάδα שלום 🙂\n\tend"

    assert safe_text(text) == text


def test_bytes_that_are_not_utf8_are_shown_one_by_one() -> None:
    assert safe_bytes(b"ok \xff\xfe \xc3") == "ok \\xff\\xfe \\xc3"


def test_a_line_shows_its_newlines_and_tabs() -> None:
    assert safe_line("one\ntwo\tthree") == "one\\ntwo\\tthree"
