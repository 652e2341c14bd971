"""What a scan is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ecgscreen.bundle import default_bundle
from ecgscreen.errors import UsageError
from ecgscreen.objects.address import spelled
from ecgscreen.publish import JsonValue
from ecgscreen.share import Share

DEFAULT_ENGINE = "openvino"


@dataclass(frozen=True)
class ScanOptions:
    """What to scan, with what, and where the reports go.

    Attributes
    ----------
    roots
        Folders or single recordings.
    labels
        A list of diagnoses: a file, or the name of one that ships.
    out
        The screening's folder.
    bundle
        A model bundle's folder.
    engine
        Of `engines.select.ENGINES`; None takes the default.
    precision, batch_size, threads
        See `engines.select.load_engine`.
    workers
        Processes that read and embed (with an engine of a device, read and prepare); 0 does it in
        this one, None decides by the number of recordings and of cores.
    cluster
        Address of a Dask scheduler whose workers read and embed, or ``local``; None does it here.
    share
        Look only at this share of the recordings; the others are for other jobs.
    calibration
        A file of ``ecgscreen calibrate``: its thresholds and probabilities come before the
        bundle's.
    language
        Of what is written for a reader: ``en`` or ``de``.
    rescore
        Score the stored embeddings against the list; no recording is read.
    fresh
        Begin anew, instead of going on from what is stored.
    retry_failed
        Try recordings again that could not be scored, though they did not change.
    since
        Look only at recordings of which a file was written since then.
    strict
        End at the first recording that cannot be scored; the published reports stay.
    fail_if_empty
        End with an exit code of its own where there is nothing to do.
    pseudonymise_paths
        Ids in the place of names in the reports; the store keeps the names.
    wait_lock_s
        How long to wait for another run on the same screening, in seconds.

    Raises
    ------
    UsageError
        If some of them contradict each other.
    """

    roots: tuple[Path, ...]
    labels: str
    out: Path
    bundle: Path = field(default_factory=default_bundle)
    engine: str | None = None
    precision: str = "auto"
    batch_size: int = 32
    threads: int = 0
    workers: int | None = None
    cluster: str | None = None
    share: Share | None = None
    calibration: Path | None = None
    language: str = "en"
    rescore: bool = False
    fresh: bool = False
    retry_failed: bool = False
    since: datetime | None = None
    strict: bool = False
    fail_if_empty: bool = False
    pseudonymise_paths: bool = False
    wait_lock_s: float = 0.0

    def __post_init__(self) -> None:
        if self.rescore and (self.fresh or self.retry_failed or self.since is not None):
            raise UsageError(
                "--rescore reads no recording, and does not go with --fresh, --retry-failed or "
                "--since",
                "Give one of them.",
            )


def arguments_of(options: ScanOptions) -> dict[str, JsonValue]:
    """As `run.json` names them."""
    return {
        "roots": [spelled(root) for root in options.roots],
        "labels": options.labels,
        "out": str(options.out),
        "bundle": str(options.bundle),
        "engine": options.engine,
        "precision": options.precision,
        "batch_size": options.batch_size,
        "threads": options.threads,
        "workers": options.workers,
        "cluster": options.cluster,
        "shard": None if options.share is None else str(options.share),
        "calibration": None if options.calibration is None else str(options.calibration),
        "language": options.language,
        "rescore": options.rescore,
        "fresh": options.fresh,
        "retry_failed": options.retry_failed,
        "since": None if options.since is None else options.since.isoformat(),
        "strict": options.strict,
        "fail_if_empty": options.fail_if_empty,
        "pseudonymise_paths": options.pseudonymise_paths,
        "wait_lock_s": options.wait_lock_s,
    }
