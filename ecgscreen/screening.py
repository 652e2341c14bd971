"""What a scan leaves in its run store besides the rows, and the reports from the store alone.

`RunStore.provenance` is the JSON of a `Basis`. Each of `RunStore.runs` has ``number``, ``command``,
``version``, ``arguments``, ``started_utc``, ``ended_utc`` (null for one that was interrupted),
``engine`` (what computed its embeddings; null for one that computed none), ``engine_reason`` and
``n_ignored``. The attachment ``scoring`` is a `Scoring`: the list of diagnoses as it was resolved,
so that a report needs neither the bundle nor the list nor a language model again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.calibration import PlattScaling
from ecgscreen.errors import StoreError
from ecgscreen.locate import open_shown
from ecgscreen.manifest import REMEDY, number_of
from ecgscreen.objects.address import path_of_text, spelled
from ecgscreen.pseudonyms import load_pseudonyms
from ecgscreen.publish import JsonValue
from ecgscreen.readers.pieces import Pieces
from ecgscreen.recording import SkippedRecording
from ecgscreen.reports import DiagnosisRow, Provenance, Report, RowsOfRun
from ecgscreen.reports.pseudonymous import pseudonymous, renamed
from ecgscreen.results import RecordResult, Status
from ecgscreen.run_store import RunStore
from ecgscreen.shown_names import file_name, shown_name
from engines.base import EngineInfo

STORE = "store"
"""The run store's folder in that of the screening."""

SCORING = "scoring"
"""The attachment."""


@dataclass(frozen=True)
class Basis:
    """What the rows of a store depend on, and what its reports are made with.

    Attributes
    ----------
    bundle_name, bundle_sha256
        The model bundle and the SHA-256 of its manifest.
    bundle_folder
        Where it was.
    preprocessing
        The bundle's.
    list_name, list_sha256
        The list of diagnoses.
    roots
        What was scanned, as it was given.
    working_directory
        What a relative bundle folder or root is relative to.
    language
        Of what is written for a reader.
    calibration
        As `Provenance` has it.
    share
        Of the recordings below the roots, as `ecgscreen.share.Share` spells it; None for all.
    pseudonymised
        Whether the screening's own reports have ids for names.
    """

    bundle_name: str
    bundle_sha256: str
    bundle_folder: Path
    preprocessing: Mapping[str, JsonValue]
    list_name: str
    list_sha256: str
    roots: tuple[Path, ...]
    working_directory: Path
    language: str = "en"
    calibration: Mapping[str, JsonValue] | None = None
    share: str | None = None
    pseudonymised: bool = False

    def to_json(self) -> dict[str, JsonValue]:
        """As `RunStore.provenance` keeps it; paths in the spelling of `shown_name`."""
        return {
            **asdict(self),
            "bundle_folder": shown_name(str(self.bundle_folder)),
            "roots": [shown_name(spelled(root)) for root in self.roots],
            "working_directory": shown_name(str(self.working_directory)),
        }

    @property
    def places(self) -> tuple[Path, ...]:
        """Where the roots are, whatever the working directory is now."""
        return tuple(self.working_directory / root for root in self.roots)


@dataclass(frozen=True, eq=False)
class Scoring:
    """What makes scores, flags and probabilities of stored embeddings.

    Attributes
    ----------
    list_text
        The content of the list's file.
    diagnoses
        Its K lines as they were resolved, with their thresholds and scalings.
    directions
        float64, shape (K, D).
    reference_scores
        float32, shape (R, K); None without reference population.
    """

    list_text: str
    diagnoses: tuple[DiagnosisRow, ...]
    directions: NDArray[np.float64]
    reference_scores: NDArray[np.float32] | None

    def encode(self) -> bytes:
        """As the attachment keeps it: NPZ, its text as JSON."""
        text = {
            "list_text": self.list_text,
            "diagnoses": [asdict(row) for row in self.diagnoses],
        }
        no_reference = np.empty((0, 0), np.float32)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            text=np.frombuffer(json.dumps(text).encode("ascii"), np.uint8),
            directions=self.directions,
            reference_scores=(
                no_reference if self.reference_scores is None else self.reference_scores
            ),
        )
        return buffer.getvalue()


def read_basis(store: RunStore) -> Basis:
    """Return what the rows of a store depend on.

    Raises
    ------
    StoreError
        If its manifest does not say it.
    """
    fields: dict[str, Any] = dict(store.provenance)
    try:
        fields["roots"] = tuple(path_of_text(file_name(root)) for root in fields["roots"])
        for name in ("bundle_folder", "working_directory"):
            fields[name] = _path(fields[name])
        return Basis(**fields)
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"{store.folder}: its manifest does not say what it was made with ({error})", REMEDY
        ) from error


