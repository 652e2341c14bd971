"""Intervals of rates that hold for few recordings, too, by the Beta distribution; numpy only.

A bootstrap of 42 recordings that were all found knows only 42 of 42: its interval is the single
value 1, though a rate of .92 gives that result in three of a hundred sets. Here stand intervals by
inversion of a test: a rate lies inside if what was found would not be unlikely with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.metrics import Interval

_TAIL = 0.025
_PARTS, _CUTS = 24, 8
_PLACES = 200
_MOST_SHIFTED = 10.0
_TERMS = 500
_CONVERGED = 1e-12
_TINY = 1e-300
_ROUNDING = 1e-15


def rate_interval(found: ArrayLike, n: float) -> Interval:
    """The interval of a rate, exact for independent recordings (Clopper & Pearson 1934).

    Parameters
    ----------
    found
        How many of `n` were found; not always a whole number (`effective_number`). Several, shape
        (T,), are what each of T thresholds finds, any of which might have been chosen: then the
        interval is that of the mixture of their distributions.
    n
        Of how many; NaN or 0 gives NaN.

    Notes
    -----
    The ends are quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k); Biometrika 26.
    """
    counts = np.atleast_1d(np.asarray(found, np.float64))
    if not n > 0 or not np.isfinite(counts).all():
        return Interval(float("nan"), float("nan"))
    k, times = np.unique(np.clip(counts, 0.0, n), return_counts=True)
    share = times / times.sum()

    def low(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(beta_cdf(rates[:, None], k, n - k + 1) @ share)

    def high(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(beta_cdf(rates[:, None], k + 1, n - k) @ share)

    return Interval(
        low=0.0 if share[k <= 0].sum() >= _TAIL else _root(low, _TAIL, 0.0, 1.0),
        high=1.0 if share[k >= n].sum() >= _TAIL else _root(high, 1 - _TAIL, 0.0, 1.0),
    )


def promised(n_learned: float, target: float) -> Interval:
    """Between which rates a promise of `target` is kept, in 95 of 100 thresholds.

    Parameters
    ----------
    n_learned, target
        See `promise_interval`.
    """
    ends = beta_quantiles(*_kept(n_learned, target), np.array([_TAIL, 1 - _TAIL]))
    return Interval(*ends.tolist())


def promise_interval(found: float, n: float, n_learned: float, target: float) -> Interval:
    """The interval of a promised rate, held against recordings that it was not learned on.

    A threshold at the place (1 - t)(n + 1) among n positives has a true sensitivity that is
    distributed as Beta(t (n + 1), (1 - t)(n + 1)), whatever the scores' own distribution is (Wilks
    1941, on tolerance limits; between two neighbours nearly so). Of m further ones it therefore
    finds a beta-binomial number. Where these come from somewhere else, their scores are taken to be
    shifted, on a scale on which those learned on are normal (the binormal curve of Dorfman & Alf
    1969). The interval holds every sensitivity that the operating point may have on average over
    sets to learn on, without what was found being in either outer 2.5 %.

    Parameters
    ----------
    found, n
        k of m, as in `rate_interval`.
    n_learned
        How many independent recordings of the kind the threshold was chosen on.
    target
        What was promised, above 0 and below 1.
    """
    if not n > 0 or not math.isfinite(found):
        return Interval(float("nan"), float("nan"))
    places = (np.arange(_PLACES) + 0.5) / _PLACES
    rates = np.clip(beta_quantiles(*_kept(n_learned, target), places), _ROUNDING, 1 - _ROUNDING)
    normal = NormalDist()
    scores = np.array([normal.inv_cdf(rate) for rate in rates.tolist()])

    def shifted(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(0.5 + 0.5 * _erf((scores + shifts[:, None]) / math.sqrt(2)))

    def at_least(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(beta_cdf(shifted(shifts), found, n - found + 1).mean(axis=1))

    def more(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(beta_cdf(shifted(shifts), found + 1, n - found).mean(axis=1))

    def mean(shift: float) -> float:
        return float(shifted(np.array([shift])).mean())

    ends = (-_MOST_SHIFTED, _MOST_SHIFTED)
    low = mean(_root(at_least, _TAIL, *ends)) if found > 0 else 0.0
    high = mean(_root(more, 1 - _TAIL, *ends)) if found < n else 1.0
    return Interval(low, high)


def effective_number(rate: float, variance: float, patients: NDArray[np.str_]) -> float:
    """As how many independent recordings those of some patients count for a rate.

    Korn & Graubard (Survey Methodology 1998): so many as have this variance. It lies between the
    number of recordings and what it would be if all of a patient were alike, (sum c)^2 / sum c^2
    (Kish, Survey Sampling, 1965), which is also taken where the variance is nought because all or
    none were found.

    Parameters
    ----------
    rate
        Of the recordings.
    variance
        Of the rate over draws of patients.
    patients
        Shape (N,): of the recordings that the rate is about.
    """
    n = len(patients)
    if not n:
        return 0.0
    counts = np.unique(patients, return_counts=True)[1]
    least = n**2 / float(np.square(counts).sum())
    binomial = rate * (1 - rate)
    if not binomial > 0 or not variance > 0:
        return least
    return min(max(binomial / variance, least), float(n))


def _kept(n_learned: float, target: float) -> tuple[float, float]:
    """The parameters of the true rate's Beta distribution."""
    return target * (n_learned + 1), (1 - target) * (n_learned + 1)


