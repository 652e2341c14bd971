"""What every engine promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class EngineUnavailableError(Exception):
    """An engine, or a precision of it, is not to be had on this machine.

    Parameters
    ----------
    message
        What was asked for and what is missing.
    advice
        The command or option that helps: sentences, or a command that can be copied.
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(f"{message}: {advice}")
        self.message = message
        self.advice = advice


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
    precision_reason
        Why this precision: ``asked for``, or what ``auto`` went by.
    convolutions
        By which algorithm: ``direct``, or how many of them by another one.
    """

    name: str
    version: str
    device: str
    precision: str
    batch_size: int
    precision_reason: str = ""
    convolutions: str = "direct"


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


def require_shape(
    windows: NDArray[np.float32], lead_mask: NDArray[np.bool_], n_leads: int, n_samples: int
) -> None:
    """Raise ValueError unless the shapes are (N, n_leads, n_samples) and (N, n_leads)."""
    if windows.shape[1:] != (n_leads, n_samples) or lead_mask.shape != windows.shape[:2]:
        raise ValueError(
            f"windows {windows.shape} and lead mask {lead_mask.shape}, "
            f"expected (N, {n_leads}, {n_samples}) and (N, {n_leads})"
        )


class Batches:
    """Cuts any number of windows into batches of one fixed shape.

    Parameters
    ----------
    batch_size, n_leads, n_samples
        The shape of a batch; its buffers are kept and used again.
    """

    def __init__(self, batch_size: int, n_leads: int, n_samples: int) -> None:
        self._windows = np.zeros((batch_size, n_leads, n_samples), dtype=np.float32)
        self._lead_mask = np.zeros((batch_size, n_leads), dtype=np.float32)

    def cut(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> Iterator[tuple[slice, dict[str, NDArray[np.float32]]]]:
        """Yield the rows a batch stands for, and the batch.

        The arrays of a batch are overwritten by the next one.

        Raises
        ------
        ValueError
            If the shapes are not (N, n_leads, n_samples) and (N, n_leads).
        """
        size, *rest = self._windows.shape
        require_shape(windows, lead_mask, *rest)
        for start in range(0, len(windows), size):
            rows = slice(start, min(start + size, len(windows)))
            n = rows.stop - rows.start
            self._windows[:n] = windows[rows]
            self._windows[n:] = 0
            self._lead_mask[:n] = lead_mask[rows]
            self._lead_mask[n:] = 0
            yield rows, {"windows": self._windows, "lead_mask": self._lead_mask}
