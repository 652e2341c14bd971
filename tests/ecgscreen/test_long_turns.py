"""Long turns are asked for where nobody has asked for anything else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems are left alone")

ASK = """import os, sys, threading
from ecgscreen.long_turns import take_long_turns
{before}
take_long_turns()
found = []
thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
thread.start()
thread.join()
print(os.sched_getscheduler(0), *found, os.getpriority(os.PRIO_PROCESS, 0), turn_ns())
"""

TURN = """
from ctypes import CDLL, create_string_buffer
def turn_ns():
    attributes = create_string_buffer(48)
    number = {"x86_64": 315, "aarch64": 275}[os.uname().machine]
    assert CDLL(None).syscall(number, 0, attributes, 48, 0) == 0
    return int.from_bytes(attributes.raw[24:32], sys.byteorder)
"""


def asked(before: str = "", wrapper: tuple[str, ...] = ()) -> list[int]:
    """Policy, that of a thread started later, niceness and length of a turn."""
    process = subprocess.run(
        [*wrapper, sys.executable, "-c", TURN.strip() + "\n" + ASK.format(before=before)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in process.stdout.split()]


def kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


def test_turns_are_long_in_this_thread_and_those_it_starts() -> None:
    policy, of_thread, nice, turn = asked()
    assert policy == of_thread == os.SCHED_BATCH
    assert nice == os.getpriority(os.PRIO_PROCESS, 0)
    if kernel() >= (6, 12):
        assert turn == 50_000_000


def test_a_niceness_stays() -> None:
    policy, _, nice, _ = asked(wrapper=("nice", "-n", "7"))
    assert policy == os.SCHED_BATCH
    assert nice == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 7)


def test_a_policy_that_somebody_chose_stays() -> None:
    idle = "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))"
    policy, of_thread, _, _ = asked(idle)
    assert policy == of_thread == os.SCHED_IDLE


def test_a_processor_whose_system_calls_are_not_known_gets_the_policy_alone() -> None:
    policy, *_ = asked("import ecgscreen.long_turns as it; it._SCHED_SETATTR.clear()")
    assert policy == os.SCHED_BATCH


def test_where_a_container_forbids_it_nothing_happens() -> None:
    refuse = "\n".join(
        [
            "import ecgscreen.long_turns as it; it._SCHED_SETATTR.clear()",
            "def refuse(*_): raise PermissionError(1, 'Operation not permitted')",
            "os.sched_setscheduler = refuse",
        ]
    )
    policy, *_ = asked(refuse)
    assert policy == os.SCHED_OTHER