def _root(
    rising: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    value: float,
    low: float,
    high: float,
) -> float:
    """Where a function of many places reaches a value, by cutting an interval into parts."""
    for _ in range(_CUTS):
        places = np.linspace(low, high, _PARTS + 1)
        reached = int((rising(places[1:-1]) < value).sum())
        low, high = places[reached : reached + 2].tolist()
    return (low + high) / 2


def beta_quantiles(a: float, b: float, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where Beta(a, b) reaches each of some shares; float64, the shape of `places`."""
    low, high = np.zeros_like(places), np.ones_like(places)
    parts = np.arange(1, _PARTS)[:, None] / _PARTS
    for _ in range(_CUTS):
        width = high - low
        reached = (beta_cdf(low + parts * width, a, b) < places).sum(axis=0)
        low = low + width * reached / _PARTS
        high = low + width / _PARTS
    return (low + high) / 2


def beta_cdf(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """The regularised incomplete beta function, by its continued fraction.

    DLMF 8.17.22, evaluated by the modified method of Lentz (Thompson & Barnett 1986).

    Parameters
    ----------
    x
        From 0 to 1.
    a, b
        Not below 0; with a of 0 everything lies at 0, with b of 0 everything at 1.

    Returns
    -------
    float64, the common shape.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    log_beta = _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)  # the same for b, a
    x, a, b = np.broadcast_arrays(np.asarray(x, np.float64), a, b)
    turned = x > (a + 1) / (a + b + 2)  # on the other side the fraction converges slowly
    y = np.where(turned, 1 - x, x)
    p, q = np.where(turned, b, a), np.where(turned, a, b)
    inner = (y > 0) & (p > 0) & (q > 0)
    y, p, q = (np.where(inner, each, 0.5) for each in (y, p, q))
    log_beta = np.where(inner, log_beta, 0.0)
    log_front = p * np.log(y) + q * np.log1p(-y) - log_beta - np.log(p)
    part = np.where(inner, np.exp(log_front) * _fraction(y, p, q), 0.0)
    value = np.where(turned, 1 - part, part)
    value = np.where((a <= 0) | (x >= 1), 1.0, value)
    result: NDArray[np.float64] = np.where((a > 0) & ((b <= 0) & (x < 1)), 0.0, value)
    return result


def _fraction(
    x: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.float64]:
    d = _not_zero(1 - (a + b) * x / (a + 1))
    d = 1 / d
    c, value = np.ones_like(x), d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            value = value * c * d
        if np.abs(c * d - 1).max(initial=0.0) < _CONVERGED:
            break
    return value


def _not_zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(values) < _TINY, _TINY, values)


_log_gamma = np.vectorize(lambda value: math.lgamma(value) if value > 0 else 0.0, otypes=[float])
_erf = np.vectorize(math.erf, otypes=[float])
