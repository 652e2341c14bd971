"""Resampling and band-pass of one window as a few small matrix products.

Everything here is linear, so it is written as matrices that are computed once for a
sampling rate, in float64, and kept: no filter design, no convolution call per recording.

1. *Low-pass and resampling* in one step: output sample k at time k / rate_out is the
   convolution of the input with a Kaiser-windowed sinc (Kaiser 1974; Oppenheim & Schafer,
   Discrete-Time Signal Processing, section 7.5), evaluated at exactly that time. Mains hum
   and everything else above the stop frequency is attenuated by `STOP_BAND_DB`, so nothing
   folds back. With whole rates the kernel repeats after some samples, hence one matrix serves
   all blocks of `_BLOCK` samples or so: more and most of the matrix is zeros, fewer and a
   processor's vector registers are not full. With other rates every second has a matrix of its
   own: one for the whole window would be gigabytes at the highest rates.
2. *Baseline removal*: the window's slow discrete cosines (DCT-II) are damped by the squared
   magnitude response of a 4th-order Butterworth high-pass, that is what forward-backward
   filtering does, without its transients at the edges (the cosine set as a drift model:
   Friston et al., NeuroImage 2000). The cosines continue a window by mirroring it, and so
   does step 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STOP_BAND_DB = 80.0
BUTTERWORTH_ORDER = 4
_NEGLIGIBLE_WEIGHT = 1e-5
_BLOCK = 16
"""Samples out of a block, also what a processor's vector register takes at once."""


@dataclass(frozen=True)
class BandPass:
    """What the filter lets through.

    Attributes
    ----------
    high_pass_hz
        Half of the amplitude is left here, below it less.
    low_pass_hz
        Upper edge of the pass band.
    stop_hz
        Lower edge of the stop band.
    """

    high_pass_hz: float = 0.5
    low_pass_hz: float = 40.0
    stop_hz: float = 50.0


def low_pass_matrix(
    rate_in: float,
    rate_out: float,
    band: BandPass,
    n_in: int,
    n_out: int,
    delay_s: float = 0.0,
) -> tuple[NDArray[np.float64], int]:
    """Rows are input samples, columns output samples of a low-pass that also resamples.

    The stop band is brought below the Nyquist frequency of a slow input, so that the images
    of its spectrum are not passed on.

    Parameters
    ----------
    rate_in, rate_out
        In Hz.
    band
        Pass and stop band edges.
    n_in, n_out
        Input samples without margin, and output samples.
    delay_s
        From the first input sample (margin aside) to the first output sample, in seconds.

    Returns
    -------
    matrix
        float64, shape (margin + n_in + margin, n_out); every column sums to 1, so that a
        constant stays what it is.
    margin
        Input samples needed before the first and after the last one.
    """
    stop_hz = min(band.stop_hz, rate_in / 2)
    pass_hz = stop_hz - (band.stop_hz - band.low_pass_hz)
    cutoff_hz = (pass_hz + stop_hz) / 2
    # Kaiser's formulas for the window's length and shape.
    duration_s = (STOP_BAND_DB - 7.95) / (14.36 * (stop_hz - pass_hz))
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    margin = math.ceil(duration_s / 2 * rate_in)
    t_in = (np.arange(n_in + 2 * margin) - margin) / rate_in
    t_out = delay_s + np.arange(n_out) / rate_out
    lag = t_in[:, None] - t_out[None, :]
    inside = np.clip(1.0 - (2.0 * lag / duration_s) ** 2, 0.0, None)
    kernel = np.sinc(2.0 * cutoff_hz * lag) * np.i0(beta * np.sqrt(inside)) * (inside > 0)
    return kernel / kernel.sum(axis=0), margin


