"""Scans in a process of their own: with little memory, watched, and ended when they hang."""

from __future__ import annotations

import csv
import json
import os
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
MEMORY_BYTES = 2 << 30
"""What a scan may add to the addresses that its process had before."""
TIMEOUT_S = 100.0
"""Only a hang takes so long, also on a machine with other work."""

_ASKS_ELSEWHERE = ("socket.connect", "socket.getaddrinfo", "urllib.Request", "os.system", "os.exec")


@dataclass(frozen=True)
class Outcome:
    """What a scan left.

    Attributes
    ----------
    exit_code
        Of the scan, or of the sentence that ended it.
    sentence
        What ended it; empty where it came to its end.
    rows
        Of report.csv, by path.
    outside
        Files opened by Python code outside the folder, the bundle, the reports and the program;
        connections and programs; what is left in the folder for temporary files.
    peak_bytes
        Memory in use at most, above what was in use before.
    cpu_s
        Seconds of one core.
    """

    exit_code: int
    sentence: str
    rows: dict[str, dict[str, str]]
    outside: tuple[str, ...]
    peak_bytes: int
    cpu_s: float


class ConfinedScans:
    """The process, and another in its place when it hangs or dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._temporary = Path(tempfile.mkdtemp(prefix="ecgscreen-test-"))

    def scan(
        self,
        bundle: Path,
        folder: Path,
        out: Path,
        labels: str = "rhythm.txt",
        memory_bytes: int = MEMORY_BYTES,
    ) -> Outcome:
        """Scan with workers=0; AssertionError if it hangs, dies or lets an error through."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.ecgscreen.hostile.confined"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=os.environ
                | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
                | {"TMPDIR": str(self._temporary)},
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        request = [str(bundle), str(folder), str(out), labels, memory_bytes]
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answered, _, _ = select.select([process.stdout], [], [], TIMEOUT_S)
        line = process.stdout.readline() if answered else ""
        if not line:
            self.end()
            raise AssertionError("the scan died" if answered else f"a hang of {TIMEOUT_S:g} s")
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        rows: dict[str, dict[str, str]] = {}
        if (out / "report.csv").is_file():
            with (out / "report.csv").open(encoding="utf-8", newline="") as file:
                rows = {row["path"]: row for row in csv.DictReader(file)}
        return Outcome(rows=rows, **{**reply, "outside": tuple(reply["outside"])})

    def end(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.end()
        shutil.rmtree(self._temporary)


def _serve() -> None:
    # What is imported later would look like files opened elsewhere.
    import h5py  # noqa: F401 - see above
    import soundfile  # noqa: F401 - see above
    import wfdb  # noqa: F401 - see above

    from ecgscreen.errors import EcgscreenError
    from ecgscreen.scan import ScanOptions, scan
    from engines.openvino import import_openvino

    import_openvino()
    opened: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not isinstance(arguments[0], int):
            opened.append(os.path.realpath(os.fsdecode(arguments[0])))
        elif event in _ASKS_ELSEWHERE:
            opened.append(f"{event} {arguments}")

    sys.addaudithook(note)
    temporary = tempfile.gettempdir()
    own = [
        str(ROOT),
        sys.prefix,
        sys.base_prefix,
        "/proc",
        "/sys",
        "/dev/null",
        "/dev/urandom",
        temporary,
    ]
    for line in sys.stdin:
        bundle, folder, out, labels, memory = json.loads(line)
        inside = tuple(os.path.realpath(path) for path in (bundle, folder, out, *own))
        opened.clear()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: proc(5)
        before, cpu_before = _status("VmRSS"), time.process_time()
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + memory, resource.RLIM_INFINITY))
        options = ScanOptions(
            (Path(folder),), labels, Path(out), Path(bundle), threads=1, workers=0
        )
        reply: dict[str, object] = {"sentence": ""}
        try:
            reply["exit_code"] = int(scan(options).summary.exit_code)
        except EcgscreenError as error:
            reply |= {
                "exit_code": int(error.exit_code),
                "sentence": f"{error.message}: {error.advice}",
            }
        except Exception as error:
            reply["error"] = repr(error)
        reply |= {
            "outside": [path for path in opened if not path.startswith(inside)]
            + [f"left behind: {name}" for name in os.listdir(temporary)],  # noqa: PTH208 - names
            "peak_bytes": _status("VmHWM") - before,
            "cpu_s": time.process_time() - cpu_before,
        }
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def _status(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(value) << 10


if __name__ == "__main__":
    _serve()
