"""Several processes that train one model together, started by ``torchrun``.

Each holds the whole model and takes its part of every batch. What a loss or a normalisation needs
of the other parts is gathered together with its gradient, and gradients are averaged: a step of n
processes is a step of one on the whole batch, up to rounding. In a process that nobody has
joined, every function here gives back what it was given.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgscreen.errors import UsageError

# The first process validates alone, and processes read their recordings at different speeds.
_PATIENCE = timedelta(hours=2)


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes that torchrun has started, if it has: gloo on a CPU, NCCL on CUDA.

    Parameters
    ----------
    device
        ``cpu``, ``cuda`` or ``auto``, as in `TrainConfig`.

    Raises
    ------
    UsageError
        If this machine has fewer CUDA devices than processes.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    own = own_device(device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
        dist.init_process_group("nccl", timeout=_PATIENCE, device_id=own)
    else:
        dist.init_process_group("gloo", timeout=_PATIENCE)
    yield
    # Not after an error: the others may be waiting for what will not come; torchrun ends them.
    dist.destroy_process_group()


def own_device(name: str) -> torch.device:
    """The device of this process; the n-th process of a machine has its n-th CUDA device.

    Raises
    ------
    UsageError
        If there is none for it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cuda":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise UsageError("no CUDA device is to be had", "Train on the cpu, or install its driver.")
    if not dist.is_torchelastic_launched():
        return torch.device(name)
    number = int(os.environ["LOCAL_RANK"])
    if number >= (found := torch.cuda.device_count()):
        raise UsageError(
            f"more processes on this machine than its {found} CUDA devices",
            f"Start them with --nproc-per-node {found}.",
        )
    return torch.device(name, number)


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether it is this process that writes files and talks."""
    return rank() == 0


def own_part(batch: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows of a batch that are this process's, in the order of the processes; shape (N / size,)."""
    return np.split(batch, size())[rank()]


def check_batch_size(batch_size: int) -> None:
    """Refuse a batch that cannot be shared out evenly: means of parts would not be the whole's.

    Raises
    ------
    UsageError
        Then.
    """
    if batch_size % size():
        raise UsageError(
            f"batches of {batch_size} recordings for {size()} processes",
            f"Give a batch size that is a multiple of {size()}.",
        )


def own_seed(seed: int) -> int:
    """What this process seeds its augmentation and dropout with; the first one with the seed."""
    if is_first():
        return seed
    return int(np.random.SeedSequence((seed, rank())).generate_state(1)[0])


class _Sum(torch.autograd.Function):
    """Sum over processes, whose gradient is the sum of their gradients.

    What ``torch.distributed.nn.functional.all_reduce`` was before it was deprecated.
    """

    @staticmethod
    def forward(_context: Any, own: Tensor) -> Tensor:
        total = own.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def gather(own: Tensor) -> Tensor:
    """Rows of all processes, with their gradient: (n, ...) to (n * size, ...).

    Losses over gathered rows are the same in all processes, so that averaged gradients are
    those of the whole batch (as in open_clip's ``gather_with_grad``; Radford et al., ICML 2021).
    """
    if not dist.is_initialized():
        return own
    places = own.new_zeros((size(), *own.shape))
    places[rank()] = own
    return cast("Tensor", _Sum.apply(places)).flatten(0, 1)  # type: ignore[no-untyped-call]  # torch's own annotation is missing


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace gradients by their mean over processes, all of them in one message."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    parts = torch.split(flat / size(), [gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, parts, strict=True):
        gradient.copy_(mean.view_as(gradient))


class SynchronisedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation (Ioffe & Szegedy, ICML 2015) over the parts of all processes.

    Mean and variance are put together from those of the parts (Chan, Golub & LeVeque 1979).
    ``torch.nn.SyncBatchNorm`` does the same, but not on a CPU.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> SynchronisedBatchNorm:
        """One that shares weights and statistics with an ordinary one."""
        own = cls(norm.num_features, norm.eps, norm.momentum)
        own.weight, own.bias = norm.weight, norm.bias
        own.running_mean, own.running_var = norm.running_mean, norm.running_var
        own.num_batches_tracked = norm.num_batches_tracked
        return own

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, L) to the same; evaluating, it needs no other process."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        own = torch.var_mean(values, dim=(0, 2), correction=0)
        variances, means = gather(torch.stack(own)[None]).unbind(dim=1)
        mean = means.mean(dim=0)
        variance = variances.mean(dim=0) + (means - mean).square().mean(dim=0)
        self._follow(mean.detach(), variance.detach(), size() * x.shape[0] * x.shape[2])
        gain = self.weight * torch.rsqrt(variance + self.eps)
        scaled = (values - mean[:, None]) * gain[:, None] + self.bias[:, None]
        return scaled.to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor, n: int) -> None:
        momentum = cast("float", self.momentum)
        cast("Tensor", self.running_mean).lerp_(mean, momentum)
        cast("Tensor", self.running_var).lerp_(variance * (n / (n - 1)), momentum)
        cast("Tensor", self.num_batches_tracked).add_(1)


def start_together(modules: Sequence[nn.Module], seed: int) -> None:
    """The first process's weights for all, BatchNorm over all, each its own random numbers."""
    if not dist.is_initialized():
        return
    for module in modules:
        share(module.state_dict().values())
        for parent in list(module.modules()):
            for name, child in parent.named_children():
                if type(child) is nn.BatchNorm1d:
                    setattr(parent, name, SynchronisedBatchNorm.of(child))
    if not is_first():
        torch.manual_seed(own_seed(seed))


def share(tensors: Iterable[Tensor]) -> None:
    """Overwrite tensors by those of the first process."""
    if not dist.is_initialized():
        return
    for tensor in tensors:
        sent = tensor.detach().to(_carrier())
        dist.broadcast(sent, src=0)
        tensor.detach().copy_(sent)


def from_first(value: float) -> float:
    """The first process's number."""
    sent = torch.tensor(value, dtype=torch.float64)
    share([sent])
    return sent.item()


def mean(value: float) -> float:
    """Mean over processes."""
    if not dist.is_initialized():
        return value
    total = torch.tensor(value, dtype=torch.float32, device=_carrier())
    dist.all_reduce(total)
    return total.item() / size()


def of_all(own: Tensor) -> Tensor:
    """Each process's tensor, on the CPU: (...) to (size, ...)."""
    if not dist.is_initialized():
        return own.cpu()[None]
    own = own.to(_carrier())
    parts = [torch.empty_like(own) for _ in range(size())]
    dist.all_gather(parts, own)
    return torch.stack(parts).cpu()


def _carrier() -> torch.device:
    """Where a tensor has to lie to be sent."""
    if dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
