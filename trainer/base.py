"""Training that goes on from the weights of a bundle, and is held near them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.errors import UsageError
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.encoder import ResNet1d
from trainer.losses import statement_loss
from trainer.model import EcgTextModel, TextProjection
from trainer.objectives import (
    ClipObjective,
    StatementObjective,
    carried_by,
    statement_weights,
)
from trainer.onnx_export import restore_encoder
from trainer.steps import score_rows

_FITTED_ROWS = 512
_FIT_STEPS = 300
_FIT_RATE = 0.05


def load_base(text: str) -> Bundle | None:
    """The bundle that ``default``, ``none`` or the name of a folder stands for.

    Raises
    ------
    UsageError
        If the name is empty.
    BundleError
        If there is none, or it is not whole.
    """
    if text == "none":
        return None
    if not text:
        raise UsageError("the base's name is empty", "Give default, none or a bundle's folder.")
    return load_bundle(default_bundle() if text == "default" else Path(text))


def base_encoder(base: Bundle) -> ResNet1d:
    """The bundle's encoder as a module.

    Raises
    ------
    UsageError
        If it is not built as the trainer builds one.
    """
    try:
        return restore_encoder(base.encoder_onnx)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{base.path}: its encoder cannot be trained further ({error})",
            "Give a bundle that ecgscreen train has made, or --base none.",
        ) from error


def start_from(
    base: Bundle,
    objective: StatementObjective | ClipObjective,
    recordings: LabelledRecordings,
    rows: NDArray[np.intp],
    config: TrainConfig,
) -> None:
    """Put a bundle's encoder and text head into an objective's model.

    The scale and the bias of the loss are not in a bundle. Left at the values that suit an
    untrained model they would pull at good weights in the first steps: they are fitted
    first, to the scores that the bundle gives some training recordings.

    Parameters
    ----------
    base
        The bundle.
    objective
        Freshly made; its model is changed.
    recordings, rows, config
        See `trainer.train.fit`.

    Raises
    ------
    UsageError
        If the bundle's language model is another one.
    """
    wanted, found = base.manifest["text_encoder"], objective.text_encoder
    if found.sha256 != wanted["sha256"]:
        raise UsageError(
            f"{base.path} was trained with the language model {wanted['name']}, here is "
            f"{found.name}, whose weights differ",
            "Name that one with --text-encoder, or give --base none.",
        )
    model = objective.model
    model.encoder.load_state_dict(base_encoder(base).state_dict())
    model.text = TextProjection.from_text_head(base.text_head)
    if isinstance(objective, StatementObjective):
        _fit_scale_and_bias(objective, recordings, rows, config)


def blend_with_base(base: Bundle, model: EcgTextModel, share: float) -> None:
    """Put a model's weights between what it was trained to and those of its base.

    On the straight line between the two a model keeps much of what training on few recordings
    gained, and loses less of what the base knew (Wortsman et al., CVPR 2022, WiSE-FT). Encoder and
    text head go together, because an embedding means something only beside texts of the same
    space; so do the statistics of BatchNorm. Scale and bias of the loss stay: they end with it.

    Parameters
    ----------
    base
        What was gone on from.
    model
        Trained; its encoder and text head are changed.
    share
        Of the base, from 0 (nothing changes) to 1 (the base again).
    """
    befores = (base_encoder(base), TextProjection.from_text_head(base.text_head))
    for module, before in zip((model.encoder, model.text), befores, strict=True):
        state = before.state_dict()
        module.load_state_dict(
            {
                # The number of batches that BatchNorm has seen is a count.
                key: value.lerp(state[key], share) if value.is_floating_point() else value
                for key, value in module.state_dict().items()
            }
        )


def _fit_scale_and_bias(
    objective: StatementObjective,
    recordings: LabelledRecordings,
    rows: NDArray[np.intp],
    config: TrainConfig,
) -> None:
    some = np.random.default_rng(config.seed).permutation(rows)[:_FITTED_ROWS]
    similarity = torch.from_numpy(score_rows(objective, recordings, some))
    carried = carried_by(recordings, objective.seen_columns)
    weight = statement_weights(carried[rows], config.rarity_power)
    model = objective.model
    optimiser = torch.optim.Adam([model.log_scale, model.bias], lr=_FIT_RATE)
    for _ in range(_FIT_STEPS):
        optimiser.zero_grad()
        scale, bias = model.log_scale.exp(), model.bias
        loss = statement_loss(similarity, carried[some], scale, bias, weight)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
        optimiser.step()
    optimiser.zero_grad(set_to_none=True)
