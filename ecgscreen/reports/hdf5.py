"""``report.h5``: everything, for programs. Described in the datasets' own attributes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.quality_remarks import not_judged
from ecgscreen.reports.blocks import ScoredBlock
from ecgscreen.reports.content import Report
from ecgscreen.reports.notices import notices
from ecgscreen.reports.provenance import software_versions
from ecgscreen.results import report_text

if TYPE_CHECKING:
    from typing_extensions import Buffer

FORMAT_VERSION = 1
CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class _Field:
    """A dataset: its name, type (``str`` is variable-length UTF-8), unit and meaning."""

    name: str
    dtype: type
    unit: str
    description: str


_RECORDS = (
    _Field("path", str, "", "Relative to the folder given; rows are sorted by it"),
    _Field("record_id", str, "", "First 16 hexadecimal digits of the SHA-256 of the path"),
    _Field("status", str, "", "scored, unusable, error or vanished"),
    _Field("reason", str, "", "Why there is no score; empty when scored"),
    _Field("detail", str, "", "The value found and the value expected"),
    _Field("quality", str, "", "good, usable or unusable, and why; what is noted besides"),
    _Field("not_judged", str, "", "What quality cannot tell at this sampling rate, by commas"),
    _Field("sampling_rate", np.float64, "Hz", "Of the file; NaN where unknown"),
    _Field("duration_s", np.float64, "s", "Of the file; NaN where unknown"),
    _Field("acquired", str, "", "When it was recorded; empty where the file does not say"),
    _Field("leads", str, "", "The leads that the score rests on, separated by blanks"),
    _Field("notes", str, "", "What to know of the recording, separated by semicolons"),
)
_DIAGNOSES = (
    _Field("name", str, "", "The line of the list as written"),
    _Field("code", str, "", "Of the vocabulary; empty for free text"),
    _Field("severity", str, "", "critical, attention or info"),
    _Field("source", str, "", "How the line was resolved"),
    _Field("threshold", np.float64, "1", "Cosine that raises the flag; NaN: ranked, not flagged"),
    _Field("criterion", str, "", "How the threshold was chosen, and by whom"),
    _Field("group", str, "", "The heading of the list that it stands under"),
    _Field("seen", np.int8, "", "1 if the model met it in training, 0: zero-shot"),
    _Field("note", str, "", "Why it has not the threshold that the list asks for"),
)
_SCORES = (
    _Field("scores", np.float32, "1", "Cosine of recording and diagnosis; NaN: no result"),
    _Field("percentiles", np.float32, "%", "Mid-rank in the reference population; NaN: none"),
    _Field("probabilities", np.float32, "1", "Calibrated probability; NaN: no calibration"),
    _Field(
        "flags",
        np.int8,
        "",
        "1 at or above the threshold, 0 below, -1 no result, no threshold, or below it for a "
        "diagnosis that the model has not seen",
    ),
)
_WORST = _Field(
    "worst_start_s",
    np.float32,
    "s",
    "Where the window begins that the score of a long recording is of; NaN for other recordings, "
    "whose score is of all windows together",
)
_QUALITY = _Field(
    "quality",
    str,
    "",
    "As of a recording; those that are unusable have no row. Empty where it was not kept",
)
_WINDOWS = (
    _Field("record_index", np.int64, "", "Row of the recording in /records"),
    _Field("start_s", np.float32, "s", "Where the window begins"),
    _QUALITY,
)
_EMBEDDING = "Unit vector that the scores are computed from; NaN: no result"


class Hdf5Report:
    """Writes ``report.h5`` row by row; the number of rows is known from the store.

    Strings are variable-length UTF-8. Arrays are chunked and not compressed: cosines and
    embeddings shrink by a tenth at a third of the speed. ``/probabilities`` is not
    written where no diagnosis has any, so that it takes no room and reads as NaN.
    """

    def __init__(self, path: Path, report: Report) -> None:
        import h5py  # here, since a command that writes no report need not load it

        self._n_records = report.store.n_records
        self._n_windows = 0
        self._calibrated = any(row.platt is not None for row in report.diagnoses)
        self._raw = _PatientFile(path)
        self._file = h5py.File(self._raw, "w", rdcc_nbytes=CHUNK_BYTES)
        self._string = h5py.string_dtype("utf-8")
        n, (k, d) = self._n_records, report.directions.shape
        for fields, group in ((_RECORDS, "records"), (_DIAGNOSES, "diagnoses")):
            length = n if group == "records" else k
            for each in fields:
                self._create(f"{group}/{each.name}", each, (length,))
        for each in (*_SCORES, _WORST):
            self._create(each.name, each, (n, k))
        self._create("embeddings", _Field("", np.float16, "1", _EMBEDDING), (n, d))
        for each in _WINDOWS:
            self._create(f"windows/{each.name}", each, (0,), grows=True)
        self._create(
            "windows/embeddings", _Field("", np.float16, "1", _EMBEDDING), (0, d), grows=True
        )
        self._create("windows/scores", _SCORES[0], (0, k), grows=True)
        self._file["windows"].attrs["description"] = (
            "Of recordings with more than one window, and of long ones"
        )
        for each in _DIAGNOSES:
            values = [getattr(row, each.name) for row in report.diagnoses]
            self._file[f"diagnoses/{each.name}"][...] = _column(each, values)
        self._file.attrs.update(_attributes(report))

    def write(self, block: ScoredBlock) -> None:
        """Write the block's rows."""
        self._raw.check()
        rows = slice(block.first, block.first + len(block.scores))
        for each in _RECORDS:
            self._file[f"records/{each.name}"][rows] = _column(each, _values(each, block.columns))
        self._file["scores"][rows] = block.scores
        self._file["percentiles"][rows] = block.percentiles
        if self._calibrated:
            self._file["probabilities"][rows] = block.probabilities
        self._file["flags"][rows] = block.flags
        if not np.isnan(
            block.worst_start_s
        ).all():  # of a folder without long ones it takes no room
            self._file["worst_start_s"][rows] = block.worst_start_s
        self._file["embeddings"][rows] = block.embeddings
        if len(block.windows.record):
            self._append_windows(block)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
        self._raw.close()
        self._raw.check()

    def _append_windows(self, block: ScoredBlock) -> None:
        rows = slice(self._n_windows, self._n_windows + len(block.windows.record))
        columns = {
            "record_index": block.first + block.windows.record,
            "start_s": block.windows.start_s,
            "quality": _column(_QUALITY, block.windows.quality),
            "embeddings": block.windows.embeddings,
            "scores": block.windows.scores,
        }
        for name, values in columns.items():
            dataset = self._file[f"windows/{name}"]
            dataset.resize(rows.stop, axis=0)
            dataset[rows] = values
        self._n_windows = rows.stop

    def _create(
        self, name: str, field: _Field, shape: tuple[int, ...], *, grows: bool = False
    ) -> None:
        is_text = field.dtype is str
        row_bytes = 16 if is_text else np.dtype(field.dtype).itemsize * max(1, *shape[1:], 1)
        rows = max(1, CHUNK_BYTES // row_bytes)
        # An array without elements cannot be chunked unless it may grow.
        rows = rows if grows else min(rows, shape[0])
        dataset = self._file.create_dataset(
            name,
            shape=shape,
            dtype=self._string if is_text else field.dtype,
            chunks=(rows, *shape[1:]) if rows and all(shape[1:]) else None,
            maxshape=(None, *shape[1:]) if grows else None,
            fillvalue=_fill_value(field),
        )
        dataset.attrs["description"] = field.description
        if field.unit:
            dataset.attrs["units"] = field.unit


class _PatientFile(io.FileIO):
    """The file under HDF5, which keeps the first fault of a write for `check` to raise.

    A library that meets a full disk prints a page for every object that it can no longer
    close. So it is told that all went well until the next block, where the fault is raised.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._fault: OSError | None = None

    def write(self, content: Buffer, /) -> int:
        """Write all of `content`, or remember why not."""
        view = memoryview(content).cast("B")
        done = 0
        try:
            while self._fault is None and done < len(view):
                done += super().write(view[done:])
        except OSError as error:
            self._fault = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the length, or remember why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._fault = self._fault or error
            return size or 0

    def check(self) -> None:
        """Raise the OSError that was met, if any."""
        if self._fault is not None:
            raise self._fault


def _fill_value(field: _Field) -> float | int | None:
    if field.dtype is str:
        return None
    if field.dtype is np.int8:
        return -1
    return float("nan") if np.issubdtype(field.dtype, np.floating) else 0


def _values(field: _Field, columns: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    if field.name == "not_judged":  # not stored: the rate says it
        rates = columns["sampling_rate"]
        texts = {rate: ", ".join(not_judged(rate)) for rate in set(rates)}
        return [texts[rate] for rate in rates]
    joint = {"leads": " ", "notes": "; "}.get(field.name)
    values = columns[field.name]
    return values if joint is None else list(map(joint.join, values))


def _column(field: _Field, values: Sequence[Any]) -> NDArray[Any]:
    if field.dtype is not str:
        return np.array(values, field.dtype)
    texts = list(map(str, values))
    if report_text(joined := "".join(texts)) != joined:  # hardly ever, and quick to ask
        texts = list(map(report_text, texts))
    column = np.empty(len(texts), object)
    column[:] = texts
    return column


def _attributes(report: Report) -> dict[str, str | int | float]:
    """Return the provenance, flat, as the root's attributes."""
    made = report.provenance
    return {
        "format": "ecgscreen report",
        "format_version": FORMAT_VERSION,
        "ecgscreen_version": made.version,
        **{f"{name}_version": version for name, version in software_versions().items()},
        "started_utc": made.started.astimezone(UTC).isoformat(),
        "ended_utc": made.ended.astimezone(UTC).isoformat(),
        "bundle": report_text(made.bundle_name),
        "bundle_sha256": made.bundle_sha256,
        "list": report_text(made.list_name),
        "list_sha256": made.list_sha256,
        "calibration_sha256": str(made.calibration["sha256"]) if made.calibration else "",
        "engine": made.engine.name,
        "engine_version": made.engine.version,
        "device": made.engine.device,
        "precision": made.engine.precision,
        "pseudonyms": made.pseudonyms,
        "embeddings_from": "; ".join(made.embeddings_from),
        "n_records": report.store.n_records,
        "n_diagnoses": len(report.diagnoses),
        "n_ignored": made.n_ignored,
        "notices": "\n".join(notices(report.diagnoses)),
    }
