"""``ecgscreen train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.messages import need_extra
from ecgscreen.commands.options import Quiet


def train(
    out: Annotated[Path, typer.Option("--out", help="Where the bundle goes.")],
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER...", help="Folders in PTB-XL's layout; or give --table."),
    ] = None,
    table: Annotated[
        list[Path] | None,
        typer.Option(
            help="A site's own recordings: CSV with path, patient_id, report or statements. "
            "The new bundle is compared with the base, and published if it is not worse."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: default (the bundle that ships), none, or a bundle's "
            "folder.",
            show_default="default for a table, none for folders",
        ),
    ] = None,
    labels_from: Annotated[
        str | None,
        typer.Option(
            help="statements, or reports: what the text of the reports says.",
            show_default="statements; reports for a table without any",
        ),
    ] = None,
    coding_conventions: Annotated[
        bool,
        typer.Option(
            "--coding-conventions",
            help="Read reports by the conventions of PTB-XL's coders, too.",
        ),
    ] = False,
    exclude_concept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Leave a diagnosis out, with what stands for it, so that it is unseen; give it "
            "repeatedly.",
        ),
    ] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="With --table: what must not be forgotten is measured on the base's validation "
            "folds of this folder in PTB-XL's layout, not on simulated recordings.",
        ),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="With --table: publish even what is worse.")
    ] = False,
    name: Annotated[str, typer.Option(help="The model's name.")] = "site",
    train_folds: Annotated[
        str | None, typer.Option(help="Folds to train on.", show_default="1-8, of a table 1-7")
    ] = None,
    validation_folds: Annotated[
        str | None, typer.Option(help="Folds for thresholds.", show_default="9, of a table 8")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="default; fine-tune: gentler, for a start from a base; paper: clip as in the "
            "paper, its optimiser too.",
            show_default="fine-tune with a base, else default",
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help="statement (texts of findings) or clip (each recording's report)."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Default: the preset's (40, fine-tune 10, paper 50).")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=2, help="Default: the preset's (64, the others 32).")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="Default: the preset's (.003, fine-tune .0003).")
    ] = None,
    view_weight: Annotated[
        float | None, typer.Option(min=0, help="Of the loss between two views of a recording.")
    ] = None,
    feature_weight: Annotated[
        float | None, typer.Option(min=0, help="Of the loss between their intermediate features.")
    ] = None,
    feature_layer: Annotated[
        list[int] | None,
        typer.Option(min=0, max=4, help="Which features: 0 stem, 1-4 stages; give it repeatedly."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Of weights, order and augmentation.")
    ] = 0,
    train_precision: Annotated[str | None, typer.Option("--precision", help="bf16 or f32.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option(min=0, help="Minutes between two checkpoints.")
    ] = 5.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")
    ] = False,
    text_encoder: Annotated[
        str | None, typer.Option(help="Folder or name of a frozen language model.")
    ] = None,
    text_cache: Annotated[
        Path | None,
        typer.Option(help="Keep the texts' embeddings in this folder, for the next training."),
    ] = None,
    download: Annotated[
        bool,
        typer.Option(
            "--download", help="Fetch the language model from its hub if it is not here yet."
        ),
    ] = False,
    licence: Annotated[str, typer.Option(help="Of the weights, for the manifest.")] = "unspecified",
    reference: Annotated[
        bool,
        typer.Option(
            "--reference/--no-reference",
            help="Keep the training recordings' embeddings in the bundle, for percentiles.",
        ),
    ] = True,
    quiet: Quiet = False,
) -> None:
    """Train an encoder on recordings with statements and write a bundle."""
    need_extra("train", "torch", "transformers", "onnx")
    from ecgscreen.commands.last_words import telling_if_interrupted
    from ecgscreen.progress import stderr_console
    from trainer.distributed import is_first, joined
    from trainer.request import TrainRequest
    from trainer.run import checkpoint_file, run_training

    def last_words() -> str:
        if quiet or not is_first():
            return ""
        checkpoint = checkpoint_file(out)
        if not checkpoint.exists():
            return "Interrupted: there is no checkpoint to go on from."
        command = "the same command" if resume else "the same command with --resume"
        return f"Interrupted: the last checkpoint is {checkpoint}; {command} goes on from there."

    with joined(device or "auto"), telling_if_interrupted(last_words):
        run_training(
            TrainRequest(
                folders=tuple(folders or ()),
                tables=tuple(table or ()),
                base=base,
                check=tuple(check or ()),
                accept=accept,
                labels_from=labels_from,
                coding_conventions=coding_conventions,
                exclude_concepts=tuple(exclude_concept or ()),
                out=out,
                name=name,
                train_folds=train_folds,
                validation_folds=validation_folds,
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                seed=seed,
                text_encoder=text_encoder,
                licence=licence,
                with_reference=reference,
                preset=preset,
                objective=objective,
                view_weight=view_weight,
                feature_weight=feature_weight,
                feature_layers=tuple(feature_layer) if feature_layer else None,
                precision=train_precision,
                device=device,
                checkpoint_minutes=checkpoint_minutes,
                resume=resume,
                text_cache=text_cache,
                download=download,
            ),
            stderr_console(quiet=quiet or not is_first()),
        )
