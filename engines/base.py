"""What every engine promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EngineInfo:
    """What ran, for the report and run.json.

    Attributes
    ----------
    name
        ``openvino``, ``tensorrt`` or ``pytorch``.
    version
        Of the vendor's runtime.
    device
        The device's own name, as its runtime gives it.
    precision
        ``f32``, ``f16``, ``bf16`` or ``int8``: what the runtime really uses.
    batch_size
        Rows of one call of the runtime; a shorter batch is padded to it.
    """

    name: str
    version: str
    device: str
    precision: str
    batch_size: int


class Engine(Protocol):
    """Arrays in, arrays out.

    An engine always runs batches of one fixed shape, padded with zeros, so that a row's
    result does not depend on how many rows travel with it.
    """

    info: EngineInfo

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Embed windows.

        Parameters
        ----------
        windows
            float32, shape (N, n_leads, n_samples); any N, also 0.
        lead_mask
            bool, shape (N, n_leads); false where a lead is missing.

        Returns
        -------
        float32, shape (N, D): unit vectors, a row a window.
        """
        ...
