"""Objectives, each with its equation and source."""

from __future__ import annotations

from collections.abc import Sequence

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
        float, shape (K,) or (N, K): how much a statement counts, 0 where it is not known whether
        it is carried.
    """
    logits = similarity * scale + bias
    loss = functional.binary_cross_entropy_with_logits(logits, carried, reduction="none")
    return torch.mean(torch.sum(loss * weight, dim=1))


def clip_loss(signal: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE between recordings and their own reports (Li 2024, equations 1-4).

    With ``s_ij = scale * <u_i, v_j>``, ``mean_i (-log softmax_j(s_ij)[i] - log softmax_j(s_ji)[i])
    / 2``: the report of recording i has to be found among the batch's reports, and the other way
    round. van den Oord et al. 2018 (InfoNCE), Radford et al. (ICML 2021, CLIP). Two recordings
    with the same report count as each other's negatives, as they do there.

    Parameters
    ----------
    signal, text
        float, shape (N, D): unit vectors, row i of both is one pair.
    scale
        Learned scalar, the inverse of the temperature.
    """
    logits = scale * signal @ text.T
    own = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def view_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent between two views of the same recordings (Chen et al., ICML 2020, equation 1).

    Over all 2 N views, ``-log(exp(<z_a, z_b> / t) / sum_{c != a} exp(<z_a, z_c> / t))`` with b the
    other view of the recording of a.

    Parameters
    ----------
    first, second
        float, shape (N, D): unit vectors, row i of both is one recording.
    temperature
        t.
    """
    n = len(first)
    views = torch.cat([first, second])
    logits = views @ views.T / temperature
    itself = torch.eye(2 * n, dtype=torch.bool, device=views.device)
    other = torch.arange(2 * n, device=views.device).roll(n)
    return functional.cross_entropy(logits.masked_fill(itself, -torch.inf), other)


def feature_approximation_loss(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """How far the intermediate feature maps of two views of a recording point apart.

    ``mean_l mean_it (1 - cos(F_l(x_i)[:, t], F_l(x_i')[:, t]))`` over layers l, recordings i and
    places t in time, the cosine over channels: the idea of Cho et al. (J Imaging Inform Med 2024),
    whose layers and weight are not known to us. The two views have to be aligned in time.

    Parameters
    ----------
    first, second
        For every chosen layer a map, float, shape (N, channels, length).
    """
    layers = [
        1 - functional.cosine_similarity(a.float(), b.float(), dim=1).mean()
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(layers).mean()
