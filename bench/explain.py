"""How often an explanation finds the place that is known: on simulated recordings.

    python -m bench.explain

A single premature complex has a time, ST elevation has leads. Recordings are simulated with noise;
the bundle that ships is asked. Beside the way that `ecgscreen explain` takes stand others, which is
why it is taken. A model that looks elsewhere is not a fault of the explanation: the figures are
of both together.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.diagnoses import load_words
from ecgscreen.explain.effects import STEP_S, WIDTH_S, Effects, find_effects
from ecgscreen.explain.occlusion import bridged
from ecgscreen.preprocess import preprocess
from ecgscreen.prompts import embed_list
from ecgscreen.recording import LEADS
from ecgscreen.simulate import (
    Artefacts,
    BeatKind,
    Rhythm,
    SimulatedRecording,
    SimulationSettings,
    simulate,
)
from ecgscreen.vocabulary import load_vocabulary
from engines.base import Engine
from engines.select import load_engine

NOISE = Artefacts(white_mv=0.01, muscle_mv=0.01, wander_mv=0.1)
PVC_WORDS = "ventricular premature complex"
ST_WORDS = (
    "ST elevation myocardial infarction",
    "anterior ST elevation myocardial infarction",
    "inferior ST elevation myocardial infarction",
    "anteroseptal myocardial infarction",
    "non-specific ST elevation",
)
PLACES = {
    Rhythm.ST_ELEVATION_ANTERIOR: ("V1", "V2", "V3", "V4"),
    Rhythm.ST_ELEVATION_INFERIOR: ("II", "III", "aVF"),
}
NEAR_S = (WIDTH_S + STEP_S) / 2
"""How far the middle of the stretch may lie from the complex: half a cover and half a step. By
chance it does so once in twelve."""

_ST_T = 2
_CONTEXT = 40
_ALL = np.ones(len(LEADS), np.bool_)


class Remembering:
    """An engine that embeds a recording's covers once, however many diagnoses are asked."""

    def __init__(self, engine: Engine) -> None:
        self.info = engine.info
        self._engine = engine
        self._kept: list[NDArray[np.float32]] = []
        self._next = 0

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """As the engine, or what it gave at this place before `again`."""
        if self._next == len(self._kept):
            self._kept.append(self._engine.embed(windows, lead_mask))
        self._next += 1
        return self._kept[self._next - 1]

    def again(self) -> None:
        """The same windows come once more, in the same order."""
        self._next = 0


