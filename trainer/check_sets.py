"""What a retrained bundle must not have forgotten: recordings that are not the site's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.simulate import dataset_settings, simulate, write_wfdb
from ecgscreen.vocabulary import Vocabulary
from trainer.data import LabelledRecordings, RecordingRow, load_ptbxl, prepare_rows

N_SIMULATED = 240
_SEED = 20_240_902
_SAMPLING_RATE = 100.0


@dataclass(frozen=True)
class CheckSet:
    """Recordings to compare bundles on.

    Attributes
    ----------
    what
        What they are, for a person.
    recordings
        None of them trained on.
    """

    what: str
    recordings: LabelledRecordings


def check_set(folders: Sequence[Path], old: Bundle, vocabulary: Vocabulary) -> CheckSet:
    """The old bundle's validation folds of some folders, or simulated rhythms without any.

    The recordings that a bundle carries for ``verify`` (``check.npz``) have no labels, and
    those it was measured on do not travel with it. Simulated recordings of known
    rhythm do tell whether a rhythm is no longer told from the others; how well a bundle does
    on patients they cannot tell.

    Parameters
    ----------
    folders
        In PTB-XL's layout.
    old
        The bundle that knows what could be forgotten.
    vocabulary
        The concepts.

    Raises
    ------
    UsageError
        If folders are given and the bundle does not say which folds it was validated on.
    """
    if not folders:
        return CheckSet(
            f"{N_SIMULATED} simulated recordings of known rhythm",
            _simulated(old, vocabulary),
        )
    training = old.manifest["training"]
    folds = training.get("check_folds", training.get("validation_folds", []))
    trained = training.get("train_folds", [])
    if not folds or set(folds) & set(trained):
        raise UsageError(
            f"{old.path}: does not name folds that it was validated and not trained on",
            "Leave --check out: simulated recordings are then used.",
        )
    names = ", ".join(folder.name for folder in folders)
    return CheckSet(
        f"{names}, folds {', '.join(map(str, folds))}",
        load_ptbxl(folders, folds, vocabulary, old.preprocessing),
    )


def _simulated(old: Bundle, vocabulary: Vocabulary) -> LabelledRecordings:
    """Every recording is of a patient of its own."""
    config = old.preprocessing
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for number, settings in enumerate(
            dataset_settings(N_SIMULATED, _SEED, _SAMPLING_RATE, config.window_s)
        ):
            simulated = simulate(settings)
            write_wfdb(simulated.recording, folder, f"{number}")
            rows.append(
                RecordingRow(
                    path=folder / f"{number}.hea",
                    root=folder,
                    carried=vocabulary.concepts_of(simulated.statements),
                    patient=f"{number}",
                    fold=0,
                )
            )
        return prepare_rows(rows, vocabulary, config)
