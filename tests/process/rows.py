"""Which test answers which row of the catalogue of hostile jobs, and where our answer is another one, why."""

from __future__ import annotations

_HOSTILE = "tests/process/test_hostile_tasks.py::test_"
_LIMITS = "tests/process/test_limits.py::test_"
_ENDS_WORKER = f"{_HOSTILE}a_task_that_ends_its_worker_has_crashed_with_the_cause"
_FAILS = f"{_HOSTILE}a_task_that_fails_says_why_and_keeps_its_worker"
_NOT_KEPT = f"{_HOSTILE}a_result_that_cannot_be_kept_is_noted_and_fails_nothing"
_EXITS = f"{_HOSTILE}sys_exit_is_read_as_the_interpreter_reads_it"
_SHELL = f"{_HOSTILE}a_shell_line_that_fails_says_how"

ROWS: dict[int, str] = {
    91: _NOT_KEPT,  # sets, bytes, objects, NaN, 10 MB, circles
    92: f"{_HOSTILE}a_result_whose_repr_hangs_is_under_the_time_limit",
    93: _EXITS,
    94: _EXITS,
    95: _ENDS_WORKER,
    96: _ENDS_WORKER,
    97: _ENDS_WORKER,  # SIGSEGV, abort, SIGKILL; counted: test_deaths, three of them are poison
    98: f"{_HOSTILE}a_signal_that_a_task_sends_itself_reaches_its_own_handler_and_nobody_else",
    99: "tests/process/test_deaths.py::test_workers_die_with_their_supervisor_and_the_next_group_settles_their_jobs",
    100: _ENDS_WORKER,  # kills_its_session; the others are unharmed, as in each of these tests
    101: f"{_HOSTILE}a_message_of_fifty_megabytes_is_cut",
    102: _FAILS,  # an overflow of C's stack is a SIGSEGV: row 97
    103: _FAILS,
    104: _FAILS,
    105: "tests/process/test_output.py::test_output_without_end_is_stopped_by_the_time_limit",
    106: "tests/process/test_output.py::test_a_line_of_a_hundred_mebibytes_keeps_head_and_tail",
    107: "tests/process/test_warm_workers.py::test_output_goes_on_after_a_call_has_closed_its_descriptors",
    108: _ENDS_WORKER,
    109: f"{_HOSTILE}a_task_that_forks_and_ends_in_both_is_reported_once",
    110: f"{_HOSTILE}a_daemon_that_a_task_leaves_is_ended_and_noted",  # kept: test_terms
    111: f"{_HOSTILE}a_thread_that_a_task_leaves_is_noted",
    112: f"{_HOSTILE}what_can_be_called_is_called",  # pools, threads and forks
    113: "tests/process/test_warm_workers.py::test_what_a_call_changes_in_its_worker_is_put_back",
    114: f"{_LIMITS}a_call_that_does_not_end_is_killed_after_the_grace",
    115: f"{_HOSTILE}a_task_that_becomes_another_user_ends_and_is_replaced",  # setsid, PDEATHSIG: test_limits
    116: _FAILS,
    117: _FAILS,
    118: _FAILS,
    119: "tests/chaos/test_drills.py::test_a_short_round_of_every_drill_holds",  # full
    120: f"{_HOSTILE}an_import_that_hangs_is_under_the_time_limit",
    121: _FAILS,
    122: "tests/process/test_refusals.py::test_a_job_that_removes_the_job_file_ends_its_group",
    123: "tests/process/test_sharing.py::test_a_job_file_that_is_opened_closed_and_copied_by_jobs_loses_nothing",
    124: "tests/store/test_sqlite.py::test_the_file_refuses_a_lie_whoever_tells_it",
    125: "tests/process/test_nested.py::test_a_job_that_enqueues_in_a_loop_is_one_of_many_writers",
    126: "tests/process/test_nested.py::test_a_job_may_start_a_group_of_its_own",
    127: "tests/chaos/test_drills.py::test_a_short_round_of_every_drill_holds",  # clock
    128: "tests/chaos/test_drills.py::test_a_short_round_of_every_drill_holds",  # trees
    129: f"{_HOSTILE}what_can_be_called_is_called",
    130: f"{_HOSTILE}what_trying_again_cannot_mend_is_not_tried_again",
    131: f"{_HOSTILE}a_command_that_cannot_start_says_why_and_is_not_tried_again",
    132: _SHELL,
    133: "tests/loops/test_naps.py::test_a_sleep_that_was_much_too_long_counts_against_no_time_limit",
    134: f"{_LIMITS}a_call_that_does_not_end_is_killed_after_the_grace",  # stops_itself
    135: "tests/process/test_core.py::test_jobs_may_leave_the_cores_that_the_group_was_started_with",
}

OTHERWISE: dict[int, str] = {
    91: "a note in words instead of a JSON object: a result is what the function returned, or null",
    95: "crashed, not failed: nobody said how the attempt ended, and a crash is parked unless it may be retried",
    96: "crashed, as 95",
    97: "crashed, as 95",
    98: "a signal to oneself without a handler does nothing: in an end by `kill` of the whole control group each"
    " process gets the same one, and a running job has to end by itself then; which of both it is cannot be told",
    108: "crashed: the worker has no way left to say how the call ended, and no exit status is proof",
    111: "noted, not ended: nobody can end a thread but by ending its process, and many libraries keep some",
    113: "what lies in modules stays, monkeypatches and the state of `random` among them: run such a job as a command",
    118: "MemoryError is tried; a kill for want of memory is told from others by the kernel's count (tests/run)",
    122: "the group leaves with 4; it cannot go on without the file",
    125: "there is no limit per queue yet: the disk is the limit, and a full one is said",
    126: "allowed: several groups may share a job file, and a group that a job started ends with that job",
    128: "trees that breed and run away are ended; a bomb without a limit of processes is not tried: it takes the host",
    133: "a suspended host is tried as a group that was stopped: the limit is of the monotonic clock",
    134: "not shown as stopped: the state of a job is that of its attempt, not of a process",
}
