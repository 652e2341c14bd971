"""A cluster on this machine, as long as a scan: a scheduler, and workers that are looked after."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import LocalCluster

SETTINGS = {
    # How many deaths of a worker a task outlives, as everywhere in ecgscreen.
    "distributed.scheduler.allowed-failures": 1,
    # Dask looks at itself and at what its workers do, up to a hundred times a second, for a page
    # that nobody opens: 5 % of a core for two workers.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    # Its pages are served without the dashboard, too.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""Of Dask, for a cluster on this machine."""

_HOST = "127.0.0.1"
_PAGES = f"{_HOST}:0"
"""Unless it is said, workers serve them on all interfaces, and a scheduler asks for one port."""
_ENVIRONMENT = {
    # A worker has a core: threads of matrix products would be in the other workers' way.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    **{
        "DASK_" + name.replace(".", "__").replace("-", "_").upper(): str(value)
        for name, value in SETTINGS.items()
    },
}


class LocalWorkers:
    """Worker processes of one thread each; who dies is replaced when `revive` is called.

    Dask's own nanny does not start a worker again that dies before it has quite started, as one
    does whose first recording kills it.

    Parameters
    ----------
    count
        How many.
    folder
        For what Dask's workers write, and what they are to know; removed by the caller.
    """

    def __init__(self, count: int, folder: str) -> None:
        self._scheduler = Path(folder) / "scheduler.json"
        self._command = [sys.executable, "-m", "distributed.cli.dask_worker"]
        self._command += ["--scheduler-file", str(self._scheduler), "--local-directory", folder]
        self._command += ["--no-nanny", "--no-dashboard"]
        self._command += ["--host", _HOST, "--dashboard-address", _PAGES]
        self._command += ["--nthreads", "1", "--memory-limit", "0", "--death-timeout", "60"]
        self._command += ["--preload", "ecgscreen.cluster_worker"]
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(count):
                self._processes.append(self._start())
        except OSError:
            self.stop()
            raise

    @property
    def pids(self) -> list[int]:
        """Of the workers, dead ones included."""
        return [process.pid for process in self._processes]

    def connect(self, address: str) -> None:
        """Tell them, who wait for it, where the scheduler is, on loopback."""
        self._scheduler.write_text(json.dumps({"address": address}), encoding="utf-8")

    def revive(self) -> None:
        """Start another worker for each that has ended."""
        for place, process in enumerate(self._processes):
            if process.poll() is not None:
                self._processes[place] = self._start()

    def stop(self) -> None:
        """End them all, at once: what they have is in the store by now, or is done again."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, a module and numbers
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ENVIRONMENT,
        )


@contextmanager
def local_workers(count: int) -> Iterator[LocalWorkers]:
    """Start workers, whose scheduler is yet to come."""
    with TemporaryDirectory(prefix="ecgscreen-", ignore_cleanup_errors=True) as folder:
        workers = LocalWorkers(count, folder)
        try:
            yield workers
        finally:
            workers.stop()


def local_scheduler() -> LocalCluster:
    """Start a scheduler in this process, on loopback; a context that ends it."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=0,
        processes=True,
        host=_HOST,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": _PAGES},
        silence_logs=logging.CRITICAL,
    )