def slow_cosines(
    n: int, rate: float, band: BandPass
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Discrete cosines that make up the baseline of a window, and how much of each goes.

    Parameters
    ----------
    n
        Samples of the window.
    rate
        In Hz.
    band
        Its `high_pass_hz` is where half of a cosine is left.

    Returns
    -------
    basis
        float64, shape (n, m): orthonormal DCT-II vectors, slowest first.
    removed
        float64, shape (m,): the share of each that is baseline, 1 / (1 + (f / f_c)^8).
    """
    highest = band.high_pass_hz * (1 / _NEGLIGIBLE_WEIGHT) ** (1 / (2 * BUTTERWORTH_ORDER))
    m = min(n, math.ceil(highest * 2 * n / rate) + 1)
    k = np.arange(m)
    basis = np.cos(np.pi * (np.arange(n)[:, None] + 0.5) * k / n) * math.sqrt(2 / n)
    basis[:, 0] /= math.sqrt(2)
    frequency = k * rate / (2 * n)
    removed = 1.0 / (1.0 + (frequency / band.high_pass_hz) ** (2 * BUTTERWORTH_ORDER))
    return basis, removed


@lru_cache(maxsize=16)
def _step_matrix(
    rate_in: int, rate_out: int, band: BandPass
) -> tuple[NDArray[np.float32], int, int, int]:
    """The matrix for a block of whole samples, margin, and samples in and out of the block."""
    common = math.gcd(rate_in, rate_out)
    repeats = max(1, round(_BLOCK * common / rate_out))
    n_in, n_out = repeats * rate_in // common, repeats * rate_out // common
    matrix, margin = low_pass_matrix(rate_in, rate_out, band, n_in, n_out)
    # The samples between a block's last output and the next block's first are not needed.
    n_needed = np.flatnonzero(matrix.any(axis=1))[-1] + 1
    return matrix[:n_needed].astype(np.float32), margin, n_in, n_out


@lru_cache(maxsize=32)
def _block_matrix(
    rate_in: float, rate_out: float, band: BandPass, n_out: int, block: int
) -> tuple[NDArray[np.float32], int, int]:
    """The matrix for output samples from ``block * n_out``, margin, and first input sample."""
    start_s = block * n_out / rate_out
    first = math.floor(start_s * rate_in)
    n_in = math.ceil((n_out + 1) / rate_out * rate_in)
    delay_s = start_s - first / rate_in
    matrix, margin = low_pass_matrix(rate_in, rate_out, band, n_in, n_out, delay_s)
    return matrix.astype(np.float32), margin, first


@lru_cache(maxsize=16)
def _baseline_matrices(
    n: int, rate: float, band: BandPass
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    basis, removed = slow_cosines(n, rate, band)
    return basis.astype(np.float32), np.ascontiguousarray((basis * removed).T, np.float32)


def resample(
    signal: NDArray[np.float32], rate_in: float, rate_out: float, band: BandPass
) -> NDArray[np.float32]:
    """Low-pass and resample a window.

    Parameters
    ----------
    signal
        float32, shape (..., n_leads, n_in), finite, at least one kernel (0.5 s) long.
    rate_in, rate_out
        In Hz.
    band
        Pass and stop band edges.

    Returns
    -------
    float32, shape (..., n_leads, n_out) with n_out = floor(n_in * rate_out / rate_in), the first
    sample at the same time as the input's first. A recording's bits do not depend on how many
    are in the array: each has matrix products of its own.
    """
    n_in = signal.shape[-1]
    # The tiny allowance is for rates such as 128.0 * 7.8125 that are whole but for rounding.
    n_out = math.floor(n_in * rate_out / rate_in + 1e-9)
    if float(rate_in).is_integer() and float(rate_out).is_integer():
        return _in_blocks(signal, n_out, *_step_matrix(int(rate_in), int(rate_out), band))
    size = math.ceil(rate_out)
    steps = [
        _block_matrix(rate_in, rate_out, band, size, block)
        for block in range(math.ceil(n_out / size))
    ]
    last_matrix, margin, last_first = steps[-1]
    n_total = max(n_in + 2 * margin, last_first + len(last_matrix))
    padded = _mirrored(signal, margin, n_total)
    parts = [padded[..., first : first + len(matrix)] @ matrix for matrix, _, first in steps]
    return np.concatenate(parts, axis=-1)[..., :n_out]


def _in_blocks(
    signal: NDArray[np.float32],
    n_out: int,
    matrix: NDArray[np.float32],
    margin: int,
    step: int,
    n_block: int,
) -> NDArray[np.float32]:
    """Resample with what `_step_matrix` gives.

    A block's samples overlap those of the blocks around it, and a matrix product wants rows that
    do not. Every `n_turns`-th block does not: so many products read the signal where it lies,
    each leaving its blocks in their places, without a copy of all blocks.
    """
    *n_several, n_leads, n_in = signal.shape
    n_needed = len(matrix)
    n_turns = math.ceil(n_needed / step)
    n_blocks = math.ceil(n_out / n_block)
    n_total = max((n_blocks - 1) * step + n_needed, margin + n_in)
    n_rows = math.ceil(n_total / (n_turns * step))
    padded = _mirrored(signal, margin, n_rows * n_turns * step).reshape(*n_several, -1)
    out = np.empty((*n_several, n_leads * n_rows, n_turns, n_block), np.float32)
    for turn in range(n_turns):
        # A row that goes on into the next lead is not asked for; after the last there is none.
        goes_on = turn * step + n_needed > n_turns * step
        results = out[..., : n_leads * n_rows - goes_on, turn, :]
        rows: NDArray[np.float32] = np.ndarray(
            (*results.shape[:-1], n_needed),
            np.float32,
            padded,
            offset=turn * step * padded.itemsize,
            strides=(*padded.strides[:-1], n_turns * step * padded.itemsize, padded.itemsize),
        )
        np.matmul(rows, matrix, out=results)
    return out.reshape(*n_several, n_leads, -1)[..., :n_out]


def remove_baseline(
    signal: NDArray[np.float32], rate: float, band: BandPass
) -> NDArray[np.float32]:
    """Take the baseline out of a window.

    Parameters
    ----------
    signal
        float32, shape (..., n_leads, n).
    rate
        In Hz.
    band
        Its `high_pass_hz` is the cut-off.

    Returns
    -------
    float32, shape (..., n_leads, n), an array of its own.
    """
    basis, weighted = _baseline_matrices(signal.shape[-1], rate, band)
    baseline: NDArray[np.float32] = np.matmul(signal @ basis, weighted, dtype=np.float32)
    return np.subtract(signal, baseline, out=baseline)


def _mirrored(signal: NDArray[np.float32], margin: int, n_total: int) -> NDArray[np.float32]:
    """The signal with `margin` mirrored samples before it and mirrored ones after, then zeros."""
    *n_rows, n = signal.shape
    padded = np.empty((*n_rows, n_total), dtype=np.float32)
    padded[..., margin : margin + n] = signal
    if margin:
        padded[..., :margin] = signal[..., margin - 1 :: -1]
    end = margin + n
    after = min(margin, n_total - end)
    if after:
        padded[..., end : end + after] = signal[..., : -after - 1 : -1]
    padded[..., end + after :] = 0
    return padded