def read_scoring(store: RunStore) -> Scoring:
    """Return what the reports of a store are scored with.

    Raises
    ------
    StoreError
        If it is missing, altered or not understood.
    """
    content = store.attachment(SCORING)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            text = json.loads(arrays["text"].tobytes())
            reference_scores = arrays["reference_scores"]
            return Scoring(
                list_text=text["list_text"],
                diagnoses=tuple(_diagnosis(row) for row in text["diagnoses"]),
                directions=arrays["directions"],
                reference_scores=reference_scores if reference_scores.size else None,
            )
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{store.folder}: its {SCORING} is not understood ({error})") from error


def run_entry(
    command: str,
    version: str,
    arguments: Mapping[str, JsonValue],
    started: datetime,
    engine: EngineInfo | None,
    engine_reason: str,
) -> dict[str, JsonValue]:
    """Return what a store remembers of a run that begins; `RunStore.begin` takes it."""
    return {
        "command": command,
        "version": version,
        "arguments": dict(arguments),
        "started_utc": started.astimezone(UTC).isoformat(),
        "ended_utc": None,
        "engine": None if engine is None else asdict(engine),
        "engine_reason": engine_reason,
        "n_ignored": 0,
    }


def stored_report(
    store: RunStore, read: Callable[[str], Pieces | SkippedRecording] | None = None
) -> Report:
    """Return the report of what a store holds, from the store alone.

    Parameters
    ----------
    store
        Of a scan: as the last finished run left it, or of the run in progress.
    read
        As `Report` has it: for the strips, the one thing that needs the recordings.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    basis, scoring = read_basis(store), read_scoring(store)
    report = Report(
        store=store,
        diagnoses=scoring.diagnoses,
        directions=scoring.directions,
        reference_scores=scoring.reference_scores,
        provenance=_provenance(store, basis),
        language=basis.language,
        read=read,
    )
    return pseudonymous(report, load_pseudonyms(store.folder)) if basis.pseudonymised else report


def shown_in_reports(store: RunStore, basis: Basis) -> Callable[[RecordResult], RecordResult]:
    """Return what gives a row the name that the screening's reports have for it."""
    if not basis.pseudonymised:
        return lambda result: result
    pseudonyms = load_pseudonyms(store.folder)
    return lambda result: renamed(result, pseudonyms)


def reader_of(basis: Basis) -> Callable[[str], Pieces | SkippedRecording]:
    """Return what opens a recording of a screening again, by its name in the reports.

    Works from any working directory, as long as the recordings are where they were.
    """
    return lambda name: open_shown(name, basis.roots, basis.working_directory)


def rows_of_runs(store: RunStore) -> tuple[RowsOfRun, ...]:
    """Return how many of a store's rows each run made, oldest first; runs without rows not.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    index = store.index
    runs = index.runs[index.live]
    scored = runs[index.status(Status.SCORED)[index.live]]
    found = []
    for run in store.runs:
        number = number_of(run)
        n_records = int(np.count_nonzero(runs == number))
        if n_records and (engine := _engine(run)) is not None:
            n_scored = int(np.count_nonzero(scored == number))
            found.append(RowsOfRun(number, _time(run, "started_utc"), engine, n_records, n_scored))
    return tuple(found)


def _provenance(store: RunStore, basis: Basis) -> Provenance:
    run: Mapping[str, Any] = store.runs[-1]
    rows = rows_of_runs(store)
    engine = _engine(run)
    rescored = engine is None
    if engine is None:
        # Of the embeddings: nothing else was computed by an engine.
        engine = max(rows, key=lambda each: each.n_scored).engine if rows else _NO_ENGINE
    return Provenance(
        version=run["version"],
        command=run["command"],
        arguments=run["arguments"],
        started=_time(run, "started_utc"),
        ended=_time(run, "ended_utc" if run["ended_utc"] else "started_utc"),
        bundle_name=basis.bundle_name,
        bundle_sha256=basis.bundle_sha256,
        list_name=basis.list_name,
        list_sha256=basis.list_sha256,
        preprocessing=basis.preprocessing,
        engine=engine,
        engine_reason=run["engine_reason"],
        n_ignored=run["n_ignored"],
        calibration=basis.calibration,
        run=number_of(run),
        rows=rows,
        rescored=rescored,
        first_new=0 if rescored else _first_new(store),
    )


def _first_new(store: RunStore) -> int:
    """The number of the run in progress, or of the first interrupted one that it goes on with."""
    first = number_of(store.runs[-1])
    for run in reversed(store.runs[:-1]):
        if run["ended_utc"] is not None:
            break
        first = number_of(run)
    return first


_NO_ENGINE = EngineInfo("none", "", "", "", 0)


def _engine(run: Mapping[str, Any]) -> EngineInfo | None:
    return None if run["engine"] is None else EngineInfo(**run["engine"])


def _time(run: Mapping[str, Any], key: str) -> datetime:
    return datetime.fromisoformat(run[key])


def _path(shown: str) -> Path:
    return Path(file_name(shown))


def _diagnosis(row: Mapping[str, Any]) -> DiagnosisRow:
    diagnosis = DiagnosisRow(**row)
    platt = row["platt"]
    return diagnosis if platt is None else replace(diagnosis, platt=PlattScaling(**platt))
