"""The processes that embed for a scan, started before the rest of what it takes is imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.crew_size import crew_size
from ecgscreen.embedding_job import Embedding, EmbeddingJob, keep_for_copies
from ecgscreen.errors import EcgscreenError
from ecgscreen.results import RecordResult
from ecgscreen.scan_options import DEFAULT_ENGINE, ScanOptions
from ecgscreen.workers import Crew
from engines.processor import usable_cores
from engines.select import PROCESSOR_ENGINES, import_engine

Job = TypeVar("Job", bound=EmbeddingJob)


@dataclass(frozen=True)
class CrewAhead:
    """What a scan would begin with.

    Attributes
    ----------
    bundle
        Its bundle.
    crew
        Processes that load it, and embed.
    """

    bundle: Bundle
    crew: Crew[RecordResult]


@contextmanager
def crew_ahead(options: ScanOptions) -> Iterator[CrewAhead | None]:
    """Start a scan's crew, as copies of this process where it has one thread.

    None where names of files do not tell that there is work for one, and where the bundle cannot be
    read: the scan finds that too, where it can say so in its log.

    Raises
    ------
    WorkerError
        If no process can be started.
    """
    size = size_by_names(options) if embeds_in_workers(options) else 0
    bundle = None
    if size:
        with suppress(EcgscreenError, OSError):
            bundle = load_bundle(options.bundle)
    if not size or bundle is None:
        yield None
        return
    import_engine(options.engine or DEFAULT_ENGINE)
    keep_for_copies(bundle)
    with embedding_crew(options, bundle, size, copies=True) as crew:
        yield CrewAhead(bundle, crew)


def embeds_in_workers(options: ScanOptions) -> bool:
    """Whether several processes of this machine are to embed, if there is enough to do."""
    is_here = not options.rescore and options.cluster is None
    return is_here and (options.engine or DEFAULT_ENGINE) in PROCESSOR_ENGINES


def size_by_names(options: ScanOptions) -> int | None:
    """How many processes are to embed; None where only a walk can tell."""
    return crew_size(options.roots, options.out, workers=options.workers, fresh=options.fresh)


def embedding_crew(
    options: ScanOptions, bundle: Bundle, size: int, *, copies: bool = False
) -> Crew[RecordResult]:
    """Start so many processes with an engine each; see `Crew`."""
    threads = max(1, (options.threads or usable_cores()) // size)
    job = replace(job_of(EmbeddingJob, options, bundle), threads=threads)
    return Crew(Embedding(job), size, copies=copies)


def job_of(kind: type[Job], options: ScanOptions, bundle: Bundle) -> Job:
    """What every process that embeds for a scan needs to know."""
    return kind(
        bundle=options.bundle.absolute(),
        bundle_sha256=bundle.sha256,
        engine=options.engine or DEFAULT_ENGINE,
        precision=options.precision,
        batch_size=options.batch_size,
        threads=options.threads or 1,
    )
