"""Whether an engine on this machine gives the results that the bundle was measured with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.errors import EngineError
from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.recording import LEADS
from ecgscreen.scoring import flags, quantise_directions, score
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from engines.base import Engine, EngineUnavailableError
from engines.parity import TOLERANCES, Parity, compare
from engines.select import load_engine

N_SIMULATED = 96
_SEED = 20_261_122


@dataclass(frozen=True)
class Comparison:
    """An engine against a reference, on the same windows and all concepts of the bundle.

    Attributes
    ----------
    reference
        Where the expected embeddings come from.
    tolerance
        Of `engines.parity.TOLERANCES`.
    parity
        Of the embeddings.
    largest_score_difference
        Over all windows and concepts.
    n_ranks, n_rank_changes, furthest_rank
        Places of a window in a concept's order, how many are others than with the reference, and
        by how many places at most. Windows of nearly the same score change places easily.
    n_flags, n_flag_changes
        Windows times concepts with a threshold, and how many flags are others.
    """

    reference: str
    tolerance: float
    parity: Parity
    largest_score_difference: float
    n_ranks: int
    n_rank_changes: int
    furthest_rank: int
    n_flags: int
    n_flag_changes: int

    @property
    def holds(self) -> bool:
        """Whether scores and embeddings are within the tolerance; NaN is not."""
        return self.largest_score_difference <= self.tolerance and self.parity.holds(self.tolerance)

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        yield f"against {self.reference}: {'passed' if self.holds else 'FAILED'}"
        yield (
            f"  largest score difference {self.largest_score_difference:.2g}, smallest cosine "
            f"{self.parity.smallest_cosine:.7f}; {self.tolerance:g} is allowed of each"
        )
        yield (
            f"  ranks: {self.n_rank_changes} of {self.n_ranks} changed, by {self.furthest_rank} "
            f"at most; flags: {self.n_flag_changes} of {self.n_flags} changed"
        )


def open_engine(bundle: Bundle, name: str, precision: str) -> Engine:
    """The engine with the bundle's encoder.

    Raises
    ------
    EngineError
        If it is not to be had.
    """
    try:
        return load_engine(name, bundle.encoder_onnx, precision=precision)
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error


def reference_engine(bundle: Bundle) -> Engine:
    """PyTorch in float32; where it is not installed, OpenVINO in float32, which was held to it.

    Raises
    ------
    EngineError
        If neither is to be had.
    """
    there = all(find_spec(package) is not None for package in ("torch", "onnx"))
    return open_engine(bundle, "pytorch" if there else "openvino", "f32")


def verify_engine(bundle: Bundle, engine: Engine, reference: Engine) -> tuple[Comparison, ...]:
    """Hold an engine against the bundle's check batch, and a reference on simulated recordings.

    Parameters
    ----------
    bundle
        Its check batch holds what PyTorch gave when the bundle was exported.
    engine
        The one to be verified.
    reference
        From `reference_engine`.
    """
    check = bundle.check
    windows, lead_mask = simulated_windows(bundle.preprocessing)
    told = reference.info
    return (
        compare_scores(
            bundle,
            engine.info.precision,
            f"the bundle's check batch, {len(check['windows'])} windows",
            engine.embed(check["windows"], check["lead_mask"]),
            check["embeddings"],
        ),
        compare_scores(
            bundle,
            engine.info.precision,
            f"{told.name} {told.precision} on {told.device}, {len(windows)} simulated recordings",
            engine.embed(windows, lead_mask),
            reference.embed(windows, lead_mask),
        ),
    )


def compare_scores(
    bundle: Bundle,
    precision: str,
    reference: str,
    found: NDArray[np.float32],
    expected: NDArray[np.float32],
) -> Comparison:
    """Compare embeddings, and what a scan makes of them.

    Parameters
    ----------
    bundle
        For the concepts and their thresholds.
    precision
        Of the engine that is verified.
    reference
        What the expected embeddings are, for the report.
    found, expected
        float32, shape (N, D).
    """
    directions = quantise_directions(np.stack(list(bundle.concepts.values())))
    points = bundle.operating_points
    thresholds = np.array(
        [points[name].threshold if name in points else np.nan for name in bundle.concepts]
    )
    # Ranks and flags are a scan's, from embeddings as they are stored.
    scores = [score(_stored(rows), directions) for rows in (found, expected)]
    moved = np.abs(_ranks(scores[0]) - _ranks(scores[1]))
    raised = [flags(each, thresholds)[:, ~np.isnan(thresholds)] for each in scores]
    difference = (found.astype(np.float64) - expected) @ directions.T
    return Comparison(
        reference=reference,
        tolerance=TOLERANCES[precision],
        parity=compare(found, expected),
        largest_score_difference=float(np.abs(difference).max()),
        n_ranks=moved.size,
        n_rank_changes=int((moved > 0).sum()),
        furthest_rank=int(moved.max()),
        n_flags=raised[0].size,
        n_flag_changes=int((raised[0] != raised[1]).sum()),
    )


def simulated_windows(
    config: PreprocessConfig, n: int = N_SIMULATED
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """One window of each of some simulated recordings, every rhythm in turn.

    Every fourth has no chest leads.

    Returns
    -------
    float32 (n, 12, n_samples) and bool (n, 12).
    """
    rhythms = list(Rhythm)
    windows, masks = [], []
    for number in range(n):
        settings = SimulationSettings(rhythms[number % len(rhythms)], seed=_SEED + number)
        usable = np.ones(len(LEADS), dtype=np.bool_)
        usable[6:] = number % 4 != 3
        prepared = preprocess(simulate(settings).recording, usable, config)
        windows.append(prepared.windows[0])
        masks.append(prepared.lead_mask)
    return np.stack(windows), np.stack(masks)


def _stored(embeddings: NDArray[np.float32]) -> NDArray[np.float16]:
    """Embeddings as a scan stores them; NaN, as if there were none, in place of no unit vector."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.where(np.abs(lengths - 1) < 0.5, embeddings, np.nan).astype(np.float16)


def _ranks(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Place of each row within its column, 0 for the highest score."""
    return np.argsort(np.argsort(-scores, axis=0, kind="stable"), axis=0)
