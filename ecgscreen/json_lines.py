"""The output of ``--json``: what a scan does, as one JSON object a line, while it does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ecgscreen.manifest import number_of
from ecgscreen.publish import JsonValue, json_line
from ecgscreen.reports import ROW_REPORTS
from ecgscreen.reports.json_summary import summary_document
from ecgscreen.results import RecordResult
from ecgscreen.run_store import RunStore
from ecgscreen.scan import ScanResult


class BytesWriter(Protocol):
    """What takes bytes, or some of them."""

    def write(self, content: memoryview, /) -> int | None:
        """Return how many were taken."""
        ...


class JsonLines:
    """Writes ``started``, then a ``record`` for each row that is made, then ``summary``.

    Each object names its kind in ``event``. If nobody reads any more, nothing is written: the
    scan outlives its reader.

    Parameters
    ----------
    stream
        Of bytes, best without a buffer: what it holds back could keep an ended run from ending.
        None writes nothing.
    """

    def __init__(self, stream: BytesWriter | None) -> None:
        self._stream = stream

    def started(self, store: RunStore) -> None:
        """Write what the run is, and how many recordings are stored already."""
        run, made_with = store.runs[-1], store.provenance
        self._write(
            "started",
            {
                "run": number_of(run),
                "version": run["version"],
                "started_utc": run["started_utc"],
                "bundle_sha256": made_with["bundle_sha256"],
                "list_sha256": made_with["list_sha256"],
                "engine": run["engine"],
                "n_stored": store.n_records,
            },
        )

    def done(self, result: RecordResult) -> None:
        """Write a row as it is made."""
        if self._stream is None:  # asked for every row, hence before anything is made of it
            return
        self._write(
            "record",
            {
                "path": result.path,
                "record_id": result.record_id,
                "status": str(result.status),
                "reason": str(result.reason),
                "detail": result.detail,
                "quality": result.quality,
                "leads": list(result.leads),
            },
        )

    def ended(self, result: ScanResult, folder: Path) -> None:
        """Write ``summary.json``, and where it and the reports are."""
        reports = (*ROW_REPORTS, "run.json")
        document = summary_document(result.summary, result.provenance, reports)
        self._write("summary", {"folder": str(folder), **document})

    def _write(self, event: str, document: Mapping[str, JsonValue]) -> None:
        if self._stream is None:
            return
        line = json_line({"event": event, **document})
        rest = memoryview(f"{line}\n".encode())
        try:
            while rest:
                # A stream without a buffer takes what it can; None: nothing at the moment.
                rest = rest[self._stream.write(rest) or 0 :]
        except OSError:
            self._stream = None
