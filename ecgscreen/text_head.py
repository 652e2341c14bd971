"""The projection from the language model's space to that of the recordings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TextHead:
    """The trained projection from the language model's space to the embedding space.

    Attributes
    ----------
    weight_1, bias_1
        float32, shapes (hidden, text size) and (hidden,).
    weight_2, bias_2
        float32, shapes (D, hidden) and (D,).
    """

    weight_1: NDArray[np.float32]
    bias_1: NDArray[np.float32]
    weight_2: NDArray[np.float32]
    bias_2: NDArray[np.float32]

    def project(self, text: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors, float32 (N, D), for text embeddings (N, text size)."""
        x = text @ self.weight_1.T + self.bias_1
        # GELU in the form with tanh (Hendrycks & Gimpel 2016), as in training.
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        y = x @ self.weight_2.T + self.bias_2
        projected: NDArray[np.float32] = y / np.linalg.norm(y, axis=1, keepdims=True)
        return projected.astype(np.float32)
