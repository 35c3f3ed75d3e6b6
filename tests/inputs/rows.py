"""The catalogue of bad input: each row, and the tests that hold what is answered to it.

Rows 1 to 70 are about the command line, 71 to 90 about tables, 91 to 135 about what tasks do.
`otherwise` says where the answer is not the one that the catalogue proposed, and why.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """What is put in, the tests of the answer, and how the answer differs from the proposal."""

    what: str
    tests: tuple[str, ...]
    otherwise: str = ""


LINE = "tests/inputs/test_command_line.py::test_a_line_that_cannot_be_is_one_error_and_changes_nothing"
TABLE = "tests/inputs/test_table.py::test_a_table_that_cannot_be_is_refused_with_its_lines"
_LINES, _AROUND = "tests/inputs/test_command_line.py", "tests/inputs/test_surroundings.py"
_ENQUEUE, _FILE = "tests/cli/test_enqueue.py", "tests/inputs/test_job_file.py"
_OPENING, _SQLITE = "tests/store/test_opening.py", "tests/store/test_sqlite.py"
_SHELL = f"{_ENQUEUE}::test_what_the_shell_around_it_does_wrong_is_said_in_one_line"
_REFUSED_FILE = f"{_OPENING}::test_what_is_no_job_file_of_ours_is_refused_and_left_alone"
_TASKS = "tests/process/test_hostile_tasks.py"
_CRON, _TABLES = "tests/loops/test_scheduler.py", "tests/inputs/test_table.py"
_KEPT = f"{_CRON}::test_a_table_with_an_error_is_not_taken_and_that_is_said_once"


def _line(what: str, *more: str, otherwise: str = "") -> Row:
    return Row(what, (LINE, *more), otherwise)


def _table(what: str, *more: str, otherwise: str = "") -> Row:
    return Row(what, (TABLE, *more), otherwise)


COMMAND_LINE = {
    1: Row(
        "no words",
        (f"{_LINES}::test_row_1_alone_it_tells_what_there_is_or_what_to_try",),
        "it shows the status, as man/jobrun.1 says",
    ),
    2: _line("a mistyped verb"),
    3: _line("enqueue without a target"),
    4: _line("a target without a colon"),
    5: _line("a target with dots alone"),
    6: _line("targets with empty parts"),
    7: _line("a target with other characters"),
    8: _line("a path for a target"),
    9: _line("names with double underscores"),
    10: _line("a target of other letters"),
    11: _line("a target without end"),
    12: _line("control characters in a target"),
    13: _line("words that are no UTF-8", _SHELL),
    14: Row(
        "a module that is not there",
        (
            f"{_ENQUEUE}::test_a_call_that_fails_its_check_is_not_queued",
            f"{_TASKS}::test_what_trying_again_cannot_mend_is_not_tried_again",
        ),
    ),
    15: Row(
        "a function that is not there",
        (
            f"{_ENQUEUE}::test_a_call_that_fails_its_check_is_not_queued",
            f"{_TASKS}::test_what_trying_again_cannot_mend_is_not_tried_again",
        ),
    ),
    16: Row(
        "classes, constants, coroutines",
        (
            f"{_TASKS}::test_what_can_be_called_is_called",
            f"{_TASKS}::test_what_trying_again_cannot_mend_is_not_tried_again",
        ),
        "whatever can be called is called, and a coroutine is run",
    ),
    17: _line("arguments that are no JSON"),
    18: _line("arguments that are no list or object"),
    19: _line("a key that stands twice"),
    20: _line("numbers that JSON has not"),
    21: _line("JSON without a bottom"),
    22: _line("half a character"),
    23: _line("a number of 5,000 digits"),
    24: _line(
        "a payload of 2 MiB", "tests/security/test_limits.py::test_a_flood_is_refused_with_flat_memory"
    ),
    25: _line(
        "arguments in a file that cannot be read",
        f"{_ENQUEUE}::test_a_fifo_that_nobody_writes_to_is_given_up",
    ),
    26: Row(
        "arguments from a terminal",
        (f"{_ENQUEUE}::test_standard_input_that_is_a_terminal_is_not_waited_for",),
    ),
    27: Row("a closed standard input", (_SHELL,)),
    28: _line("times that are none"),
    29: _line("a time that the clocks skip"),
    30: _line("a time that the clocks repeat"),
    31: Row("a time in the past", (f"{_ENQUEUE}::test_a_time_in_the_past_runs_now_and_says_so",)),
    32: _line("a time beyond the calendar"),
    33: _line("spans of time that are none"),
    34: _line("two answers to when"),
    35: _line("retries that are no number, or too many"),
    36: _line("a time limit of nothing"),
    37: _line("a priority beyond 64 bits"),
    38: _line("names that no queue can have"),
    39: Row(
        "a key that is taken",
        (f"{_ENQUEUE}::test_a_taken_key_is_answered_with_the_job_that_has_it",),
    ),
    40: _line(
        "an option given twice", f"{_LINES}::test_row_40_what_takes_no_value_or_many_may_be_given_twice"
    ),
    41: _line("a number of workers that cannot be"),
    42: Row(
        "workers twice on one job file",
        ("tests/process/test_sharing.py::test_two_groups_share_the_work_and_run_each_job_once",),
        "several groups may share a job file; of a table there is one scheduler (75)",
    ),
    43: _line(
        "workers without a job file", f"{_AROUND}::test_row_43_workers_do_not_make_the_folder_of_a_job_file"
    ),
    44: _line("a job file that is no file", _REFUSED_FILE),
    45: Row(
        "a job file of another program",
        (_REFUSED_FILE, "tests/process/test_refusals.py::test_another_programs_database_is_left_alone"),
    ),
    46: Row(
        "a job file of a newer jobrun",
        (f"{_LINES}::test_row_46_a_file_of_a_newer_jobrun_says_what_is_needed", _REFUSED_FILE),
        "it names the schema, not the version of the program: the file does not know that",
    ),
    47: Row(
        "a job file that is cut or has flipped bytes",
        (
            f"{_FILE}::test_row_47_a_flipped_byte_is_said_to_be_damage",
            f"{_SQLITE}::test_a_damaged_page_is_said_in_our_words",
            _REFUSED_FILE,
        ),
    ),
    48: Row("a job file on a network", (f"{_FILE}::test_row_48_a_job_file_on_a_network_is_refused",)),
    49: Row(
        "no permission, or a read-only disk",
        (
            f"{_OPENING}::test_a_file_that_may_not_be_read_is_unusable",
            f"{_OPENING}::test_a_file_that_may_only_be_read_says_so_when_written_to",
            f"{_OPENING}::test_a_folder_that_may_not_be_written_makes_no_job_file",
        ),
    ),
    50: Row("a job file that others can write", (_REFUSED_FILE,)),
    51: Row(
        "somebody else holds the job file locked",
        (f"{_SQLITE}::test_a_file_that_another_program_holds_is_busy_and_nothing_is_changed",),
        "a command gives up after 5 s",
    ),
    52: Row(
        "a full disk",
        (f"{_SQLITE}::test_when_there_is_no_room_what_was_acknowledged_is_there_and_nothing_else",),
    ),
    53: _line("ids that no job has", "tests/cli/test_acting.py::test_what_is_no_id_and_what_is_no_job"),
    54: Row("a retry of nothing", ("tests/cli/test_failed.py::test_retry_of_nothing_is_done",)),
    55: _line("a retry of what has not failed"),
    56: _line("retry and purge together"),
    57: _line("a purge of nothing named"),
    58: _line("a purge of a running job"),
    59: _line("a cancel of what has ended"),
    60: _line("a state that is none"),
    61: _line("a limit that is none", f"{_LINES}::test_row_61_a_limit_beyond_reason_is_capped_with_a_note"),
    62: Row(
        "a reader that leaves", ("tests/cli/test_list.py::test_a_reader_that_leaves_early_sees_no_traceback",)
    ),
    63: Row(
        "an output that takes nothing",
        (f"{_AROUND}::test_row_63_an_output_that_takes_nothing_is_an_error_in_one_line",),
    ),
    64: Row(
        "no window, no terminal",
        (f"{_AROUND}::test_row_64_no_window_and_no_colour_spoils_a_table",),
    ),
    65: Row(
        "a locale without letters",
        (f"{_AROUND}::test_row_65_a_locale_without_letters_has_them_written_out",),
    ),
    66: Row(
        "no home, no directory",
        (
            f"{_AROUND}::test_row_66_without_a_home_there_is_no_default_job_file",
            f"{_AROUND}::test_row_66_a_relative_state_folder_is_not_taken",
            f"{_AROUND}::test_row_66_a_job_file_that_is_made_is_named",
            "tests/cli/test_usage.py::test_a_working_directory_that_is_gone_is_no_bug",
        ),
    ),
    67: Row(
        "a zone that is none",
        (
            f"{_AROUND}::test_row_67_a_zone_that_is_none_is_refused_where_a_time_is_read",
            f"{_AROUND}::test_row_67_where_a_time_is_only_shown_utc_is_used_and_said_so",
            f"{_AROUND}::test_row_67_an_empty_zone_is_utc",
        ),
        "where a time is only shown, UTC is used and said so: a job is not refused for how it is told of",
    ),
    68: Row("too few file descriptors", (_SHELL,)),
    69: Row(
        "^C",
        (
            f"{_AROUND}::test_row_69_an_interrupt_leaves_an_id_and_a_job_or_neither",
            f"{_AROUND}::test_row_69_who_is_started_to_ignore_an_interrupt_ignores_it",
        ),
        "before our first line Python itself may answer, with a traceback of its own",
    ),
    70: Row(
        "one key at the same moment",
        (f"{_ENQUEUE}::test_two_who_ask_with_one_key_at_the_same_moment_get_one_job",),
    ),
}

TABLES = {
    71: _table(
        "no table",
        f"{_TABLES}::test_row_71_what_is_no_file_is_named",
        f"{_TABLES}::test_row_71_a_table_of_no_jobs_is_taken_with_a_warning",
        f"{_CRON}::test_a_table_of_which_nothing_is_left_is_not_taken",
        otherwise="a file of 0 bytes is refused: a full disk leaves that of a table",
    ),
    72: _table("a syntax error", _KEPT),
    73: _table("no UTF-8"),
    74: _table("what stands twice", f"{_TABLES}::test_row_74_both_lines_are_named_of_what_stands_twice"),
    75: _table("an unknown key"),
    76: _table("a value of the wrong type", "tests/table/test_problems.py::test_a_value_of_the_wrong_type_is_refused_with_what_is_expected"),
    77: _table("numbers and times that are none"),
    78: Row(
        "expressions that others read otherwise",
        (
            f"{_TABLES}::test_row_78_an_expression_that_others_read_otherwise_is_refused_with_its_reason",
            "tests/rules/test_cron_fields.py::test_what_is_refused_names_field_value_and_reason",
        ),
    ),
    79: _table("31 February"),
    80: _table("zones that are none"),
    81: _table("several things to run, or none"),
    82: _table("a command of nothing"),
    83: _table("bombs", "tests/table/test_files.py::test_a_bomb_is_refused_at_once"),
    84: Row("10,000 entries", ("tests/table/test_files.py::test_ten_thousand_entries_are_read",)),
    85: _table("six fields"),
    86: Row(
        "a table that others can write",
        (
            f"{_TABLES}::test_row_86_a_table_that_a_group_may_write_is_refused_for_safety",
            "tests/table/test_files.py::test_a_table_that_others_can_write_is_refused",
        ),
    ),
    87: Row("a table half written", (f"{_CRON}::test_a_changed_file_is_read_once_it_has_come_to_rest", _KEPT)),
    88: Row(
        "an entry removed while its job runs",
        ("tests/process/test_cron.py::test_a_hang_up_reads_the_table_again_and_leaves_running_jobs_alone",),
    ),
    89: Row(
        "an entry renamed",
        (
            f"{_CRON}::test_a_new_entry_makes_up_nothing_from_before",
            "tests/store/test_entries.py::test_an_entry_that_is_gone_is_still_known_and_comes_back_as_a_new_one",
        ),
    ),
    90: Row(
        "line ends of other systems",
        (f"{_TABLES}::test_row_90_line_ends_and_blanks_of_other_systems_are_read",),
    ),
}  # fmt: skip

ROWS: dict[int, Row] = {**COMMAND_LINE, **TABLES}
