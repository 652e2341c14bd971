"""Kinds of input that do what a campaign is there to see."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from random import Random

from bench.fuzz_target import PERSON, Target, check_sentence
from bench.fuzz_worker import BAIT


def write(_rng: Random, folder: Path) -> None:
    """Any content, and a link to a file that is not the input's."""
    (folder / "file").write_bytes(b"content")
    (folder / "link").symlink_to(folder.parent / BAIT)


def _good(folder: Path) -> bool:
    return (folder / "file").read_bytes() == b"content"


def _raises(folder: Path) -> bool:
    return bool(1 / len([*folder.glob("nothing")]))


def _dies(_folder: Path) -> bool:
    os.kill(os.getpid(), signal.SIGSEGV)
    return True


def _exits(_folder: Path) -> bool:
    os._exit(3)


def _computes(_folder: Path) -> bool:
    end = time.process_time() + 20
    while time.process_time() < end:
        pass
    return True


def _waits(_folder: Path) -> bool:
    time.sleep(60)
    return True


def _allocates(_folder: Path) -> bool:
    return len(bytearray(b"\1") * (150 << 20)) > 0


def _reads(name: str) -> Callable[[Path], bool]:
    def run(folder: Path) -> bool:
        try:
            return bool((folder / name).read_bytes())
        except OSError:  # whoever catches what the watch raises is seen all the same
            return False

    return run


def _starts(_folder: Path) -> bool:
    return subprocess.run(["true"], check=False).returncode == 0


def _connects(_folder: Path) -> bool:
    socket.socket(socket.AF_INET).close()
    return True


def _unpickles(_folder: Path) -> bool:
    return not pickle.loads(pickle.dumps(OrderedDict()))


def _warns(_folder: Path) -> bool:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)
    return True


def _tells(_folder: Path) -> bool:
    check_sentence(f"the record of {PERSON}")
    return True


_RUNS: dict[str, Callable[[Path], bool]] = {
    "good": _good,
    "raises": _raises,
    "dies": _dies,
    "exits": _exits,
    "computes": _computes,
    "waits": _waits,
    "allocates": _allocates,
    "reads-bait": _reads(f"../{BAIT}"),
    "reads-link": _reads("link"),
    "reads-passwd": _reads("/etc/passwd"),
    "starts": _starts,
    "connects": _connects,
    "unpickles": _unpickles,
    "warns": _warns,
    "tells-a-person": _tells,
}

TARGETS = tuple(Target(kind, 1, write, run) for kind, run in _RUNS.items())
