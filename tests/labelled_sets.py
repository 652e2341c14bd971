"""Small folders of simulated recordings, laid out as the sets that ``evaluate`` measures on."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecgscreen.simulate import (
    TRUTH_NAME,
    Rhythm,
    SimulationSettings,
    simulate,
    write_dataset,
    write_wfdb,
)
from ecgscreen.vocabulary import load_vocabulary
from trainer.data import DATABASE
from trainer.datasets.ludb import PHRASES
from trainer.datasets.ludb import TABLE as LUDB_TABLE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import wfdb

Row = dict[str, str]


def write_ptbxl(
    folder: Path, folds: tuple[int, ...], count: int, seed: int, rate: float = 100.0
) -> Path:
    """Write recordings and their table in PTB-XL's layout; returns the folder.

    Every recording is of a patient of its own; the folds take turns.
    """
    rows = _written(folder, count, seed, rate)
    with (folder / DATABASE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr"))
        for number, row in enumerate(rows):
            codes = dict.fromkeys(row["statements"].split(";"), 100.0)
            fold = folds[number % len(folds)]
            name = Path(row["path"]).stem
            table.writerow((number, 40 + number % 50, number % 2, codes, fold, name))
    return folder


def write_table(
    file: Path,
    records: Path,
    count: int,
    seed: int,
    *,
    rate: float = 100.0,
    patient: Callable[[int], str] | None = None,
) -> Path:
    """Write recordings and a site's table of them, in a folder above them; returns the table.

    `patient` names that of the recording of a number; by default patients are the simulation's.
    """
    rows = _written(records, count, seed, rate)
    with file.open("w", encoding="utf-8", newline="") as target:
        table = csv.writer(target)
        table.writerow(("path", "patient_id", "statements"))
        for number, row in enumerate(rows):
            path = (records / row["path"]).relative_to(file.parent)
            name = row["patient_id"] if patient is None else patient(number)
            table.writerow((path, name, row["statements"]))
    return file


def write_ludb(folder: Path) -> Path:
    """Write 24 recordings and a table in LUDB's layout; returns the folder.

    The recordings are of all rhythms that can be simulated; what has no column is left out.
    """
    (folder / "data").mkdir(parents=True)
    columns = ("ID", "Sex", "Age", *PHRASES)
    phrase_of = {ids[0]: phrase for phrase, ids in PHRASES["Rhythms"].items() if ids}
    with (folder / LUDB_TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        for row in _written(folder / "written", 24, 4, 250.0):
            name = str(int(Path(row["path"]).stem.removeprefix("sim")) + 1)
            _renamed(folder / "written" / row["path"], folder / "data", name)
            found = [phrase_of[one] for one in row["statements"].split(";") if one in phrase_of]
            table.writerow({"ID": name, "Rhythms": "\n".join(found)})
    return folder


def write_cinc(folder: Path) -> Path:
    """Write 24 recordings with SNOMED codes in ``#Dx:`` lines; returns the folder."""
    vocabulary = load_vocabulary()
    for row in _written(folder, 24, 5, 250.0):
        snomed = [vocabulary.by_id[name].snomed[:1] for name in row["statements"].split(";")]
        header = folder / row["path"]
        codes = ",".join(code for found in snomed for code in found)
        header.write_text(f"{header.read_text('ascii')}# Dx: {codes}\n", encoding="ascii")
    return folder


def write_mitbih(folder: Path) -> Path:
    """Write two records of a minute, of sinus rhythm and atrial fibrillation, with annotations."""
    folder.mkdir(parents=True)
    for name, rhythm, mark in (
        ("100", Rhythm.SINUS, "(N"),
        ("201", Rhythm.ATRIAL_FIBRILLATION, "(AFIB"),
    ):
        heart = simulate(SimulationSettings(rhythm, 360.0, 60.0))
        write_wfdb(heart.recording, folder, name)
        beats = np.rint(heart.beat_times_s * 360.0).astype(np.int64)
        beats = beats[beats > 1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wfdb.wrann(
                name,
                "atr",
                np.concatenate([[1], beats]),
                ["+", *"N" * beats.size],
                aux_note=[mark, *[""] * beats.size],
                write_dir=str(folder),
            )
    return folder


def _written(folder: Path, count: int, seed: int, rate: float) -> list[Row]:
    """The rows of the truth about recordings that were simulated into a folder."""
    write_dataset(folder, count, seed, sampling_rate=rate)
    with (folder / TRUTH_NAME).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _renamed(header: Path, folder: Path, name: str) -> None:
    """Move a record into a folder under another name."""
    text = header.read_text("ascii").replace(header.stem, name)
    (folder / f"{name}.hea").write_text(text, encoding="ascii")
    header.with_suffix(".dat").rename(folder / f"{name}.dat")
    header.unlink()
