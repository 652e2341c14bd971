"""How a report was made: what ran, on what, and which runs made its rows."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as package_version

from ecgscreen.publish import JsonValue
from engines.base import EngineInfo


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
    pseudonyms
        The name of the key of the ids that stand for names, see
        `ecgscreen.reports.pseudonymous`; empty where names stand for themselves.
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
    pseudonyms: str = ""

    @property
    def pseudonymised(self) -> bool:
        """Whether ids stand for names."""
        return bool(self.pseudonyms)

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


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the reports depend on."""
    packages = {name: package_version(name) for name in ("numpy", "h5py")}
    return {"python": platform.python_version(), **packages}
