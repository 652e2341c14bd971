"""How often an explanation finds a single ventricular beat: in real recordings.

    python -m bench.explain_beats --bundle runs/final2/sibling mitdb

MIT-BIH's annotations say when each beat comes. Windows of ten seconds with exactly one ventricular
beat and no other that a reader could take for one, evenly spread over a record. The two leads are
placed by their names, as in a scan. Nothing of this database is trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.explain import NEAR_S, PVC_WORDS, is_found
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.diagnoses import load_words
from ecgscreen.discover import Discovery
from ecgscreen.explain.effects import STEP_S, find_effects
from ecgscreen.found import Found
from ecgscreen.prompts import embed_list
from ecgscreen.readers.wfdb_header import read_header
from ecgscreen.recording import SkippedRecording
from ecgscreen.vocabulary import load_vocabulary
from engines.base import Engine
from engines.select import load_engine
from trainer.datasets.mitbih import SAME_PATIENT, read_annotations
from trainer.exact import effective_number, rate_interval
from trainer.operating_point import resampled_sums
from trainer.prepare import prepare_known

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
OTHERS = frozenset("NLRAJj")
"""Of the other beats of a window: normal, bundle branch block, atrial, junctional."""


@dataclass(frozen=True)
class Beat:
    """What explain says of a window with one ventricular beat.

    Attributes
    ----------
    patient
        Of the record.
    fall
        Of the score, where the stretch that gives most is covered.
    found
        Whether the stretch that gives most lies at the beat.
    by_lot
        How often any stretch would.
    by_beat
        How often the stretch at any of the window's beats would.
    """

    patient: str
    fall: float
    found: bool
    by_lot: float
    by_beat: float


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=10, help="Of a record, at most.")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32", threads=1)
    print(f"bundle {bundle.sha256[:12]}")
    beats = [
        beat
        for found in Discovery([arguments.folder])
        if found.path.with_suffix(".atr").is_file()
        for beat in _of_record(bundle, engine, found, arguments.windows)
    ]
    _table(beats)


def share(found: NDArray[np.bool_], patients: NDArray[np.str_]) -> str:
    """A share with its interval over patients."""
    rate = float(found.mean())
    sums = resampled_sums(np.stack([found, np.ones(len(found))], axis=1).astype(float), patients)
    n = effective_number(rate, float(np.var(sums[:, 0] / sums[:, 1])), patients)
    interval = rate_interval(rate * n, n)
    return f"{rate:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def single_beats(
    times_s: NDArray[np.float64], symbols: Sequence[str], starts_s: Sequence[float], length_s: float
) -> Iterator[tuple[int, float, NDArray[np.float64]]]:
    """Windows with one ventricular beat.

    Yields
    ------
    The window's number, when its ventricular beat comes and when all its beats come, in seconds
    from its start.
    """
    kinds = np.array(symbols)
    is_beat = np.isin(kinds, list(BEATS))
    for number, start in enumerate(starts_s):
        inside = is_beat & (times_s >= start) & (times_s < start + length_s)
        ventricular = kinds[inside] == "V"
        if ventricular.sum() == 1 and set(kinds[inside][~ventricular].tolist()) <= OTHERS:
            times = times_s[inside] - start
            yield number, float(times[ventricular][0]), times


def _of_record(bundle: Bundle, engine: Engine, found: Found, most: int) -> Iterator[Beat]:
    config = bundle.preprocessing
    known = prepare_known(found.path, found.root, config)
    if isinstance(known, SkippedRecording):
        return
    prepared, _ = known
    annotations = read_annotations(
        found.path, found.root, read_header(found.path, found.root).sampling_rate
    )
    prompts = embed_list(load_words(PVC_WORDS), bundle, load_vocabulary())
    single = list(
        single_beats(
            *(annotations.times_s, annotations.symbols),
            *(prepared.starts_s.tolist(), config.window_s),
        )
    )
    n = min(most, len(single))
    chosen = np.linspace(0, len(single) - 1, n).round().astype(int).tolist()
    for number, time, times in (single[each] for each in chosen):
        effects = find_effects(
            *(prepared.windows[number], prepared.lead_mask, prompts.directions[0], engine),
            *(config.sampling_rate, config.n_samples),
        )
        middles = effects.starts_s + STEP_S / 2
        yield Beat(
            patient=SAME_PATIENT.get(found.path.stem, found.path.stem),
            fall=float(effects.seconds.max()),
            found=is_found(effects, time),
            by_lot=float((np.abs(middles - time) <= NEAR_S).mean()),
            by_beat=float((np.abs(times - time) <= NEAR_S).mean()),
        )


def _table(beats: Sequence[Beat]) -> None:
    print("\n| windows | n, patients | found | by lot | any beat |")
    print("|---|---|---|---|---|")
    middle = float(np.median([beat.fall for beat in beats]))
    for name, group in (
        ("all", beats),
        (f"the score falls by {middle:.2f} or more", [b for b in beats if b.fall >= middle]),
        ("it falls by less", [beat for beat in beats if beat.fall < middle]),
    ):
        patients = np.array([beat.patient for beat in group])
        print(
            f"| {name} | {len(group)}, {len(set(patients.tolist()))} | "
            f"{share(np.array([beat.found for beat in group]), patients)} | "
            f"{np.mean([beat.by_lot for beat in group]):.2f} | "
            f"{np.mean([beat.by_beat for beat in group]):.2f} |"
        )
    print()
    for patient in sorted({beat.patient for beat in beats}):
        own = [beat for beat in beats if beat.patient == patient]
        print(f"{patient}: {sum(beat.found for beat in own)} of {len(own)}", end="; ")
    print()


if __name__ == "__main__":
    main()
