"""Objectives, each with its equation and source."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def statement_loss(
    similarity: Tensor, carried: Tensor, scale: Tensor, bias: Tensor, weight: Tensor
) -> Tensor:
    """Sigmoid loss between recordings and statements, several positives a recording.

    ``mean_i sum_k w_k * -log sigmoid(t_ik * (scale * s_ik + bias))`` with t = 1 where recording i
    carries statement k and -1 elsewhere: the pairwise sigmoid loss of Zhai et al. (ICCV 2023,
    SigLIP), with a fixed set of texts instead of those of the batch.

    Parameters
    ----------
    similarity
        float, shape (N, K): cosines.
    carried
        float, shape (N, K), 1 or 0; values between are mixtures.
    scale, bias
        Learned scalars.
    weight
        float, shape (K,): how much a statement counts.
    """
    logits = similarity * scale + bias
    loss = functional.binary_cross_entropy_with_logits(logits, carried, reduction="none")
    return torch.mean(torch.sum(loss * weight, dim=1))
