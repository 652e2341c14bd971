"""A finished screening, read from its ``report.h5`` in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.compare.changes import Figures, State
from ecgscreen.errors import ReportError
from ecgscreen.reports.diagnosis_row import DiagnosisRow

REPORT = "report.h5"
BLOCK_ROWS = 4096
"""Rows that are read at once."""

_MAX_SHOWN = 200
_ADVICE = f"Name a screening's folder, or its {REPORT}."


class Screening:
    """Reads rows of a report; made by `open_screening`.

    Attributes
    ----------
    path
        The report.
    attributes
        Its provenance, as texts: see ``report.h5``'s own attributes.
    diagnoses
        All of its list.
    ids
        uint64, shape (n_records,): the recordings' ids, in the order of the report.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self._file = file
        self.attributes = {name: str(value) for name, value in file.attrs.items()}
        self.diagnoses = _diagnoses(file["diagnoses"])
        ids = file["records/record_id"].asstr()[...]
        self.ids = np.fromiter((int(text, 16) for text in ids), np.uint64, len(ids))
        shape = (len(ids), len(self.diagnoses))
        for name in ("scores", "percentiles", "flags"):
            if file[name].shape != shape:
                raise ValueError(f"/{name} has the shape {file[name].shape}, expected {shape}")
        if len(np.unique(self.ids)) != len(ids):
            raise ValueError("two recordings have the same id")

    @property
    def pseudonyms(self) -> str | None:
        """The name of the key that its ids are made with; empty where it has names.

        None where ids stand for names and their key is not said: that is of an older version.
        """
        if (key := self.attributes.get("pseudonyms")) is not None:
            return key
        # Only an id is its own record id: a name is not the hash of itself.
        first = np.arange(min(1, self.n_records))
        is_id = self.paths(first) == [f"{number:016x}" for number in self.ids[first].tolist()]
        return None if self.n_records and is_id else ""

    @property
    def n_records(self) -> int:
        """Rows of the report."""
        return len(self.ids)

    def blocks(self) -> Iterator[NDArray[np.intp]]:
        """Yield the numbers of all rows, `BLOCK_ROWS` at a time."""
        for begin in range(0, self.n_records, BLOCK_ROWS):
            yield np.arange(begin, min(begin + BLOCK_ROWS, self.n_records))

    def paths(self, rows: NDArray[np.intp]) -> list[str]:
        """Return the paths of some rows (ascending)."""
        return [str(path) for path in self._take("records/path", rows, text=True)]

    def states(self, rows: NDArray[np.intp]) -> list[State]:
        """Return what became of some rows (ascending)."""
        columns = (
            self._take(f"records/{name}", rows, text=True).tolist()
            for name in ("status", "reason", "quality")
        )
        return [State(*values) for values in zip(*columns, strict=True)]

    def figures(self, rows: NDArray[np.intp], diagnoses: Sequence[int]) -> Figures:
        """Return scores, percentiles and flags of some rows (ascending) and diagnoses."""
        columns = list(diagnoses)
        return Figures(
            scores=self._take("scores", rows)[:, columns],
            percentiles=self._take("percentiles", rows)[:, columns],
            flags=self._take("flags", rows)[:, columns],
        )

    def _take(self, name: str, rows: NDArray[np.intp], *, text: bool = False) -> NDArray[Any]:
        """Read some rows, block by block: HDF5's own selection of single rows is far slower."""
        dataset = self._file[name]
        source = dataset.asstr() if text else dataset
        dtype = np.object_ if text else dataset.dtype
        parts = [np.empty((0, *dataset.shape[1:]), dtype)]
        for block in np.unique(rows // BLOCK_ROWS).tolist():
            first = block * BLOCK_ROWS
            wanted = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + BLOCK_ROWS)]
            low, high = int(wanted[0]), int(wanted[-1]) + 1
            parts.append(source[low:high][wanted - low])
        return np.concatenate(parts)


@contextmanager
def open_screening(path: Path) -> Iterator[Screening]:
    """Open the report of a screening, to compare it.

    Parameters
    ----------
    path
        A screening's folder, or its ``report.h5`` under any name.

    Raises
    ------
    ReportError
        If there is none, or it is not one of ours.
    """
    import h5py

    report = path / REPORT if path.is_dir() else path
    try:
        with h5py.File(report, "r") as file:
            if (found := str(file.attrs.get("format", "nothing"))) != "ecgscreen report":
                raise ReportError(
                    f"{report}: is HDF5 with the format {found[:_MAX_SHOWN]!r}, expected "
                    "'ecgscreen report'",
                    _ADVICE,
                )
            yield Screening(report, file)
    except FileNotFoundError as error:
        raise ReportError(f"{report}: there is no such file", _ADVICE) from error
    except OSError as error:
        raise ReportError(f"{report}: cannot be read as HDF5", _ADVICE) from error
    except (KeyError, ValueError, TypeError) as error:
        raise ReportError(
            f"{report}: is no whole report ({str(error)[:_MAX_SHOWN]})", _ADVICE
        ) from error


def _diagnoses(group: Any) -> tuple[DiagnosisRow, ...]:
    def texts(name: str) -> list[str]:
        return [str(text) for text in group[name].asstr()[...]]

    thresholds = group["threshold"][...].tolist()
    columns = (texts(name) for name in ("name", "code", "severity", "source"))
    return tuple(
        DiagnosisRow(name, code, severity, source, threshold)
        for name, code, severity, source, threshold in zip(*columns, thresholds, strict=True)
    )
