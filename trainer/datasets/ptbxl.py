"""PTB-XL, and a site's own recordings that are laid out like it: statements by fold.

Wagner et al., Scientific Data 2020, doi 10.1038/s41597-020-0495-6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import Vocabulary
from trainer.data import DATABASE, read_ptbxl_table
from trainer.datasets.case import LabelledFile, LabelledSet, cases_of_files, in_order


def ptbxl_set(folders: Sequence[Path], folds: Iterable[int], vocabulary: Vocabulary) -> LabelledSet:
    """All recordings of some folds.

    The set speaks of every SCP-ECG statement and its groups: PTB-XL's readers gave all that
    apply, whatever the likelihood.

    Raises
    ------
    UsageError
        If a folder is not in PTB-XL's layout, a statement is unknown, or the folds are empty.
    """
    wanted = tuple(folds)
    files = []
    for folder in folders:
        for row in read_ptbxl_table(folder, wanted):
            try:
                carried = vocabulary.concepts_of(row.scp_codes)
            except ValueError as error:
                raise UsageError(
                    f"{folder / DATABASE}: {row.path.stem}: {error}",
                    "The keys of scp_codes have to be PTB-XL's SCP-ECG statements.",
                ) from error
            files.append(LabelledFile(row.path, folder, row.patient, carried))
    if not files:
        raise UsageError(
            f"no recording of folds {list(wanted)} in {', '.join(map(str, folders))}",
            "Check the folder and the folds.",
        )
    statements = [concept.id for concept in vocabulary.concepts if concept.scp is not None]
    return LabelledSet(
        name="ptb-xl",
        annotated=in_order(vocabulary, vocabulary.concepts_of(statements)),
        cases=partial(cases_of_files, files),
    )
