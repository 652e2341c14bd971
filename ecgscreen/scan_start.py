"""What a scan does first of all, so that engines are loaded while it loads the rest.

Light to import, compared with that rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.errors import UsageError
from ecgscreen.objects.address import is_object
from ecgscreen.publish import check_folder_can_be
from ecgscreen.results import RecordResult
from ecgscreen.scan_embedder import crew_for
from ecgscreen.scan_options import ScanOptions
from ecgscreen.worker_process import StartedWorkers
from ecgscreen.workers import Crew


@dataclass(frozen=True)
class ScanStart:
    """A scan that has begun.

    Attributes
    ----------
    bundle
        What it embeds with.
    crew
        Processes that do; None where this one or other machines do.
    """

    bundle: Bundle
    crew: Crew[RecordResult] | None


@contextmanager
def starting(
    options: ScanOptions, started_workers: StartedWorkers | None = None
) -> Iterator[ScanStart]:
    """Begin what `options` ask for; at the end of the body, no process is left.

    Parameters
    ----------
    options
        See there.
    started_workers
        Made use of, where recordings are embedded in processes of their own.

    Raises
    ------
    UsageError
        If a folder does not exist, or ``out`` is a file.
    BundleError, WorkerError
        See there.
    """
    if not options.rescore:
        _check_roots(options.roots)
    check_folder_can_be(options.out)
    bundle = load_bundle(options.bundle)
    with crew_for(options, bundle, started_workers) as crew:
        yield ScanStart(bundle, crew)


def _check_roots(roots: Sequence[Path]) -> None:
    for root in roots:
        if is_object(root):
            from ecgscreen.objects.store import check_root

            check_root(root)
            continue
        try:
            root.stat()
        except FileNotFoundError as error:
            raise UsageError(f"{root} does not exist", "Name a folder with recordings.") from error
        except OSError as error:
            raise UsageError(
                f"{root}: {error.strerror}", "Name a folder with recordings that may be read."
            ) from error
