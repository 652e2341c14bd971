"""The file of ``ecgscreen calibrate``: thresholds and probabilities of a site's own recordings."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecgscreen.bundle import Bundle
from ecgscreen.calibration import Calibrated, PlattScaling
from ecgscreen.diagnoses import Diagnosis
from ecgscreen.errors import CalibrationError
from ecgscreen.publish import JsonValue
from ecgscreen.reports import DiagnosisRow

FORMAT = "ecgscreen calibration"
FORMAT_VERSION = 1
_MAX_BYTES = 256 << 20
"""Two million recordings; more than that is not what `ecgscreen calibrate` wrote."""
_MOST_INDEPENDENT = 1e7
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_MAX_SHOWN = 10
_ADVICE = "Make it again with ecgscreen calibrate."


@dataclass(frozen=True)
class SiteCalibration:
    """A calibration that was made for a bundle.

    Attributes
    ----------
    path
        The file.
    sha256
        Of its bytes.
    bundle_name, bundle_sha256
        The bundle whose scores it is about; of another bundle's it says nothing.
    created
        The date.
    list_name
        The list that it was learned for.
    dataset, folds
        Names of the folders or tables that it was learned on, and the folds of such as have
        them.
    n
        How many recordings those were.
    diagnoses
        By the concepts that a line of a list means. Their order does not matter.
    signals
        `ecgscreen.recording.signal_fingerprint` of every recording that it was learned on.
    """

    path: Path
    sha256: str
    bundle_name: str
    bundle_sha256: str
    created: str
    list_name: str
    dataset: tuple[str, ...]
    folds: tuple[int, ...]
    n: int
    diagnoses: Mapping[frozenset[str], Calibrated]
    signals: frozenset[str]

    @property
    def named(self) -> dict[str, JsonValue]:
        """How runs and figures name it."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "created": self.created,
            "dataset": list(self.dataset),
            "folds": list(self.folds),
            "n": self.n,
        }


