"""The connection to a Dask cluster, and the workers of it: how many there are, what they answer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecgscreen.cluster_local import SETTINGS, LocalWorkers, local_scheduler, local_workers
from ecgscreen.errors import ClusterError, MissingExtraError
from engines.processor import usable_cores

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local"
"""The address that means: a cluster of processes on this machine, for as long as the scan."""
SECONDS_TO_CONNECT = 30
"""In which the scheduler has to answer, and the first worker to be there."""
SECONDS_BETWEEN_COUNTS = 1.0
"""After which the workers are counted again: they may come and go during a scan."""
SECONDS_WITHOUT_WORKERS = 180.0
"""After which a cluster whose workers are all gone is given up."""


@dataclass(frozen=True)
class Connection:
    """To a cluster.

    Attributes
    ----------
    client
        Dask's.
    workers
        Those that were started here, None where the site has its own.
    """

    client: Client
    workers: LocalWorkers | None = None


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """Connect to a cluster, or start one.

    Parameters
    ----------
    address
        Of the scheduler (``tcp://host:8786``, ``tls://...``), or `LOCAL`.

    Yields
    ------
    The connection; when it ends, what is under way is given up, and a cluster that was started
    here ends.

    Raises
    ------
    MissingExtraError
        If distributed is not installed.
    ClusterError
        If nobody answers, or there is no worker.
    """
    with ExitStack() as stack:
        workers = None
        try:
            if address == LOCAL:
                # Of processes: a thread would wait for the others at every line of Python. Before
                # the import: they take as long to start.
                workers = stack.enter_context(local_workers(usable_cores()))
            import dask
            import distributed
        except ImportError as error:
            raise MissingExtraError(
                "--cluster needs the package distributed", "pip install 'ecgscreen[cluster]'"
            ) from error
        # What the connection tells of workers that come and go is no news for the terminal.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        at: Any = address
        try:
            if workers is not None:
                stack.enter_context(dask.config.set(SETTINGS))
                at = stack.enter_context(local_scheduler())
                workers.connect(at.scheduler_address)
            client = stack.enter_context(
                distributed.Client(at, timeout=SECONDS_TO_CONNECT, set_as_default=False)
            )
            _wait_for_workers(client, workers)
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"no cluster with a worker at {address}: {error}",
                "Start one (dask scheduler, dask worker), or take --cluster local.",
            ) from error
        yield Connection(client, workers)


def _wait_for_workers(client: Client, workers: LocalWorkers | None) -> None:
    """Wait for the first worker; for all of those that were started here."""
    latest = time.monotonic() + SECONDS_TO_CONNECT
    while workers is not None and time.monotonic() < latest:
        with suppress(TimeoutError):
            client.wait_for_workers(len(workers.pids), timeout=SECONDS_BETWEEN_COUNTS)
            return
        workers.revive()
    client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)


class Crew:
    """The workers of a cluster: how many there are, and what they have done.

    Parameters
    ----------
    connection
        Of `connected`.
    """

    def __init__(self, connection: Connection) -> None:
        self._client, self._workers = connection.client, connection.workers
        self._count = 0
        self._counted = -math.inf
        self._seen = time.monotonic()

    def count(self) -> int:
        """Return how many there are, or were a moment ago; at least 1."""
        if time.monotonic() - self._counted > SECONDS_BETWEEN_COUNTS:
            self._look_after()
        return max(1, self._count)

    def wait(self, futures: Iterable[Future]) -> set[Future]:
        """Wait until one of some tasks is done; return all that are.

        Raises
        ------
        ClusterError
            If the scheduler is gone, or all workers are, and none has come back in time.
        """
        from distributed import wait

        self._seen = time.monotonic()
        tasks = list(futures)
        while True:
            with noticing_loss(), self._client.as_current(), suppress(TimeoutError):
                waited = wait(tasks, timeout=SECONDS_BETWEEN_COUNTS, return_when="FIRST_COMPLETED")
                done: set[Future] = waited.done
                return done
            self._look_after()

    def result(self, future: Future) -> Any:  # whatever the task returns
        """Wait for what a task gives; what it raises ends the scan, as a sentence.

        Also of a task that is done: its result may be lost with the worker that has it, and is
        computed again.
        """
        self._seen = time.monotonic()
        while True:
            try:
                with noticing_loss(), suppress(TimeoutError):
                    return future.result(timeout=SECONDS_BETWEEN_COUNTS)
            except (ImportError, AttributeError) as error:
                raise ClusterError(
                    f"a worker of the cluster cannot run ecgscreen: {error}",
                    "Install the same version of ecgscreen there.",
                ) from error
            self._look_after()

    def _look_after(self) -> None:
        if self._workers is not None:
            self._workers.revive()
        with noticing_loss():
            self._count = len(self._client.nthreads())
        self._counted = time.monotonic()
        if self._count:
            self._seen = self._counted
        elif self._counted - self._seen > SECONDS_WITHOUT_WORKERS:
            raise ClusterError(
                f"the cluster has had no worker for {SECONDS_WITHOUT_WORKERS:.0f} s",
                "Start workers, then the same command: it goes on from what is stored.",
            )


@contextmanager
def noticing_loss() -> Iterator[None]:
    """Turn a scheduler that is gone into a sentence."""
    from distributed.client import ClosedClientError

    try:
        yield
    except (CancelledError, ClosedClientError, OSError) as error:
        raise ClusterError(
            "the connection to the scheduler of the cluster was lost",
            "Start the cluster again, then the same command: it goes on from what is stored.",
        ) from error
