"""Long turns on a processor core, for processes that only compute.

Several threads share a core: one prepares recordings, one runs the engine. Linux lets them take
turns of some 3 ms, and after each the caches hold what the other one was at; for a scan, which
nobody waits for within milliseconds, that is 2 to 6 % of all processor time.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from ctypes import CDLL, Structure, c_int32, c_uint32, c_uint64, pointer, sizeof

TURN_NS = 50_000_000
"""About what the engine takes for a batch; the kernel allows 0.1 to 100 ms."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""The number of the system call, by machine: not every C library has a function for it. It is that
of 64-bit processes; a kernel may run others, which have numbers of their own."""


class _SchedAttr(Structure):
    """``struct sched_attr``, as in sched_setattr(2)."""

    _fields_ = (
        ("size", c_uint32),
        ("sched_policy", c_uint32),
        ("sched_flags", c_uint64),
        ("sched_nice", c_int32),
        ("sched_priority", c_uint32),
        ("sched_runtime", c_uint64),
        ("sched_deadline", c_uint64),
        ("sched_period", c_uint64),
    )


def take_long_turns() -> None:
    """Ask that this thread, and those that it starts from now on, be interrupted seldom.

    ``SCHED_BATCH`` (sched(7)) is for programs that only compute: they do not interrupt others when
    they wake. Since Linux 6.12 a thread also says how long its turns are (``sched_runtime``);
    before, that is passed over. Its share of the processor stays what it was, and so does a
    niceness; a policy that somebody chose for it is left alone. Where any of this is not to be
    had, nothing happens.
    """
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    attributes = _SchedAttr(
        size=sizeof(_SchedAttr),
        sched_policy=os.SCHED_BATCH,
        sched_nice=os.getpriority(os.PRIO_PROCESS, 0),
        sched_runtime=TURN_NS,
    )
    call = _SCHED_SETATTR.get(os.uname().machine) if sys.maxsize > 1 << 32 else None
    if call is None or CDLL(None).syscall(call, 0, pointer(attributes), 0) != 0:
        with suppress(OSError):  # a container may forbid both
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
