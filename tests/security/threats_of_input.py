"""The threats that come with what is put in or shown, and the tests that hold the answer to each."""

from __future__ import annotations

_SHOWN, _LIMITS = "tests/security/test_shown.py", "tests/security/test_limits.py"

THREATS: dict[int, tuple[str, ...]] = {
    11: (
        f"{_SHOWN}::test_row_11_no_viewer_shows_what_a_terminal_obeys",
        "tests/cli/test_safe.py::test_control_strings_are_shown_not_obeyed",
        "tests/cli/test_logs.py::test_a_terminal_is_warned_of_raw_output",
    ),
    12: (f"{_SHOWN}::test_row_12_markup_in_a_name_is_just_a_name",),
    13: (f"{_SHOWN}::test_row_13_an_event_is_one_line_of_the_log_whatever_it_tells_of",),
    17: (
        f"{_LIMITS}::test_a_flood_is_refused_with_flat_memory",
        "tests/test_requests.py::test_arguments_over_a_mebibyte_are_refused_with_their_size",
        "tests/process/test_hostile_tasks.py::test_a_message_of_fifty_megabytes_is_cut",
    ),
    18: (
        f"{_LIMITS}::test_row_18_a_filter_is_a_value_and_no_statement",
        f"{_LIMITS}::test_row_18_a_filter_of_what_is_removed_is_a_value_too",
    ),
    19: ("tests/table/test_files.py::test_a_bomb_is_refused_at_once",),
    20: (f"{_LIMITS}::test_row_20_a_bomb_of_json_is_read_or_refused_at_once",),
    21: (f"{_LIMITS}::test_row_21_a_pattern_takes_no_time",),
    26: (f"{_SHOWN}::test_row_26_a_job_file_of_any_name_is_named_harmlessly",),
}
