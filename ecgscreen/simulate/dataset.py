"""A folder of simulated recordings, and the truth about each of them beside it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ecgscreen.errors import UsageError
from ecgscreen.recording import LEADS
from ecgscreen.simulate.faults import Fault, write_faulty
from ecgscreen.simulate.settings import STATEMENTS, Artefacts, Rhythm, SimulationSettings
from ecgscreen.simulate.simulator import simulate_many
from ecgscreen.simulate.wfdb_writer import write_wfdb

TRUTH_NAME = "truth.csv"
TRUTH_COLUMNS = (
    "path",
    "patient_id",
    "report",
    "statements",
    "rhythm",
    "heart_rate",
    "artefact",
    "fault",
    "seed",
)

MIX: tuple[Rhythm, ...] = (
    Rhythm.SINUS,
    Rhythm.ATRIAL_FIBRILLATION,
    Rhythm.LBBB,
    Rhythm.SINUS,
    Rhythm.PVC,
    Rhythm.SINUS_BRADYCARDIA,
    Rhythm.RBBB,
    Rhythm.ATRIAL_FLUTTER,
    Rhythm.SINUS,
    Rhythm.FIRST_DEGREE_AV_BLOCK,
    Rhythm.ST_ELEVATION_ANTERIOR,
    Rhythm.SINUS_TACHYCARDIA,
    Rhythm.ATRIAL_FIBRILLATION,
    Rhythm.PACED,
    Rhythm.SINUS,
    Rhythm.COMPLETE_AV_BLOCK,
    Rhythm.BIGEMINY,
    Rhythm.LOW_VOLTAGE,
    Rhythm.SINUS,
    Rhythm.ST_ELEVATION_INFERIOR,
    Rhythm.LBBB,
    Rhythm.ATRIAL_FIBRILLATION,
    Rhythm.ST_ELEVATION_LATERAL,
    Rhythm.RBBB,
)
"""The rhythms of a folder, in turn: every one within the first 24, common ones often."""


def write_dataset(
    folder: Path,
    count: int,
    seed: int,
    sampling_rate: float = 500.0,
    faults: int = 0,
    duration_s: float = 10.0,
    per_folder: int = 1000,
    on_written: Callable[[int], None] | None = None,
) -> Path:
    """Write simulated recordings as WFDB files, and a truth table.

    The same arguments write the same bytes. The table, ``truth.csv``, has a row a
    recording: path relative to `folder`, patient (each recording is of one of its own), a report
    in words, SCP-ECG statements that hold (joined by ``;``), rhythm, heart rate a minute (empty
    with fewer than two beats), artefact, fault (empty if there is none), seed. The statements of
    a faulty recording are those of the heart, not of what can be read. With these columns it is a
    site's table for ``train``, ``calibrate`` and ``evaluate``.

    Parameters
    ----------
    folder
        Made if it does not exist; has to be empty.
    count
        Recordings, the faulty ones included.
    seed
        Of the whole folder. A larger `count` begins with the same recordings.
    sampling_rate
        In Hz, 100 to 1000.
    faults
        How many of the recordings are made unusable, in turn by each kind of `Fault`, and
        spread over the folder.
    duration_s
        Of each recording.
    per_folder
        Most recordings in one folder; more are laid in numbered subfolders.
    on_written
        Called with the number of recordings written so far, for a progress bar.

    Returns
    -------
    The path of the truth table.

    Raises
    ------
    UsageError
        If the folder is not empty, or an argument is out of its range.
    OSError
        If a file cannot be written.
    """
    _check(folder, count, seed, faults, per_folder)
    try:
        settings = dataset_settings(count, seed, sampling_rate, duration_s)
    except ValueError as error:
        raise UsageError(str(error)) from error
    folder.mkdir(parents=True, exist_ok=True)
    faulty = _spread(faults, count)
    digits = max(5, len(str(count - 1)))
    target = folder
    with (folder / TRUTH_NAME).open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(TRUTH_COLUMNS)
        for index, simulated in enumerate(simulate_many(settings)):
            if count > per_folder and index % per_folder == 0:
                target = folder / f"{index // per_folder:04d}"
                target.mkdir()
            name = f"sim{index:0{digits}d}"
            fault = faulty.get(index)
            if fault is None:
                path = write_wfdb(simulated.recording, target, name)
            else:
                path = write_faulty(simulated.recording, target, name, fault)
            table.writerow(
                (
                    path.name if target is folder else f"{target.name}/{path.name}",
                    # Two folders simulate two sets of patients.
                    f"p{simulated.settings.seed:x}",
                    report_of(simulated.rhythm),
                    ";".join(simulated.statements),
                    simulated.rhythm.value,
                    "" if simulated.beat_times_s.size < 2 else f"{simulated.heart_rate:.1f}",
                    artefact_names(simulated.settings.artefacts),
                    "" if fault is None else fault.value,
                    simulated.settings.seed,
                )
            )
            if on_written is not None:
                on_written(index + 1)
    return folder / TRUTH_NAME


def dataset_settings(
    count: int, seed: int, sampling_rate: float = 500.0, duration_s: float = 10.0
) -> Iterator[SimulationSettings]:
    """Give the settings of a folder's recordings, in order.

    With these, `simulate` makes again any recording of a folder that `write_dataset` wrote
    with the same arguments.

    Raises
    ------
    ValueError
        At once, if the sampling rate or the duration is out of range.
    """
    SimulationSettings(Rhythm.SINUS, sampling_rate, duration_s)
    return islice(_all_settings(seed, sampling_rate, duration_s), count)


def _all_settings(
    seed: int, sampling_rate: float, duration_s: float
) -> Iterator[SimulationSettings]:
    rng = np.random.default_rng(seed)
    index = 0
    while True:
        yield SimulationSettings(
            rhythm=MIX[index % len(MIX)],
            sampling_rate=sampling_rate,
            duration_s=duration_s,
            # A seed of 53 bits survives a spreadsheet, which keeps numbers as doubles.
            seed=int(rng.integers(2**53)),
            artefacts=_draw_artefacts(sampling_rate, rng),
        )
        index += 1


def _draw_artefacts(sampling_rate: float, rng: np.random.Generator) -> Artefacts:
    """Draw what a technician would meet: most are clean but for the amplifier's hiss.

    None makes a recording unusable: at most one lead is lost.
    """
    white_mv = float(rng.uniform(0.002, 0.010))
    kind, level, lead = float(rng.random()), float(rng.random()), LEADS[int(rng.integers(12))]
    spoilt = Artefacts(white_mv)
    if kind < 0.58:
        pass
    elif kind < 0.60:
        spoilt = Artefacts(white_mv, stepped_leads=(lead,), step_mv=0.8 + 0.7 * level)
    elif kind < 0.70:
        spoilt = Artefacts(white_mv, wander_mv=0.10 + 0.25 * level)
    elif kind < 0.78:
        spoilt = Artefacts(white_mv, muscle_mv=0.02 + 0.03 * level)
    elif kind < 0.85:
        # Where hum would be above half the sampling rate, a device has filtered it out.
        mains_mv = 0.02 + 0.05 * level if sampling_rate > 120 else 0.0
        spoilt = Artefacts(white_mv, mains_mv=mains_mv, mains_hz=50.0 if level < 0.7 else 60.0)
    elif kind < 0.89:
        spoilt = Artefacts(white_mv, off_leads=(lead,))
    elif kind < 0.92:
        spoilt = Artefacts(white_mv, flat_leads=(lead,))
    elif kind < 0.94:
        spoilt = Artefacts(white_mv, drifting_leads=(lead,))
    elif kind < 0.97:
        spoilt = Artefacts(white_mv, clipped_leads=("V2", "V3", "V4"), clip_mv=0.5 + 0.3 * level)
    else:
        spoilt = Artefacts(white_mv, swapped_arms=True)
    return spoilt


def report_of(rhythm: Rhythm) -> str:
    """What somebody would have written below such a recording."""
    if rhythm is Rhythm.SINUS:
        return "Sinus rhythm. Normal ECG."
    finding = f"{rhythm.value[0].upper()}{rhythm.value[1:]}."
    return f"Sinus rhythm. {finding}" if "SR" in STATEMENTS[rhythm] else finding


def artefact_names(artefacts: Artefacts) -> str:
    """Name what spoils a recording, joined by ``;``; white noise, always there, is not named."""
    names = []
    if artefacts.wander_mv:
        names.append("baseline wander")
    if artefacts.muscle_mv:
        names.append("muscle noise")
    if artefacts.mains_mv:
        names.append(f"mains hum {artefacts.mains_hz:g} Hz")
    for label, leads in (
        ("lead off", artefacts.off_leads),
        ("flat lead", artefacts.flat_leads),
        ("drifting lead", artefacts.drifting_leads),
        ("clipped", artefacts.clipped_leads),
        ("step", artefacts.stepped_leads),
    ):
        if leads:
            names.append(f"{label} {' '.join(leads)}")
    if artefacts.swapped_arms:
        names.append("swapped arms")
    return ";".join(names)


def _check(folder: Path, count: int, seed: int, faults: int, per_folder: int) -> None:
    if count < 1:
        raise UsageError(f"number of recordings is {count}; expected one or more")
    if per_folder < 1:
        raise UsageError(f"recordings a folder are {per_folder}; expected one or more")
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected zero or more")
    if not 0 <= faults <= count:
        raise UsageError(
            f"number of faulty recordings is {faults}; expected 0 to {count}",
            "The faulty recordings are among those that are written.",
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; expected a folder", "Name another folder.")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty; expected an empty folder or none",
            "Name another folder, or remove what is in this one.",
        )


def _spread(faults: int, count: int) -> dict[int, Fault]:
    """Give each faulty recording's index and its fault."""
    kinds = tuple(Fault)
    return {
        (2 * number + 1) * count // (2 * faults): kinds[number % len(kinds)]
        for number in range(faults)
    }
