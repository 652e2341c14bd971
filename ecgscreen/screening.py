"""What a scan leaves in its run store besides the rows.

`RunStore.provenance` is the JSON of a `Basis`. Each of `RunStore.runs` has ``number``, ``command``,
``version``, ``arguments``, ``started_utc``, ``ended_utc`` (null for one that was interrupted),
``engine`` (what computed its embeddings; null for one that computed none), ``engine_reason`` and
``n_ignored``. The attachment ``scoring`` is a `Scoring`: the list of diagnoses as it was resolved,
so that a report (`ecgscreen.stored_report`) needs neither the bundle nor the list nor a language
model again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.calibration import PlattScaling
from ecgscreen.errors import StoreError
from ecgscreen.manifest import REMEDY
from ecgscreen.objects.address import path_of_text, spelled
from ecgscreen.publish import JsonValue
from ecgscreen.reports import DiagnosisRow
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
        As `ecgscreen.reports.Provenance` has it.
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


def _path(shown: str) -> Path:
    return Path(file_name(shown))


def _diagnosis(row: Mapping[str, Any]) -> DiagnosisRow:
    diagnosis = DiagnosisRow(**row)
    platt = row["platt"]
    return diagnosis if platt is None else replace(diagnosis, platt=PlattScaling(**platt))
