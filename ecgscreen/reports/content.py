"""What the reports are made of, and the one pass that all of them are written in."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgscreen.calibration import PlattScaling, probabilities
from ecgscreen.publish import JsonValue
from ecgscreen.readers.pieces import Pieces
from ecgscreen.recording import SkippedRecording
from ecgscreen.results import RecordResult
from ecgscreen.scoring import (
    LONG_S,
    flags,
    percentiles,
    record_embedding,
    score,
    worst_windows,
)
from ecgscreen.shards import StoredRow
from engines.base import EngineInfo

NORMAL_CODES = frozenset({"NORM", "SR"})
"""A normal ECG and sinus rhythm: flagged like any other line of a list, and never urgent."""

SEVERITIES = ("critical", "attention", "info")
"""Worst first."""


@dataclass(frozen=True)
class DiagnosisRow:
    """A line of the list of diagnoses, as the reports show it.

    Attributes
    ----------
    name
        The line as written.
    code
        Of the vocabulary, where it was resolved to one; else empty.
    severity
        One of `SEVERITIES`.
    source
        How the line was resolved, for example ``vocabulary`` or ``zero-shot``.
    threshold
        The cosine that raises the flag; NaN for "ranked, not flagged".
    criterion
        How the threshold was chosen, and by whom; empty without one.
    platt
        Makes the score a probability; None where nobody has learned how.
    group
        The heading that the list puts it under; empty without.
    seen
        Whether the model met it in training. One that it did not is never reported as absent:
        below its threshold the flag is -1, not 0.
    note
        Why it has not the threshold that the list asks for; else empty.
    """

    name: str
    code: str
    severity: str
    source: str
    threshold: float = float("nan")
    criterion: str = ""
    platt: PlattScaling | None = None
    group: str = ""
    seen: bool = True
    note: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether a flag of this line says that something is not normal."""
        return self.code not in NORMAL_CODES

    @property
    def can_be_flagged(self) -> bool:
        """Whether it has a threshold; without one it is ranked only."""
        return not math.isnan(self.threshold)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"{self.name!r}: severity {self.severity!r}, one of {', '.join(SEVERITIES)} "
                "is expected"
            )


@dataclass(frozen=True)
class RowsOfRun:
    """How many of a report's rows a run made, and with which engine.

    Attributes
    ----------
    number
        Of the run, from 1.
    started
        With a time zone.
    engine
        What computed the embeddings.
    n_records, n_scored
        Its rows that are in the report, and those of them that have a score.
    """

    number: int
    started: datetime
    engine: EngineInfo
    n_records: int
    n_scored: int


@dataclass(frozen=True)
class Provenance:
    """Everything that one needs to know to make the same report again.

    Attributes
    ----------
    version
        Of ecgscreen.
    command
        The command's name, such as ``scan``.
    arguments
        Its arguments and options as the run understood them.
    started, ended
        With a time zone; written in UTC.
    bundle_name, bundle_sha256
        The model bundle and the SHA-256 of its manifest.
    list_name, list_sha256
        The list of diagnoses and its SHA-256.
    preprocessing
        The bundle's preprocessing configuration.
    engine
        What ran.
    engine_reason
        Why this engine, for example ``the default`` or ``asked for``.
    n_ignored
        Files that are no recordings.
    calibration
        The site's calibration, see `ecgscreen.site_calibration.SiteCalibration.named`; None
        without one.
    run
        The number of the run that the report is of, from 1.
    rows
        The runs that made the rows, oldest first: a screening grows. Nothing where that is not
        known: all rows are this run's then.
    rescored
        Whether the run read no recording: its embeddings are those of the runs before.
    first_new
        The number of the first run whose rows are new in this report: this one, or an
        interrupted one that it goes on with.
    pseudonymised
        Whether ids stand for names, see `ecgscreen.reports.pseudonymous`.
    """

    version: str
    command: str
    arguments: Mapping[str, JsonValue]
    started: datetime
    ended: datetime
    bundle_name: str
    bundle_sha256: str
    list_name: str
    list_sha256: str
    preprocessing: Mapping[str, JsonValue]
    engine: EngineInfo
    engine_reason: str
    n_ignored: int = 0
    calibration: Mapping[str, JsonValue] | None = None
    run: int = 1
    rows: tuple[RowsOfRun, ...] = ()
    rescored: bool = False
    first_new: int = 1
    pseudonymised: bool = False

    @property
    def embeddings_from(self) -> tuple[str, ...]:
        """The runs that the embeddings come from, each with its start (UTC) and its share."""
        return tuple(
            f"run {each.number} of {each.started.astimezone(UTC):%Y-%m-%d %H:%M:%S}: "
            f"{each.n_scored}"
            for each in self.rows
            if each.n_scored
        )

    @property
    def n_new(self) -> tuple[int, int]:
        """How many rows are new in this report, and how many of them have a score."""
        new = [each for each in self.rows if each.number >= self.first_new]
        return sum(each.n_records for each in new), sum(each.n_scored for each in new)

    @property
    def engines(self) -> Mapping[EngineInfo, int]:
        """The engines that computed the embeddings, and how many recordings each has scored."""
        counts: Counter[EngineInfo] = Counter()
        for each in self.rows:
            counts[each.engine] += each.n_scored
        return {engine: count for engine, count in counts.items() if count}

    @property
    def duration_s(self) -> float:
        """How long the run took, in seconds."""
        # A clock may be set back while a run lasts.
        return max(0.0, (self.ended - self.started).total_seconds())


