"""What a Dask worker does: with one engine it turns chunks of recordings into rows.

A scan names these functions and the class to workers of whatever version: names stay as they are,
so that a worker of another version says that it is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from ecgscreen import __version__
from ecgscreen.embedding import embed_all
from ecgscreen.embedding_job import EmbeddingJob, load_once
from ecgscreen.errors import ClusterError
from ecgscreen.objects.ahead import fetching_ahead
from ecgscreen.packing import PackedFound, PackedRows, pack_rows, unpack_found
from ecgscreen.preparation import prepare_recordings
from ecgscreen.preprocess import PreprocessConfig
from engines.base import Engine, EngineInfo


@dataclass(frozen=True)
class ClusterJob(EmbeddingJob):
    """A job for machines that may have something else installed; it is sent with each chunk.

    Every worker sees the bundle's folder by the same absolute path.

    Attributes
    ----------
    version
        Of ecgscreen, as the scan runs it.
    """

    version: str = __version__

    def other_bundle(self, found: str) -> ClusterError:
        """See `EmbeddingJob`."""
        return ClusterError(
            f"{self.bundle}: on a worker of the cluster the bundle is another one "
            f"({found[:12]}, not {self.bundle_sha256[:12]})",
            "Give a --bundle that all machines see by the same path.",
        )


def describe(job: ClusterJob) -> EngineInfo:
    """Load the engine, and say what it is.

    Raises
    ------
    ClusterError
        If the worker has another version of ecgscreen, or another bundle.
    EngineError, BundleError
        If they cannot be loaded.
    """
    with _ONE_AT_A_TIME:
        return _loaded(job)[0].info


def embed_chunk(job: ClusterJob, chunk: PackedFound) -> PackedRows:
    """Read, prepare and embed recordings, in their order.

    Raises
    ------
    ClusterError, EngineError, BundleError
        As `describe`. A recording that cannot be scored is a row.
    """
    # An engine serves one stream at a time, whatever number of threads the worker was given.
    with _ONE_AT_A_TIME:
        engine, preprocessing = _loaded(job)
        found = fetching_ahead(unpack_found(chunk))
        return pack_rows(embed_all(prepare_recordings(found, preprocessing), engine))


_ONE_AT_A_TIME = Lock()


def _loaded(job: ClusterJob) -> tuple[Engine, PreprocessConfig]:
    if job.version != __version__:
        raise ClusterError(
            f"a worker of the cluster has ecgscreen {__version__}, the scan is of {job.version}",
            "Install the same version on all machines.",
        )
    return load_once(job)
