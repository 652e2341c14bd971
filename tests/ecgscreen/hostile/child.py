"""Python code in a process of its own, for what a test must not do to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NOT_POSSIBLE = 77
"""Exit code of code that cannot be run on this machine; it says why on stderr."""

_BEGIN = """
import sys
from pathlib import Path
from ecgscreen.errors import EcgscreenError
from ecgscreen.scan import ScanOptions, scan

def not_possible(why):
    print(why, file=sys.stderr)
    sys.exit(77)

def attempt(bundle, records, out, **more):
    \"\"\"The exit code of a scan, and the sentence that ended it.\"\"\"
    options = ScanOptions((records,), "superclass.txt", out, bundle, threads=1, workers=0, **more)
    try:
        return int(scan(options).summary.exit_code), ""
    except EcgscreenError as error:
        return int(error.exit_code), error.message

"""


def run_child(code: str, *arguments: object) -> None:
    """Run code with `attempt` at hand; fails as the code does, skips where it cannot be run."""
    finished = subprocess.run(
        [sys.executable, "-c", _BEGIN + code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd="/",
    )
    if finished.returncode == NOT_POSSIBLE:
        pytest.skip(finished.stderr.strip().splitlines()[-1])
    assert finished.returncode == 0, finished.stderr