class ReportedStore(Protocol):
    """What the reports ask of a run store; see `ecgscreen.run_store.RunStore`."""

    @property
    def n_records(self) -> int:
        """Number of records."""
        ...

    def iter_names(self) -> Iterator[tuple[str, str]]:
        """Yield the path and the record id of every record."""
        ...

    def iter_sorted(
        self, key: Callable[[str, str], str] | None = None
    ) -> Iterator[list[StoredRow]]:
        """Yield all rows in blocks, sorted."""
        ...


@dataclass(frozen=True)
class Report:
    """What is reported, whatever the form.

    Attributes
    ----------
    store
        The finished run's results.
    diagnoses
        The K lines of the list.
    directions
        float64, shape (K, D), from `ecgscreen.scoring.quantise_directions`.
    reference_scores
        float32, shape (R, K): the scores of the bundle's reference population; None without.
    provenance
        How it was made.
    language
        Of `ecgscreen.reports.html.words.LANGUAGES`, for what a person reads.
    read
        Opens a recording again by its name in the reports, for its strip; None where the
        recordings are not at hand.
    """

    store: ReportedStore
    diagnoses: tuple[DiagnosisRow, ...]
    directions: NDArray[np.float64]
    reference_scores: NDArray[np.float32] | None
    provenance: Provenance
    language: str = "en"
    read: Callable[[str], Pieces | SkippedRecording] | None = None

    def __post_init__(self) -> None:
        if self.directions.ndim != 2 or len(self.directions) != len(self.diagnoses):
            raise ValueError(
                f"directions of shape {self.directions.shape} for {len(self.diagnoses)} diagnoses"
            )

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """float64, shape (K,); NaN where there is none."""
        return np.array([row.threshold for row in self.diagnoses], np.float64)

    @property
    def has_percentiles(self) -> bool:
        """Whether there is a reference population."""
        return self.reference_scores is not None and len(self.reference_scores) > 0

    @property
    def has_probabilities(self) -> bool:
        """Whether any diagnosis is calibrated."""
        return any(row.platt is not None for row in self.diagnoses)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """bool, shape (K,): what the model met in training."""
        return np.array([row.seen for row in self.diagnoses], np.bool_)


