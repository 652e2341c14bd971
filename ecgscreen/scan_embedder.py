"""Who embeds the recordings of a scan: this process, others of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from ecgscreen.bundle import Bundle
from ecgscreen.crew_size import FEW, crew_size, most_workers
from ecgscreen.discover import Discovery
from ecgscreen.embedding import Embedder, EmbedderHere, EmbedderInWorkers
from ecgscreen.embedding_job import Embedding, EmbeddingJob, engine_of
from ecgscreen.results import RecordResult
from ecgscreen.scan_options import DEFAULT_ENGINE, ScanOptions
from ecgscreen.worker_process import StartedWorkers
from ecgscreen.workers import Crew
from engines.processor import usable_cores
from engines.select import PROCESSOR_ENGINES

Job = TypeVar("Job", bound=EmbeddingJob)


@contextmanager
def crew_for(
    options: ScanOptions, bundle: Bundle, started: StartedWorkers | None
) -> Iterator[Crew[RecordResult] | None]:
    """Processes that embed; None where this one or other machines do."""
    elsewhere = options.rescore or options.cluster is not None
    name = options.engine or DEFAULT_ENGINE
    workers = _workers(options) if name in PROCESSOR_ENGINES and not elsewhere else 0
    if not workers:
        yield None
        return
    threads = (options.threads or usable_cores()) // workers
    job = replace(_job(EmbeddingJob, options, bundle), threads=max(1, threads))
    with Crew(Embedding(job), workers, started) as crew:
        yield crew


@contextmanager
def embedder_for(
    options: ScanOptions, bundle: Bundle, crew: Crew[RecordResult] | None
) -> Iterator[Embedder | None]:
    """What turns recordings into rows: this machine, or a cluster; None where none is read."""
    if options.rescore:
        yield None
    elif options.cluster is not None:
        from ecgscreen.cluster import EmbedderOnCluster
        from ecgscreen.cluster_connection import connected
        from ecgscreen.cluster_worker import ClusterJob

        with connected(options.cluster) as connection:
            yield EmbedderOnCluster(connection, _job(ClusterJob, options, bundle))
    elif crew is not None:
        yield EmbedderInWorkers(crew)
    else:
        job = replace(_job(EmbeddingJob, options, bundle), threads=options.threads)
        engine = engine_of(job, bundle)
        yield EmbedderHere(engine, bundle.preprocessing, workers=options.workers)


def _job(kind: type[Job], options: ScanOptions, bundle: Bundle) -> Job:
    return kind(
        bundle=options.bundle.absolute(),
        bundle_sha256=bundle.sha256,
        engine=options.engine or DEFAULT_ENGINE,
        precision=options.precision,
        batch_size=options.batch_size,
        threads=options.threads or 1,
    )


def _workers(options: ScanOptions) -> int:
    """How many processes are to embed; 0 where one is enough."""
    size = crew_size(options.roots, options.out, workers=options.workers, fresh=options.fresh)
    if size is not None:
        return size
    return most_workers() if len(list(islice(Discovery(options.roots), FEW))) == FEW else 0
