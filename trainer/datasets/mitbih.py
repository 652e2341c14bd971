"""MIT-BIH Arrhythmia Database: 10-second windows, labelled from beats and rhythm changes.

The rule and the mapping are described in docs/evaluation.md, with the reasons. The labels are
those of PhysioNet's annotation codes; Moody & Mark, IEEE Eng Med Biol Mag 2001;20(3):45-50.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.discover import Discovery
from ecgscreen.errors import UsageError
from ecgscreen.found import Found
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.wfdb_header import read_header
from ecgscreen.recording import RecordingError, SkippedRecording
from ecgscreen.vocabulary import Vocabulary
from trainer.datasets.case import Case, LabelledSet, implied, in_order
from trainer.prepare import prepare_known

ARRHYTHMIA = ("NORM", "AFIB", "PVC", "PAC", "CLBBB", "CRBBB", "PACE")
"""Classes of the task ``arrhythmia``: what at least two patients of either half of the database
have (de Chazal et al., IEEE Trans Biomed Eng 2004), so that an interval over patients exists."""

RHYTHMS = {
    "(N": "SR",
    "(AFIB": "AFIB",
    "(AFL": "AFLT",
    "(SVTA": "SVTAC",
    "(B": "snomed:11157007",
    "(T": "snomed:251180001",
    "(AB": "snomed:251173003",
    "(P": "PACE",
    "(PREX": "WPW",
    "(VT": "clinical:ventricular-tachycardia",
    "(VFL": "clinical:ventricular-flutter",
    "(IVR": "snomed:49260003",
    "(NOD": "snomed:29320008",
    "(BII": "2AVB",
    "(SBR": "SBRAD",
}
"""Rhythm as annotated -> concept, carried where it covers at least half of the window."""

SINGLE_BEATS = {
    "V": "PVC",
    "r": "PVC",
    "F": "PVC",
    "A": "PAC",
    "a": "PAC",
    "x": "snomed:251170000",
    "J": "snomed:251164006",
    "j": "snomed:426995002",
    "e": "snomed:251187003",
    "E": "snomed:75532003",
}
"""Annotation -> concept that one such beat (or blocked P wave) in the window is enough for."""

MOST_BEATS = {"L": "CLBBB", "R": "CRBBB", "/": "PACE", "f": "PACE"}
"""Annotation -> concept that at least half of the window's beats have to show."""

SAME_PATIENT = {"202": "201"}
"""Records 201 and 202 are of one patient, as the database's directory says."""

_BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
_NOT_NORMAL = frozenset("x[!]")
"""Annotations that are no beats, and no part of normal rhythm: blocked P, ventricular flutter."""

_NOT_ASKED = frozenset({"SBRAD"})
"""Annotated in one record, while other slow ones are just ``(N``."""
_ROUNDING_S = 1e-3
_GROUPS = frozenset({"superclass", "subclass", "group"})
"""Other members of these (fascicular block, for one) were not annotated."""