@dataclass(frozen=True, eq=False)
class ScoredWindows:
    """The windows of those recordings of a block that have more than one, or are long.

    Attributes
    ----------
    record
        int64, shape (M,): the row of the recording within the block.
    start_s
        float32, shape (M,), in seconds.
    embeddings
        float16, shape (M, D).
    scores
        float32, shape (M, K).
    """

    record: NDArray[np.int64]
    start_s: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    scores: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ScoredBlock:
    """Consecutive rows of the reports.

    Attributes
    ----------
    first
        The first row's number in the report.
    results
        The n recordings, sorted by path.
    embeddings
        float16, shape (n, D); NaN where there is none.
    scores, percentiles, probabilities
        float32, shape (n, K); NaN where there is none.
    flags
        int8, shape (n, K): -1 no result or no threshold, 0, 1.
    windows
        Of recordings with several, and of long ones.
    worst_start_s
        float32, shape (n, K): of a long recording (see `ecgscreen.scoring.LONG_S`), where the
        window begins that the score is of; NaN for others, whose score is of all windows.
    is_new
        bool, shape (n,): whether the run, or the interrupted one that it goes on with, made it.
    """

    first: int
    results: list[RecordResult]
    embeddings: NDArray[np.float16]
    scores: NDArray[np.float32]
    percentiles: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    flags: NDArray[np.int8]
    windows: ScoredWindows = field(repr=False)
    worst_start_s: NDArray[np.float32]
    is_new: NDArray[np.bool_]


class ReportWriter(Protocol):
    """What every form of report that has a row a recording promises."""

    def write(self, block: ScoredBlock) -> None:
        """Write the block's rows. Blocks come in order and leave no gap."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def scored_blocks(report: Report) -> Iterator[ScoredBlock]:
    """Yield all rows of a report, sorted by path, in bounded memory.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    first = 0
    is_finding = np.array([row.is_finding for row in report.diagnoses], np.bool_)
    for rows in report.store.iter_sorted():
        results = [row.result for row in rows]
        embeddings = np.full((len(results), report.directions.shape[1]), np.nan, np.float16)
        for row, result in enumerate(results):
            if result.n_windows:
                embeddings[row] = record_embedding(result.embeddings)
        scores = score(embeddings, report.directions)
        windows = _windows(results, report.directions)
        worst_start_s = _take_worst(scores, results, windows, is_finding)
        yield ScoredBlock(
            first=first,
            results=results,
            embeddings=embeddings,
            scores=scores,
            percentiles=percentiles(scores, report.reference_scores),
            probabilities=probabilities(scores, [row.platt for row in report.diagnoses]),
            flags=flags(scores, report.thresholds, report.seen),
            windows=windows,
            worst_start_s=worst_start_s,
            is_new=np.array([row.run >= report.provenance.first_new for row in rows], np.bool_),
        )
        first += len(results)


def _windows(results: list[RecordResult], directions: NDArray[np.float64]) -> ScoredWindows:
    rows = [row for row, result in enumerate(results) if result.n_windows > 1 or is_long(result)]
    starts = [np.empty(0, np.float32), *(results[row].window_starts_s for row in rows)]
    none = np.empty((0, directions.shape[1]), np.float16)
    embeddings = np.concatenate([none, *(results[row].embeddings for row in rows)])
    counts = [results[row].n_windows for row in rows]
    return ScoredWindows(
        record=np.repeat(np.array(rows, np.int64), counts),
        start_s=np.concatenate(starts),
        embeddings=embeddings,
        scores=score(embeddings, directions),
    )


def is_long(result: RecordResult) -> bool:
    """Whether a recording has a result, and is scored by its worst window."""
    return result.n_windows > 0 and result.duration_s > LONG_S


def _take_worst(
    scores: NDArray[np.float32],
    results: list[RecordResult],
    windows: ScoredWindows,
    is_finding: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Give long recordings the scores of their worst windows; return where those begin."""
    starts_s = np.full(scores.shape, np.nan, np.float32)
    for row, result in enumerate(results):
        if is_long(result):
            own = slice(*np.searchsorted(windows.record, (row, row + 1)))
            worst = worst_windows(windows.scores[own], is_finding)
            scores[row] = windows.scores[own][worst, np.arange(len(is_finding))]
            starts_s[row] = windows.start_s[own][worst]
    return starts_s


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the reports depend on."""
    packages = {name: package_version(name) for name in ("numpy", "h5py")}
    return {"python": platform.python_version(), **packages}
