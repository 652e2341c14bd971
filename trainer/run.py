"""The command ``train``: load, train, export, compare, and say what happens."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import torch

from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.errors import StoreError
from ecgscreen.publish import check_folder_can_be, storing
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from ecgscreen.wording import counted
from trainer import distributed
from trainer.base import load_base
from trainer.check_sets import CheckSet, check_set
from trainer.checkpoint import Checkpoint
from trainer.comparison import cannot_tell, compare
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, select
from trainer.export import export_bundle
from trainer.loading import check_base, hide_excluded, load_recordings
from trainer.publishing import Decision, check_free, rejected_folder
from trainer.request import TrainRequest
from trainer.site import held_out_folds
from trainer.splits import rows_of_folds
from trainer.text_cache import CachedTextEncoder
from trainer.train import Epoch, TrainedModel, train, training_rows
from trainer.training_log import CSV_FILE, CURVES_FILE, write_csv, write_curves
from trainer.training_progress import TrainingProgress

if TYPE_CHECKING:
    from rich.console import Console

RUN_FILE = "train.json"
CHECKPOINT_FILE = "run.checkpoint"
CANDIDATE = "bundle"


def checkpoint_file(out: Path) -> Path:
    """Where a training whose bundle goes to `out` keeps its state; there from the first one on."""
    return out.with_name(f"{out.name}.partial") / CHECKPOINT_FILE


def run_training(request: TrainRequest, console: Console) -> None:
    """Train, export, and for a site compare with the bundle before.

    Raises
    ------
    UsageError
        If folders, folds, tables or the base are not usable, or the output folder is not empty.
    NotPublishedError
        If a site's bundle is worse than the one before, and that is not accepted.
    """
    # With an optimiser PyTorch makes a folder for compiled code. Nothing is compiled here: where
    # the folder is there already, nothing is left behind.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.gettempdir())
    check_free(request.out)
    if request.text_cache is not None:
        check_folder_can_be(request.text_cache)
    if request.tables:
        check_free(rejected_folder(request.out))
    base = load_base(request.base_name)
    config = request.config(base)
    check_base(base, config, request)
    vocabulary = load_vocabulary()
    recordings, config = load_recordings(request, config, vocabulary, console)
    # A site that trains from nothing has the shipped bundle until then.
    old = (base or load_bundle(default_bundle())) if request.tables else None
    # Before the training, which takes hours: the folders may be wrong.
    check = check_set(request.check, old, vocabulary) if old else None
    held_out = select(recordings, rows_of_folds(recordings.folds, held_out_folds(config)))
    if check and not request.accept:
        _foretell(request, held_out, check, vocabulary, console)
    shown = hide_excluded(recordings, config, vocabulary, console)

    file = checkpoint_file(request.out)
    partial = file.parent
    with storing(partial):
        partial.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(file, 60 * request.checkpoint_minutes, request.resume)
    trained = _train(shown, vocabulary, config, base, request, checkpoint, console)
    if not distributed.is_first():
        return
    candidate = partial / CANDIDATE
    _export(trained, shown, vocabulary, config, base, request, candidate)

    decision = Decision(old, (), accepted=request.accept)
    if old and check:
        decision = _compare(old, candidate, held_out, check, vocabulary, accept=request.accept)
        with _exporting(candidate):
            decision.write(candidate)
        for line in decision.lines():
            console.print(line, highlight=False)
    target = request.out if decision.published else rejected_folder(request.out)
    candidate.replace(target)
    # Last of all: until the bundle is where it belongs, there is something to go on from.
    checkpoint.remove()
    partial.rmdir()
    if not decision.published:
        raise decision.complaint(target, request.out)
    console.print(f"bundle {request.name} is in {target}")


def _foretell(
    request: TrainRequest,
    held_out: LabelledRecordings,
    check: CheckSet,
    vocabulary: Vocabulary,
    console: Console,
) -> None:
    """Say before the training, which takes hours, that nobody will be able to judge it."""
    for name, recordings in (("held-out patients", held_out), ("check set", check.recordings)):
        if reason := cannot_tell(recordings, vocabulary):
            console.print(
                f"{name}: {reason}: nobody will be able to tell whether the new bundle is worse, "
                f"and it will be left in {rejected_folder(request.out)}; give more recordings, or "
                "--accept",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


@contextmanager
def _exporting(candidate: Path) -> Iterator[None]:
    """A bundle that could not be written whole is not left lying; its training is."""
    try:
        yield
    except OSError as error:
        rmtree(candidate, ignore_errors=True)
        raise StoreError(
            f"{candidate}: cannot be written: {error.strerror or error}",
            "Make room, then give the same command with --resume: nothing is trained again.",
        ) from error


def _train(
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    base: Bundle | None,
    request: TrainRequest,
    checkpoint: Checkpoint,
    console: Console,
) -> TrainedModel:
    console.print(
        f"{counted(len(recordings.windows), 'recording')}, {len(recordings.skipped)} left out; "
        f"training on folds {', '.join(map(str, config.train_folds))} with "
        f"{counted(torch.get_num_threads(), 'thread')}"
    )
    if config.objective == "clip" and (n := sum(not text for text in recordings.reports)):
        have = counted(n, "recording has", "recordings have")
        console.print(f"{have} no report: the names of their statements stand for it")
    log = checkpoint.path.parent
    text_encoder = CachedTextEncoder(
        config.text_encoder, request.text_cache, download=request.download
    )
    steps_per_epoch = len(training_rows(recordings, config)) // config.batch_size
    with TrainingProgress(console, config.epochs, steps_per_epoch) as progress:
        history: list[Epoch] = []

        def report(epoch: Epoch) -> None:
            if not distributed.is_first():
                return
            history.append(epoch)
            progress.on_epoch(epoch)
            write_csv(history, log / CSV_FILE)
            write_curves(history, log / CURVES_FILE)

        return train(
            recordings,
            vocabulary,
            config,
            report,
            on_step=progress.on_step,
            checkpoint=checkpoint,
            text_encoder=text_encoder,
            base=base,
        )


def _export(
    trained: TrainedModel,
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    base: Bundle | None,
    request: TrainRequest,
    candidate: Path,
) -> None:
    # What a run that was cut off here has left was never looked at by anybody.
    rmtree(candidate, ignore_errors=True)
    with _exporting(candidate):
        export_bundle(
            trained,
            recordings,
            vocabulary,
            config,
            candidate,
            name=request.name,
            dataset=[source.name for source in request.sources],
            licence=request.licence,
            with_reference=request.with_reference,
            base=base,
            own_folds=bool(request.tables),
        )
        epochs = [epoch.to_dict() for epoch in trained.history]
        run = {"config": config.to_dict(), "history": epochs}
        (candidate / RUN_FILE).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    for file in (CSV_FILE, CURVES_FILE):
        (candidate.parent / file).replace(candidate / file)


def _compare(
    old: Bundle,
    candidate: Path,
    held_out: LabelledRecordings,
    check: CheckSet,
    vocabulary: Vocabulary,
    *,
    accept: bool,
) -> Decision:
    new = load_bundle(candidate)
    comparisons = (
        compare(
            old,
            new,
            held_out,
            vocabulary,
            name="held-out patients",
            what="of the site, never trained on",
        ),
        compare(old, new, check.recordings, vocabulary, name="check set", what=check.what),
    )
    return Decision(old, comparisons, accepted=accept)
