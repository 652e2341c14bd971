"""PhysioNet/CinC Challenge 2020 and 2021: SNOMED CT codes in the header's ``#Dx:`` line.

Reyna et al., Computing in Cardiology 2021;48:1-4.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ecgscreen.discover import Discovery
from ecgscreen.errors import UsageError
from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.wfdb_header import MAX_HEADER_BYTES
from ecgscreen.recording import RecordingError
from ecgscreen.vocabulary import Vocabulary
from ecgscreen.wording import counted
from trainer.datasets.case import LabelledFile, LabelledSet, cases_of_files, in_order

_DX_LINE = re.compile(rb"^#\s*Dx\s*:[ \t]*([0-9, \t]*)\r?$", re.MULTILINE)
_PTBXL_RECORD = re.compile(r"HR\d{5}")
"""PTB-XL's recordings as the Challenge names them."""


def cinc_set(
    folders: Sequence[Path], vocabulary: Vocabulary, trained_on: Sequence[str] = ()
) -> LabelledSet:
    """All recordings of some folders whose header has a ``#Dx:`` line.

    The set speaks of the concepts that occur in it. The Challenge publishes no patients: every
    recording counts as a patient of its own.

    Parameters
    ----------
    folders
        Of the Challenge; several sources in one call are one set.
    vocabulary
        Gives the concepts of SNOMED CT codes.
    trained_on
        The data sets of the bundle's training, by the names of their folders.

    Raises
    ------
    UsageError
        If there is no such recording, or PTB-XL's are among them and were trained on.
    """
    files, unknown, n_without = [], Counter[str](), 0
    for found in Discovery(folders):
        codes = None if found.problem is not None else read_dx(found.path, found.root)
        if codes is None:
            n_without += 1
            continue
        unknown.update(code for code in codes if vocabulary.find(code) is None)
        carried = vocabulary.from_snomed(codes)
        files.append(LabelledFile(found.path, found.root, found.name, carried))
    if not files:
        raise UsageError(
            f"no header with a #Dx: line in {', '.join(map(str, folders))}",
            "Name a folder with recordings of the PhysioNet/CinC Challenge 2020 or 2021.",
        )
    n_ptbxl = sum(_PTBXL_RECORD.fullmatch(file.path.stem) is not None for file in files)
    if n_ptbxl and any("ptb-xl" in name.casefold() for name in trained_on):
        raise UsageError(
            f"{n_ptbxl} of the recordings (HR...) are PTB-XL's, on which the bundle was trained",
            "Leave their folder out, and measure on PTB-XL by evaluate ptb-xl.",
        )
    notes = []
    if n_without:
        notes.append(f"{counted(n_without, 'file')} without a #Dx: line left out")
    if unknown:
        codes_shown = ", ".join(sorted(unknown))
        which = counted(unknown.total(), "code is", "codes are")
        notes.append(f"{which} not in the vocabulary: {codes_shown}")
    return LabelledSet(
        name="cinc",
        annotated=in_order(vocabulary, frozenset().union(*(file.carried for file in files))),
        cases=partial(cases_of_files, files),
        notes=tuple(notes),
    )


def read_dx(path: Path, root: Path) -> tuple[str, ...] | None:
    """SNOMED CT codes of a header; None if it cannot be read or has no such line.

    Nothing else of the comments is kept: they may identify a patient.
    """
    try:
        with InsideFile(str(path), root) as file:
            content = file.read(min(file.size, MAX_HEADER_BYTES))
    except (RecordingError, OSError):
        return None
    line = _DX_LINE.search(content)
    if line is None:
        return None
    return tuple(filter(None, (code.strip() for code in line[1].decode("ascii").split(","))))
