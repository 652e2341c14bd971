"""From what ``train`` was asked for to the recordings that it trains on."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import Vocabulary
from ecgscreen.wording import counted
from trainer import distributed
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl
from trainer.from_reports import recordings_from_reports
from trainer.request import TrainRequest
from trainer.site import check_parts, load_site
from trainer.splits import rows_of_folds
from trainer.unseen import stand_ins, without_concepts

_LEAST_STEPS = 4
"""An epoch of a site's few recordings; its batches are made smaller for that."""


def load_recordings(
    request: TrainRequest, config: TrainConfig, vocabulary: Vocabulary, console: Console
) -> tuple[LabelledRecordings, TrainConfig]:
    """Read and label; the configuration comes back with what the recordings decided.

    Parameters
    ----------
    request, config
        What was asked for, and what follows from it.
    vocabulary
        The concepts.
    console
        Told how many recordings there are, and how many were left out.

    Raises
    ------
    UsageError
        See `load_ptbxl` and `trainer.site.load_site`.
    """
    if request.tables:
        site = load_site(
            request.tables,
            vocabulary,
            config.preprocess,
            labels_from=request.labels_from,
            conventions=request.coding_conventions,
        )
        check_parts(site.recordings, config)
        for note in site.notes:
            console.print(note, highlight=False, markup=False, soft_wrap=True)
        config = replace(config, labels_from=site.labels_from)
        return site.recordings, _with_smaller_batches(request, config, site.recordings)
    folds = (*config.train_folds, *config.validation_folds)
    recordings = load_ptbxl(request.folders, folds, vocabulary, config.preprocess)
    if config.labels_from == "reports":
        n = len(recordings.windows)
        recordings = recordings_from_reports(
            recordings, vocabulary, conventions=request.coding_conventions
        )
        n_read = len(recordings.windows)
        console.print(
            f"{counted(n_read, 'recording')} got statements from reports, {n - n_read} none: left "
            "out",
            highlight=False,
        )
    return recordings, config


def hide_excluded(
    recordings: LabelledRecordings, config: TrainConfig, vocabulary: Vocabulary, console: Console
) -> LabelledRecordings:
    """The recordings without the concepts that are to be unseen; says which those are."""
    if not (excluded := config.exclude_concepts):
        return recordings
    named = ", ".join((*excluded, *stand_ins(recordings, vocabulary, excluded)))
    console.print(f"left out of training: {named}", highlight=False)
    return without_concepts(recordings, vocabulary, excluded)


def check_base(base: Bundle | None, config: TrainConfig, request: TrainRequest) -> None:
    """Make sure that what the base was trained on is neither unseen nor validated on.

    Raises
    ------
    UsageError
        If it is.
    """
    if base is None:
        return
    if known := sorted(set(config.exclude_concepts) & base.seen_concepts):
        raise UsageError(
            f"{base.name} was trained on {', '.join(known)}: unseen it is not any more",
            "Leave it out of a training from nothing: --base none.",
        )
    trained = base.manifest["training"]
    same = {folder.name for folder in request.folders} & set(trained["dataset"])
    folds = sorted(set(config.validation_folds) & set(trained.get("train_folds", [])))
    if same and folds:
        raise UsageError(
            f"{base.name} was trained on folds {folds} of {', '.join(sorted(same))}: thresholds "
            "from there would say nothing",
            "Give other validation folds, or --base none.",
        )


def _with_smaller_batches(
    request: TrainRequest, config: TrainConfig, recordings: LabelledRecordings
) -> TrainConfig:
    if request.batch_size is not None:
        return config
    n = len(rows_of_folds(recordings.folds, config.train_folds))
    batch_size = min(config.batch_size, max(2, n // _LEAST_STEPS))
    # Every process takes the same part of a batch.
    return replace(config, batch_size=batch_size - batch_size % distributed.size())
