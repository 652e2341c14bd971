"""The command line as a process, its output as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run_cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m ecgscreen`` with some arguments, on a wide terminal that is none."""
    return subprocess.run(
        [sys.executable, "-m", "ecgscreen", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "300"} | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
