"""A cluster on this machine, as long as a scan: a scheduler, and workers that are looked after."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import LocalCluster

_SECONDS_TO_END = 2.0


class LocalWorkers:
    """Worker processes of one thread each; who dies is replaced when `revive` is called.

    Dask's own nanny does not start a worker again that dies before it has quite started, as one
    does whose first recording kills it.

    Parameters
    ----------
    address
        Of the scheduler, on loopback.
    count
        How many.
    folder
        For what Dask's workers write; removed by the caller.
    """

    def __init__(self, address: str, count: int, folder: str) -> None:
        self._command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
        self._command += ["--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        self._command += ["--nthreads", "1", "--memory-limit", "0", "--death-timeout", "60"]
        self._command += ["--local-directory", folder]
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

    def revive(self) -> None:
        """Start another worker for each that has ended."""
        for place, process in enumerate(self._processes):
            if process.poll() is not None:
                self._processes[place] = self._start()

    def stop(self) -> None:
        """End them all."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, a module and numbers
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def local_cluster(n_workers: int) -> Iterator[tuple[LocalCluster, LocalWorkers]]:
    """Start a scheduler in this process, and workers in others."""
    from distributed import LocalCluster

    with (
        TemporaryDirectory(prefix="ecgscreen-", ignore_cleanup_errors=True) as folder,
        LocalCluster(
            n_workers=0,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        workers = LocalWorkers(cluster.scheduler_address, n_workers, folder)
        try:
            yield cluster, workers
        finally:
            workers.stop()
