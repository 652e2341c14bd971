"""``ecgscreen labels``."""

from __future__ import annotations

from typing import Annotated

import typer

from ecgscreen.commands.messages import complain
from ecgscreen.commands.options import Bundle
from ecgscreen.errors import ExitCode, LabelListError

app = typer.Typer(help="Lists of diagnoses.", no_args_is_help=True)


@app.command("list")
def labels_list() -> None:
    """Name the lists that ship."""
    from ecgscreen.label_list_file import shipped_lists

    for name in shipped_lists():
        typer.echo(name)


@app.command("check")
def labels_check(
    labels: Annotated[str, typer.Argument(help="A file, or a list that ships.")],
    bundle: Bundle = None,
) -> None:
    """Show line by line how a list is understood, before a scan."""
    from ecgscreen.bundle import default_bundle, load_bundle
    from ecgscreen.diagnoses import load_list
    from ecgscreen.info import list_lines
    from ecgscreen.prompts import embed_list
    from ecgscreen.vocabulary import load_vocabulary

    try:
        diagnoses = load_list(labels)
        prompts = embed_list(diagnoses, load_bundle(bundle or default_bundle()), load_vocabulary())
    except LabelListError as error:
        complain(error)
        raise typer.Exit(ExitCode.CHECK_FAILED) from error
    for line in list_lines(diagnoses, prompts):
        typer.echo(line)