def zeros(window: NDArray[np.float32], cover: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mean of a filtered lead, with a step at either end."""
    return np.where(cover, np.float32(0), window)


def other_stretch(window: NDArray[np.float32], cover: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The stretch of the same recording whose surroundings are most like those of the cover.

    As in exemplar-based filling of pictures (Criminisi, Perez & Toyama, IEEE TIP 2004); of covers
    in all leads only, others are bridged.
    """
    covered = np.flatnonzero(cover.all(axis=0))
    n = window.shape[1]
    if not len(covered) or len(covered) == n or len(covered) != covered[-1] - covered[0] + 1:
        return bridged(window, cover)
    first, end = int(covered[0]), int(covered[-1]) + 1
    low, high = max(first - _CONTEXT, 0), min(end + _CONTEXT, n)
    around = np.r_[low:first, end:high]
    shifts = [s for s in range(-low, n - high + 1) if abs(s) >= end - first]
    if not shifts:
        return bridged(window, cover)
    apart = [np.square(window[:, around + s] - window[:, around]).sum() for s in shifts]
    shift = shifts[int(np.argmin(apart))]
    result = window.copy()
    result[:, first:end] = window[:, first + shift : end + shift]
    return result


def recordings(rhythm: Rhythm, first_seed: int, n: int) -> Iterator[SimulatedRecording]:
    """Simulated ones; of premature complexes those with a single one in ten seconds."""
    seed = first_seed
    while n:
        simulated = simulate(SimulationSettings(rhythm, seed=seed, artefacts=NOISE))
        seed += 1
        if rhythm is Rhythm.PVC and len(premature_s(simulated)) != 1:
            continue
        n -= 1
        yield simulated


def premature_s(simulated: SimulatedRecording) -> list[float]:
    """When its premature complexes come, in seconds."""
    beats = zip(simulated.beat_times_s.tolist(), simulated.beat_kinds, strict=True)
    length = simulated.settings.duration_s
    return [time for time, kind in beats if kind is BeatKind.PVC and 0 < time < length]


def is_found(effects: Effects, time_s: float) -> bool:
    """Whether the stretch that gives most lies at the complex, as well as covers can tell."""
    middle = float(effects.starts_s[int(effects.seconds.argmax())]) + STEP_S / 2
    return abs(middle - time_s) <= NEAR_S


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--recordings", type=int, default=20, help="of each kind")
    parser.add_argument("--first-seed", type=int, default=5000)
    arguments = parser.parse_args()
    bundle = load_bundle(default_bundle())
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32", threads=1)
    n, seed = arguments.recordings, arguments.first_seed
    _premature_complexes(bundle, engine, n, seed)
    for rhythm, place in PLACES.items():
        _st_elevation(bundle, engine, n, seed, rhythm, place)


def _direction(bundle: Bundle, words: str) -> NDArray[np.float64]:
    prompts = embed_list(load_words(words), bundle, load_vocabulary())
    direction: NDArray[np.float64] = prompts.directions[0]
    return direction


def _window(bundle: Bundle, simulated: SimulatedRecording) -> NDArray[np.float32]:
    prepared = preprocess(simulated.recording, _ALL, bundle.preprocessing)
    window: NDArray[np.float32] = prepared.windows[0]
    return window


def _premature_complexes(bundle: Bundle, engine: Engine, n: int, seed: int) -> None:
    direction = _direction(bundle, PVC_WORDS)
    rate, n_samples = bundle.preprocessing.sampling_rate, bundle.preprocessing.n_samples
    ways = {"a straight line": bridged, "zeros": zeros, "another stretch": other_stretch}
    print(f"\n| a single premature complex, covered by | found, of {n} | mean fall of the score |")
    print("|---|---|---|")
    simulations = list(recordings(Rhythm.PVC, seed, n))
    for name, instead in ways.items():
        found, fall = 0, []
        for simulated in simulations:
            effects = find_effects(
                *(_window(bundle, simulated), _ALL, direction, engine, rate, n_samples), instead
            )
            found += is_found(effects, premature_s(simulated)[0])
            fall.append(float(effects.seconds.max()))
        print(f"| {name} | {found} | {np.mean(fall):.2f} |", flush=True)


def _st_elevation(
    bundle: Bundle, engine: Engine, n: int, seed: int, rhythm: Rhythm, place: tuple[str, ...]
) -> None:
    rate, n_samples = bundle.preprocessing.sampling_rate, bundle.preprocessing.n_samples
    hits = {words: np.zeros(3, np.int64) for words in ST_WORDS}
    for simulated in recordings(rhythm, seed, n):
        window, remembering = _window(bundle, simulated), Remembering(engine)
        for words in ST_WORDS:
            direction = _direction(bundle, words)
            effects = find_effects(window, _ALL, direction, remembering, rate, n_samples)
            values = (
                effects.parts[:, _ST_T],
                effects.lead_effects,
                _masked(window, direction, remembering),
            )
            hits[words] += [LEADS[int(each.argmax())] in place for each in values]
            remembering.again()
    chance = len(place) / len(LEADS)
    print(
        f"\n| {rhythm}: the first lead is one of {', '.join(place)}, of {n} (by chance "
        f"{chance * n:.1f}) | ST-T of all beats covered | any second covered | lead masked |"
    )
    print("|---|---|---|---|")
    for words, found in hits.items():
        print(f"| {words} | {' | '.join(map(str, found.tolist()))} |", flush=True)


def _masked(
    window: NDArray[np.float32], direction: NDArray[np.float64], engine: Engine
) -> NDArray[np.float64]:
    """What the score loses if a lead had not been recorded, float64, shape (12,)."""
    masks = np.concatenate([_ALL[None], ~np.eye(len(LEADS), dtype=np.bool_)])
    windows = np.where(masks[:, :, None], window, np.float32(0))
    scores = engine.embed(windows, masks).astype(np.float64) @ direction
    lost: NDArray[np.float64] = scores[0] - scores[1:]
    return lost


if __name__ == "__main__":
    main()
