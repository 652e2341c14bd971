"""Sensitivity and specificity at a threshold, and how sure they are; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.exact import effective_number, promise_interval, promised, rate_interval
from trainer.metrics import Interval
from trainer.operating_point import Criterion, percentile_interval, resampled_weights

_NO_INTERVAL = Interval(float("nan"), float("nan"))
_DRAWS = 20_000
SIDES = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Promise:
    """What a criterion says of one of the two rates.

    Attributes
    ----------
    criterion
        With a target.
    n_learned
        As how many independent positives (of a specificity: negatives) those count that the
        threshold was chosen on.
    """

    criterion: Criterion
    n_learned: float


@dataclass(frozen=True)
class Rates:
    """Sensitivity and specificity at a threshold.

    Attributes
    ----------
    sensitivity, specificity
        Of the recordings.
    sensitivity_ci, specificity_ci
        95 %, at this threshold.
    sensitivity_op_ci, specificity_op_ci
        95 %, of the operating point: the threshold is as uncertain as the recordings are few that
        it was chosen on. NaN where nobody drew it anew.
    n_positive, n_negative
        As how many independent recordings they count (`effective_number`).
    """

    sensitivity: float
    specificity: float
    sensitivity_ci: Interval
    specificity_ci: Interval
    sensitivity_op_ci: Interval
    specificity_op_ci: Interval
    n_positive: float
    n_negative: float

    def predictive_values(self, prevalence: float) -> tuple[float, Interval, float, Interval]:
        """PPV and NPV, each with its interval, where a diagnosis has this prevalence.

        By Bayes' theorem from sensitivity and specificity, which are taken to be the same there
        (Altman & Bland, BMJ 1994); the prevalence is taken to be exact. Both rise with either
        rate, so that their intervals come from what the two rates' own are made of, drawn apart.
        """
        one = (np.array([self.sensitivity]), np.array([self.specificity]))
        ppv, npv = (float(value[0]) for value in _predictive(*one, prevalence))
        rng = np.random.default_rng(0)
        low, high = (
            _predictive(
                _drawn(self.sensitivity, self.n_positive, above, rng),
                _drawn(self.specificity, self.n_negative, above, rng),
                prevalence,
            )
            for above in (0, 1)
        )
        intervals = [
            Interval(percentile_interval(least).low, percentile_interval(most).high)
            for least, most in zip(low, high, strict=True)
        ]
        return ppv, intervals[0], npv, intervals[1]


def rates_at(
    threshold: float,
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    patients: NDArray[np.str_],
    drawn_thresholds: Sequence[float] | NDArray[np.float64] = (),
    promise: Promise | None = None,
) -> Rates:
    """Sensitivity and specificity of flags, with intervals over patients.

    How alike a patient's recordings are is seen by bootstrap over patients; as many as they then
    count for, the intervals are exact for (`trainer.exact`). A percentile of the draws themselves
    would be a single value where all or none were found.

    Parameters
    ----------
    threshold
        Flagged is what scores at least this.
    scores, positive, patients
        Shape (N,), both kinds.
    drawn_thresholds
        See `threshold_draws`. The interval of an operating point is that of the mixture over them.
    promise
        Of one of the rates, learned on other recordings: its interval is `promise_interval`.
    """
    flagged = scores >= threshold
    whole = _rates(np.ones((1, len(scores))), flagged, positive)[:, 0]
    variances = _variances(flagged, positive, patients)
    thresholds = np.asarray(drawn_thresholds, np.float64)
    rates, numbers, intervals, op_intervals = [], [], [], []
    for side, kind, rate, variance in zip(
        SIDES, (positive, ~positive), whole.tolist(), variances.tolist(), strict=True
    ):
        n = effective_number(rate, variance, patients[kind])
        rates.append(rate)
        numbers.append(n)
        intervals.append(rate_interval(rate * n, n))
        if promise is not None and promise.criterion.kind == side:
            known = promise_interval(rate * n, n, promise.n_learned, promise.criterion.target)
        elif len(thresholds):
            below = np.searchsorted(np.sort(scores[kind]), thresholds) / kind.sum()
            known = rate_interval(n * (below if side == "specificity" else 1 - below), n)
        else:
            known = _NO_INTERVAL
        op_intervals.append(known)
    return Rates(*rates, *intervals, *op_intervals, *numbers)


def learned_rates(criterion: Criterion, rates: Rates) -> tuple[Rates, Promise | None]:
    """What a threshold promises, of the rates that it has where it was chosen.

    Parameters
    ----------
    criterion, rates
        See `choose_threshold` and `rates_at`, of the same recordings.

    Returns
    -------
    The rates, the promised one with the interval that further recordings keep to
    (`trainer.exact.promised`), and the promise; None of a criterion without target.
    """
    if criterion.kind not in SIDES:
        return rates, None
    by_positives = criterion.kind == "sensitivity"
    promise = Promise(criterion, rates.n_positive if by_positives else rates.n_negative)
    kept = promised(promise.n_learned, criterion.target)
    if by_positives:
        return replace(rates, sensitivity_op_ci=kept), promise
    return replace(rates, specificity_op_ci=kept), promise


def _variances(
    flagged: NDArray[np.bool_], positive: NDArray[np.bool_], patients: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Of both rates over draws of patients, shape (2,); 0 where each has one recording."""
    if len(np.unique(patients)) == len(patients):
        return np.zeros(2)
    draws = [_rates(weights, flagged, positive) for weights in resampled_weights(patients)]
    return np.asarray(np.nanvar(np.concatenate(draws, axis=1), axis=1))


def _rates(
    weights: NDArray[np.float64], flagged: NDArray[np.bool_], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Shape (2, b) for weights (b, N) and flags (N,)."""
    with np.errstate(invalid="ignore"):  # none of a kind drawn: 0 / 0, left out of the variance
        sensitivity = (weights * (flagged & positive)).sum(axis=1) / (weights @ positive)
        specificity = (weights * ~(flagged | positive)).sum(axis=1) / (weights @ ~positive)
    return np.stack([sensitivity, specificity])


def _drawn(rate: float, n: float, above: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """From the distribution that the lower or the upper end of `rate_interval` is a quantile of."""
    found, missed = rate * n + above, n - rate * n + 1 - above
    # The generator takes no 0: at one end there is no more to be known.
    if min(found, missed) <= 0:
        return np.full(_DRAWS, float(missed <= 0))
    return rng.beta(found, missed, _DRAWS)


def _predictive(
    sensitivity: NDArray[np.float64], specificity: NDArray[np.float64], prevalence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with np.errstate(invalid="ignore"):  # nothing is flagged: of that no share is right
        ppv = (sensitivity * prevalence) / (
            sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
        )
        npv = (specificity * (1 - prevalence)) / (
            specificity * (1 - prevalence) + (1 - sensitivity) * prevalence
        )
    return ppv, npv