_WHAT_WFDB_RAISES = (
    ArithmeticError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Annotations:
    """The reference annotations of a record, in the order of time.

    Attributes
    ----------
    times_s
        float64, shape (n,): in seconds from the start of the record.
    symbols
        n of PhysioNet's one-letter codes.
    rhythm_starts_s
        float64, shape (m,): when a rhythm begins; it lasts until the next one begins.
    rhythms
        m names as annotated, with the bracket: ``(N``.
    """

    times_s: NDArray[np.float64]
    symbols: tuple[str, ...]
    rhythm_starts_s: NDArray[np.float64]
    rhythms: tuple[str, ...]


def mitbih_set(folders: Sequence[Path], vocabulary: Vocabulary) -> LabelledSet:
    """All records of some folders that have reference annotations (.atr) beside them.

    Raises
    ------
    UsageError
        If no record of the folders has.
    """
    found = [one for one in Discovery(folders) if one.path.with_suffix(".atr").is_file()]
    if not found:
        raise UsageError(
            f"no record with annotations (.atr) in {', '.join(map(str, folders))}",
            "Name a folder with the MIT-BIH Arrhythmia Database in WFDB format.",
        )
    concepts = implied(
        vocabulary, {"NORM", *RHYTHMS.values(), *SINGLE_BEATS.values(), *MOST_BEATS.values()}
    )
    annotated = {key for key in concepts - _NOT_ASKED if vocabulary.by_id[key].kind not in _GROUPS}
    return LabelledSet(
        name="mit-bih",
        annotated=in_order(vocabulary, annotated),
        cases=partial(_cases, found, vocabulary),
        own_tasks={"arrhythmia": ARRHYTHMIA},
    )


def concepts_of_window(annotations: Annotations, start_s: float, stop_s: float) -> frozenset[str]:
    """What a window carries, by the rule of docs/evaluation.md, without broader concepts.

    Parameters
    ----------
    annotations
        Of the record.
    start_s, stop_s
        The window, in seconds; a beat at its start belongs to it, one at its end does not.
    """
    inside = slice(*np.searchsorted(annotations.times_s, [start_s, stop_s]))
    symbols = annotations.symbols[inside]
    beats = [symbol for symbol in symbols if symbol in _BEATS]
    ends = np.append(annotations.rhythm_starts_s[1:], np.inf)
    covered = np.minimum(ends, stop_s) - np.maximum(annotations.rhythm_starts_s, start_s)
    seconds: dict[str, float] = {}
    for rhythm, part in zip(annotations.rhythms, covered.tolist(), strict=True):
        if part > 0:
            seconds[rhythm] = seconds.get(rhythm, 0.0) + part
    half = (stop_s - start_s) / 2
    carried = {RHYTHMS[name] for name, part in seconds.items() if part >= half and name in RHYTHMS}
    carried |= {SINGLE_BEATS[symbol] for symbol in symbols if symbol in SINGLE_BEATS}
    for concept in set(MOST_BEATS.values()):
        n = sum(MOST_BEATS.get(symbol) == concept for symbol in beats)
        if beats and 2 * n >= len(beats):
            carried.add(concept)
    sinus_throughout = seconds.get("(N", 0.0) >= stop_s - start_s
    if sinus_throughout and set(beats) == {"N"} and not _NOT_NORMAL.intersection(symbols):
        carried.add("NORM")
    return frozenset(carried)


def read_annotations(path: Path, root: Path, sampling_rate: float) -> Annotations:
    """Read the reference annotations (.atr) beside a header.

    Parameters
    ----------
    path
        The header.
    root
        The folder given; nothing outside it is read.
    sampling_rate
        Of the record, in Hz: annotations are placed by sample number.

    Raises
    ------
    UsageError
        If the file cannot be read or understood.
    """
    file = path.with_suffix(".atr")
    try:
        with InsideFile(str(file), root), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own use of pandas
            import wfdb  # takes a second

            read = wfdb.rdann(str(path.with_suffix("").absolute()), "atr")
    except (RecordingError, OSError, *_WHAT_WFDB_RAISES) as error:
        raise UsageError(
            f"{file}: the annotations cannot be read ({type(error).__name__})",
            "It has to be an annotation file in MIT format.",
        ) from error
    times = np.asarray(read.sample, dtype=np.float64) / sampling_rate
    # Other annotations carry notes too, such as "TS" for tape slippage.
    notes = [
        (time, note.strip("\0 "))
        for time, symbol, note in zip(times.tolist(), read.symbol, read.aux_note, strict=True)
        if symbol == "+" and note.startswith("(")
    ]
    # The first rhythm stands at the first beat, and holds from the start of the record.
    starts = [0.0, *(time for time, _ in notes[1:])] if notes else []
    return Annotations(
        times_s=times,
        symbols=tuple(read.symbol),
        rhythm_starts_s=np.array(starts, dtype=np.float64),
        rhythms=tuple(name for _, name in notes),
    )


def _cases(
    found: Sequence[Found], vocabulary: Vocabulary, config: PreprocessConfig
) -> Iterator[Case | SkippedRecording]:
    for one in found:
        known = prepare_known(one.path, one.root, config)
        if isinstance(known, SkippedRecording):
            yield known
            continue
        prepared, fingerprint = known
        sampling_rate = read_header(one.path, one.root).sampling_rate
        annotations = read_annotations(one.path, one.root, sampling_rate)
        stem = one.path.stem
        previous_stop_s = 0.0
        for window, start_s in zip(prepared.windows, prepared.starts_s.tolist(), strict=True):
            # The last window is moved back to end with the recording: not twice the same beats.
            if start_s > previous_stop_s - _ROUNDING_S:
                stop_s = previous_stop_s = start_s + config.window_s
                carried = concepts_of_window(annotations, start_s, stop_s)
                yield Case(
                    path=one.path,
                    windows=window[None],
                    lead_mask=prepared.lead_mask,
                    patient=SAME_PATIENT.get(stem, stem),
                    carried=implied(vocabulary, carried),
                    fingerprint=fingerprint,
                )
