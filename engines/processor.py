"""How many cores this process may use, and what they can do."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_CPUINFO = Path("/proc/cpuinfo")


def usable_cores(cpus: Path = _CPUS, quota: Path = _QUOTA) -> int:
    """Count the physical cores that are this process's, at least 1.

    Of two hardware threads of a core one is counted: matrix products leave the second nothing.
    The affinity mask and a container's share of time (cgroup v2) bound the number.

    Parameters
    ----------
    cpus, quota
        Where Linux describes the processors and the share; elsewhere all threads are counted.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    threads = os.sched_getaffinity(0)
    siblings = {_read(cpus / f"cpu{thread}/topology/thread_siblings_list") for thread in threads}
    n_cores = len(threads) if "" in siblings else len(siblings)
    share, _, period = _read(quota).partition(" ")
    if share.isdecimal() and period.isdecimal() and int(period):
        n_cores = min(n_cores, math.ceil(int(share) / int(period)))
    return max(1, n_cores)


def has_amx(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether matrix units (Intel AMX) multiply bfloat16 here.

    Parameters
    ----------
    cpuinfo
        Where Linux lists a processor's features; elsewhere the answer is no.
    """
    lines = _read(cpuinfo).splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return "amx_bf16" in flags.split()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
