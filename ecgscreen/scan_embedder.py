"""Who embeds the recordings of a scan: this process, others of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from ecgscreen.bundle import Bundle
from ecgscreen.crew_ahead import embedding_crew, embeds_in_workers, job_of, size_by_names
from ecgscreen.crew_size import FEW, most_workers
from ecgscreen.discover import Discovery
from ecgscreen.embedding import Embedder, EmbedderHere, EmbedderInWorkers
from ecgscreen.embedding_job import EmbeddingJob, engine_of
from ecgscreen.results import RecordResult
from ecgscreen.scan_options import ScanOptions
from ecgscreen.workers import Crew


@contextmanager
def crew_for(options: ScanOptions, bundle: Bundle) -> Iterator[Crew[RecordResult] | None]:
    """Processes that embed; None where this one or other machines do."""
    size = _workers(options) if embeds_in_workers(options) else 0
    if not size:
        yield None
        return
    with embedding_crew(options, bundle, size) as crew:
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
            yield EmbedderOnCluster(connection, job_of(ClusterJob, options, bundle))
    elif crew is not None:
        yield EmbedderInWorkers(crew)
    else:
        job = replace(job_of(EmbeddingJob, options, bundle), threads=options.threads)
        engine = engine_of(job, bundle)
        yield EmbedderHere(engine, bundle.preprocessing, workers=options.workers)


def _workers(options: ScanOptions) -> int:
    """How many processes are to embed; 0 where one is enough."""
    size = size_by_names(options)
    if size is not None:
        return size
    return most_workers() if len(list(islice(Discovery(options.roots), FEW))) == FEW else 0
