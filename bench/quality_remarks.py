"""How often what quality names is there, and how often it is named where it is not.

    python -m bench.quality_remarks --data ../shared/data

Wander is measured against the column ``baseline_drift`` of PTB-XL's table, in which somebody noted
the leads, and with record ``bw`` of the noise stress test database; steps and mains hum with such
as are added here; pacing spikes against LUDB's list of devices, and with added pulses of the size
that standards ask a device to mark.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.noise import Ratio, read_noise
from bench.quality import DECIBELS, ludb, noised
from ecgscreen import quality_baseline
from ecgscreen.quality import Remark, assess_quality
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording
from ecgscreen.resampling import BandPass, resample
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate

WANDER_LIMITS_MV = (0.5, 0.7, 1.0)
STEPS_MV = (0.3, 0.5, 0.7, 1.0, 2.0)
HUMS_MV = (0.02, 0.03, 0.04, 0.06, 0.1)
"""From peak to valley."""
PULSES_MV = (1.0, 2.0, 4.0)
PULSE_S = 0.0005
UNQUALIFIED_BASELINE = 0.9
"""basSQI below which Zhao & Zhang (2018) take a lead for unqualified."""


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data: Path = parser.parse_args().data
    noted = list(with_drift(data / "ptb-xl"))
    fast = ludb(data)
    print_wander(noted)
    print_added_wander([one for one, _ in noted[::3]], fast, read_noise(data / "nstdb", "bw"))
    print_added("step", STEPS_MV, stepped, {"PTB-XL": [r for r, _ in noted], "LUDB": fast})
    print_added("hum", HUMS_MV, humming, {"LUDB": fast})
    print_pacing(data, fast)


def with_drift(folder: Path) -> Iterator[tuple[Recording, NDArray[np.bool_]]]:
    """Recordings of PTB-XL whose row is whole, and the leads that somebody found drifting."""
    with (folder / "ptbxl_database.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["metadata"] != "complete":
                continue
            recording = read_recording(folder / f"{row['filename_lr']}.hea")
            if isinstance(recording, Recording):
                yield recording, named_leads(row["baseline_drift"])


def named_leads(text: str) -> NDArray[np.bool_]:
    """Read what PTB-XL notes of leads: ``, V6``, ``I-AVF``, ``v2,3``, ``alles``."""
    order = {lead.casefold(): row for row, lead in enumerate(LEADS)}
    order |= {str(row - 5): row for row in range(6, 12)}
    found = np.zeros(len(LEADS), np.bool_)
    if "alle" in text:
        return ~found
    for part in re.split(r"[,;.\s]+", re.sub(r"\s*-\s*", "-", text.casefold())):
        rows = [order[name] for name in part.strip("?").split("-") if name in order]
        if rows:
            found[rows[0] : rows[-1] + 1] = True
    return found


def print_wander(cases: Sequence[tuple[Recording, NDArray[np.bool_]]]) -> None:
    """Against what somebody noted."""
    drifts = np.stack([leads for _, leads in cases])
    some: NDArray[np.bool_] = np.logical_or.reduce(drifts, axis=1)
    print(f"\nPTB-XL: {len(cases)} recordings, {some.sum()} with drift in {drifts.sum()} leads")
    print("| named if | of noted leads | of other leads | of noted recordings | of others |")
    print("|---" * 5 + "|")

    def line(label: str, named: NDArray[np.bool_]) -> None:
        of_record: NDArray[np.bool_] = np.logical_or.reduce(named, axis=1)
        shares = (named[drifts], named[~drifts], of_record[some], of_record[~some])
        print(f"| {label} | {' | '.join(f'{100 * each.mean():.1f} %' for each in shares)} |")

    moved = np.stack([moves(one) for one, _ in cases])
    for limit in WANDER_LIMITS_MV:
        line(f"it moves over {limit:g} mV", moved > limit)
    baseline = np.stack([baseline_index(one) for one, _ in cases])
    line(f"basSQI below {UNQUALIFIED_BASELINE:g}", baseline < UNQUALIFIED_BASELINE)
    line(
        "steps or wander, as named",
        np.stack([named(one, {Remark.STEPS, Remark.WANDER}) for one, _ in cases]),
    )
    line("steps, as named", np.stack([named(one, {Remark.STEPS}) for one, _ in cases]))


def moves(recording: Recording) -> NDArray[np.float32]:
    """How far the baseline below 0.5 Hz moves in each lead, in mV."""
    analysis, synthesis = quality_baseline._slow_waves(
        recording.signal.shape[1], recording.sampling_rate
    )
    slow: NDArray[np.float32] = np.matmul(
        recording.signal @ analysis, synthesis.T, dtype=np.float32
    )
    moved: NDArray[np.float32] = np.ptp(slow, axis=1)
    return moved


def baseline_index(recording: Recording) -> NDArray[np.float64]:
    """The share of power up to 40 Hz that lies above 1 Hz: basSQI of Clifford et al."""
    signal = recording.signal - recording.signal.mean(axis=1, keepdims=True)
    power = np.square(np.abs(np.fft.rfft(signal * np.hanning(signal.shape[1]), axis=1)))
    frequency = np.fft.rfftfreq(signal.shape[1], 1 / recording.sampling_rate)
    slow, whole = (power[:, frequency <= high].sum(axis=1) for high in (1, 40))
    index: NDArray[np.float64] = 1 - slow / np.maximum(whole, 1e-12)
    return index


def named(recording: Recording, remarks: set[Remark]) -> NDArray[np.bool_]:
    """In which leads one of the remarks is made."""
    leads = {
        lead for what, of in assess_quality(recording).remarks if what in remarks for lead in of
    }
    return np.array([lead in leads for lead in LEADS])


def print_added_wander(
    slow: Sequence[Recording], fast: Sequence[Recording], noise: NDArray[np.float32]
) -> None:
    """With recorded wander, each lead a stretch of its own; the ratio is one of all power."""
    print("\n| wander added | " + " | ".join(["none", *(f"{d} dB" for d in DECIBELS)]) + " |")
    print("|---" * (2 + len(DECIBELS)) + "|")
    for label, recordings in (("PTB-XL", slow), ("LUDB", fast)):
        sets = [recordings, *(noised(recordings, noise, d, Ratio.ALL) for d in DECIBELS)]
        shares = [
            np.mean([named(one, {Remark.WANDER, Remark.STEPS}).mean() for one in each])
            for each in sets
        ]
        print(f"| {label}, leads named | " + " | ".join(f"{100 * s:.1f} %" for s in shares) + " |")


def stepped(
    recording: Recording, size: float, rng: np.random.Generator
) -> tuple[Recording, Remark]:
    """With a step in every lead, each at a time of its own."""
    n_leads, n = recording.signal.shape
    at = rng.integers(round(0.2 * n), round(0.8 * n), (n_leads, 1))
    sign = rng.choice((-1, 1), (n_leads, 1))
    step = size * sign * (np.arange(n) >= at)
    return replace(recording, signal=(recording.signal + step).astype(np.float32)), Remark.STEPS


def humming(
    recording: Recording, size: float, rng: np.random.Generator
) -> tuple[Recording, Remark]:
    """With mains hum of either frequency, off by up to 0.2 Hz, of one phase a lead."""
    n_leads, n = recording.signal.shape
    mains, remark = ((50, Remark.MAINS_50), (60, Remark.MAINS_60))[rng.integers(2)]
    cycles = (mains + rng.uniform(-0.2, 0.2)) * np.arange(n) / recording.sampling_rate
    hum = size / 2 * np.sin(2 * np.pi * (cycles + rng.random((n_leads, 1))))
    return replace(recording, signal=(recording.signal + hum).astype(np.float32)), remark


def print_added(
    what: str,
    sizes: Sequence[float],
    add: Callable[[Recording, float, np.random.Generator], tuple[Recording, Remark]],
    sets: dict[str, Sequence[Recording]],
) -> None:
    """The share of leads that are named with what was added, and of leads as they came."""
    print(f"\n| {what} | as they came | " + " | ".join(f"{size:g} mV" for size in sizes) + " |")
    print("|---" * (2 + len(sizes)) + "|")
    for label, recordings in sets.items():
        rng = np.random.default_rng(0)
        _, kind = add(recordings[0], 0.0, rng)
        hums: set[Remark] = {Remark.MAINS_50, Remark.MAINS_60}
        kinds = hums if kind in hums else {kind}
        shares = [np.mean([named(one, kinds).mean() for one in recordings])]
        for size in sizes:
            spoilt = [add(one, size, rng) for one in recordings]
            shares.append(np.mean([named(one, {remark}).mean() for one, remark in spoilt]))
        print(
            f"| {label}, leads | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |"
        )


def paced(recording: Recording, size: float, rng: np.random.Generator) -> Recording:
    """With a pulse of 0.5 ms before each second beat or so, behind a low-pass of 150 Hz."""
    n_leads, n = recording.signal.shape
    finer = 16
    rate = recording.sampling_rate * finer
    pulses = np.zeros((1, n * finer), np.float32)
    width = round(PULSE_S * rate)
    for start in np.arange(0.5, recording.duration_s - 0.5, 0.85):
        first = round((start + rng.uniform(0, 0.01)) * rate)
        pulses[0, first : first + width] = size
    band = BandPass(0.5, 150.0, min(240.0, recording.sampling_rate / 2 - 1))
    seen = resample(pulses, rate, recording.sampling_rate, band)[:, :n]
    weights = rng.uniform(-1, 1, (n_leads, 1))
    return replace(recording, signal=(recording.signal + weights * seen).astype(np.float32))


def print_pacing(data: Path, fast: Sequence[Recording]) -> None:
    """LUDB's devices, recordings without any, and added pulses."""
    with (data / "ludb" / "ludb.csv").open(encoding="utf-8", newline="") as stream:
        devices = {
            row["ID"].strip() for row in csv.DictReader(stream) if row["Cardiac pacing"].strip()
        }

    def noted(recordings: Sequence[Recording]) -> str:
        found = sum(named(one, {Remark.PACING}).any() for one in recordings)
        return f"{found} of {len(recordings)}"

    without = [one for one in fast if one.path.stem not in devices]
    others = []
    for path in sorted((data / "ptb-xl" / "records500").rglob("*.hea")):
        recording = read_recording(path)
        if isinstance(recording, Recording):
            others.append(recording)
    for path in sorted((data / "cinc2021").rglob("*.hea")):
        recording = read_recording(path)
        if isinstance(recording, Recording) and recording.sampling_rate >= 500:
            first = recording.signal[:, : round(10 * recording.sampling_rate)]
            others.append(replace(recording, signal=np.ascontiguousarray(first)))
    unknown = "PTB-XL at 500 Hz and the Challenge's samples, none known to have one"
    print("\n| pacing spikes noted in | recordings |\n|---|---|")
    print(f"| LUDB with a device | {noted([one for one in fast if one not in without])} |")
    print(f"| LUDB without | {noted(without)} |")
    print(f"| {unknown} | {noted(others)} |")
    for rate in (500.0, 1000.0):
        simulated = [simulate(SimulationSettings(Rhythm.PACED, rate, seed=n)) for n in range(50)]
        label = f"simulated, paced, {rate:g} Hz"
        print(f"| {label} | {noted([one.recording for one in simulated])} |")
    rng = np.random.default_rng(0)
    for size in PULSES_MV:
        added = [paced(one, size, rng) for one in without]
        print(f"| LUDB without, pulses of up to {size:g} mV and 0.5 ms added | {noted(added)} |")


if __name__ == "__main__":
    main()
