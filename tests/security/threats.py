"""Which test answers which row of the threat table."""

from __future__ import annotations

_HERE = "tests/security/test_"
_SHOWN, _LIMITS = f"{_HERE}shown.py", f"{_HERE}limits.py"

THREATS: dict[int, str] = {
    1: f"{_HERE}files.py::test_nothing_that_is_made_can_be_seen_by_others",
    2: f"{_HERE}links.py::test_a_link_beside_the_job_file_is_refused",
    3: f"{_HERE}root.py::test_every_entry_of_the_path_is_looked_at_also_one_that_is_not_there_yet",
    4: f"{_HERE}imports.py::test_a_module_in_the_working_directory_is_not_run_for_one_of_python",
    5: f"{_HERE}targets.py::test_what_is_more_than_names_is_refused",
    6: f"{_HERE}stored.py::test_a_pickle_stays_the_text_that_it_is",
    7: f"{_HERE}words.py::test_the_words_of_a_command_arrive_byte_for_byte",
    8: f"{_HERE}words.py::test_a_word_behind_two_dashes_is_an_argument_and_nothing_else",
    9: f"{_HERE}canaries.py::test_passers_by_and_logs_see_no_secret",
    10: f"{_HERE}canaries.py::test_one_job_shows_its_traceback_and_hides_what_is_called_a_secret",
    22: f"{_HERE}resources.py::test_no_more_jobs_run_at_once_than_there_are_workers",
    23: f"{_HERE}signals.py::test_a_number_that_is_given_away_while_we_look_is_not_signalled",
    24: f"{_HERE}sockets.py::test_a_working_group_has_no_socket_that_anybody_could_find",
    25: "tests/process/test_core.py::test_jobs_may_leave_the_cores_that_the_group_was_started_with",
    32: f"{_HERE}words.py::test_no_name_reaches_a_path",
}

# What is shown, and how much of it.
SHOWN: dict[int, tuple[str, ...]] = {
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

# Rows of what is not there yet: a web page (14-16), releases (27-31).
LATER = {14, 15, 16, 27, 28, 29, 30, 31}