def load_calibration(path: Path, bundle: Bundle) -> SiteCalibration:
    """Read a calibration and make sure that it is about this bundle.

    Raises
    ------
    CalibrationError
        If the file cannot be read or understood, or was made with another bundle.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise CalibrationError(f"{path}: {error.strerror}", _ADVICE) from error
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES} bytes")
        document = json.loads(content)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, expected {FORMAT!r}")
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(
                f"format version {document['format_version']!r}, expected {FORMAT_VERSION}"
            )
        calibration = _understand(path, content, document)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise CalibrationError(f"{path}: not a calibration: {error}", _ADVICE) from error
    if calibration.bundle_sha256 != bundle.sha256:
        raise CalibrationError(
            f"{path}: made with the bundle {calibration.bundle_name} "
            f"({calibration.bundle_sha256[:12]}), not with {bundle.name} ({bundle.sha256[:12]}): "
            "their scores do not compare",
            "Make it again with ecgscreen calibrate and this bundle, or give --bundle.",
        )
    return calibration


def calibrated_rows(
    rows: Sequence[DiagnosisRow],
    diagnoses: Sequence[Diagnosis],
    calibration: SiteCalibration | None,
) -> tuple[DiagnosisRow, ...]:
    """Give rows the site's thresholds and probabilities; without, they keep the bundle's.

    A threshold that the list itself sets stays, and so does a line with counter-prompts. An
    operating point that the list asks for is taken only if it is the one that was learned.

    Parameters
    ----------
    rows, diagnoses
        K of them, in the order of the list.
    calibration
        None changes nothing.

    Raises
    ------
    CalibrationError
        If it was learned for other diagnoses: not one line would change.
    """
    if calibration is None:
        return tuple(rows)
    if not any(_found(diagnosis, calibration) for diagnosis in diagnoses):
        raise CalibrationError(
            f"{calibration.path}: of no diagnosis of this list: it was learned for "
            f"{calibration.list_name}, and has {_shown(calibration)}",
            "Give that list, or make a calibration for this one with ecgscreen calibrate.",
        )
    return tuple(
        _calibrated(row, diagnosis, calibration)
        for row, diagnosis in zip(rows, diagnoses, strict=True)
    )


def _calibrated(
    row: DiagnosisRow, diagnosis: Diagnosis, calibration: SiteCalibration
) -> DiagnosisRow:
    found = _found(diagnosis, calibration)
    if found is None:
        return row
    asked = diagnosis.asked
    if asked is not None and asked.kind != "criterion":
        return replace(row, platt=found.platt)
    if asked is not None and asked.text != found.criterion:
        note = f"{asked.text}: {calibration.path.name} has the threshold of {found.criterion}"
        return replace(row, platt=found.platt, note=row.note and note)
    return replace(
        row,
        threshold=found.threshold,
        criterion=f"{found.criterion}, {calibration.path.name}",
        platt=found.platt,
        note="",
    )


def _found(diagnosis: Diagnosis, calibration: SiteCalibration) -> Calibrated | None:
    if diagnosis.free_texts or diagnosis.has_counter:
        return None
    return calibration.diagnoses.get(frozenset(diagnosis.concept_ids))


def _shown(calibration: SiteCalibration) -> str:
    names = [" or ".join(sorted(concepts)) for concepts in calibration.diagnoses]
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return f"{', '.join(names[:_MAX_SHOWN]) or 'nothing'}{more}"


def _understand(path: Path, content: bytes, document: dict[str, Any]) -> SiteCalibration:
    return SiteCalibration(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        bundle_name=str(document["bundle"]["name"]),
        bundle_sha256=str(document["bundle"]["sha256"]),
        created=str(document["created"]),
        list_name=str(document["list"]["name"]),
        dataset=tuple(str(name) for name in document["dataset"]),
        folds=tuple(int(fold) for fold in document["folds"]),
        n=int(document["n"]),
        diagnoses=_diagnoses(document["diagnoses"]),
        signals=_signals(document["signals"], int(document["n"])),
    )


def _diagnoses(entries: list[dict[str, Any]]) -> dict[frozenset[str], Calibrated]:
    found: dict[frozenset[str], Calibrated] = {}
    for each in entries:
        concepts = each["concepts"]
        # A word is a sequence of letters, and would be a set of them.
        if not isinstance(concepts, list) or not all(isinstance(c, str) for c in concepts):
            raise ValueError(f"concepts {concepts!r}, expected a list of ids")
        if frozenset(concepts) in found:
            raise ValueError(f"{each['name']!r} stands in it twice, expected once")
        found[frozenset(concepts)] = _entry(each)
    return found


def _signals(hashes: list[str], n: int) -> frozenset[str]:
    """Without these nobody would notice that a set is measured on what was learned from it."""
    if not isinstance(hashes, list) or not all(
        _FINGERPRINT.fullmatch(str(each)) for each in hashes
    ):
        raise ValueError("signals, expected fingerprints of 32 hexadecimal digits")
    if n and not hashes:
        raise ValueError(f"no signals of {n} recordings, expected their fingerprints")
    return frozenset(hashes)


def _entry(each: dict[str, Any]) -> Calibrated:
    threshold = each["threshold"]
    # The program's own numbers are finite; a flag at "not a number" would never be raised.
    if not isinstance(threshold, float) or not math.isfinite(threshold):
        raise ValueError(f"threshold {threshold!r} of {each['name']!r}, expected a number")
    draws = each["threshold_draws"]
    known = isinstance(draws, list) and all(isinstance(drawn, float) for drawn in draws)
    if not known or not all(map(math.isfinite, draws)):
        raise ValueError(f"threshold_draws of {each['name']!r}, expected numbers")
    # Files that were made before it was kept have none.
    n_independent = each.get("n_independent")
    if n_independent is not None and not (
        isinstance(n_independent, float) and 1 <= n_independent <= _MOST_INDEPENDENT
    ):
        raise ValueError(
            f"n_independent {n_independent!r} of {each['name']!r}, expected a number from 1 to "
            f"{_MOST_INDEPENDENT:g}"
        )
    platt = each["platt"]
    return Calibrated(
        threshold=threshold,
        criterion=str(each["criterion"]),
        platt=None if platt is None else PlattScaling(**platt),
        threshold_draws=tuple(draws),
        n_independent=n_independent,
    )
