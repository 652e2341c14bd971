"""What headers of one device have in common, as one expression: fast to match, slow to make."""

from __future__ import annotations

import re

_LONGEST = 512
"""Bytes of what a line has in common with others; with all that may vary no line is too long."""


def mould_of(lines: list[bytes]) -> re.Pattern[bytes] | None:
    """Make an expression of a header that matches others like it.

    They differ only in the names of the record and of its one signal file, in ADC resolutions,
    initial values, checksums, block sizes and comments at the end: in nothing that matters to who
    has read this one but the name of the file.

    Parameters
    ----------
    lines
        Of a header that has been read: stripped, without comments.

    Returns
    -------
    For `re.Pattern.fullmatch`, with the name of the signal file as its group; None if the header
    has segments, several signal files, or lines that leave out fields.
    """
    name, _, behind_the_name = lines[0].partition(b" ")
    fields = [line.split(None, 8) for line in lines[1:]]
    if (
        b"/" in name
        or name.split() != [name]
        or max(map(len, lines)) > _LONGEST
        or {len(cells) for cells in fields} != {9}
        or len({cells[0] for cells in fields}) != 1
        or not all(number.lstrip(b"-").isdigit() for cells in fields for number in cells[3:8])
    ):
        return None
    # Possessive: a quarter less time.
    signals = (
        rb" %b \d{1,10}+ %b -?\d{1,10}+ -?\d{1,10}+ -?\d{1,10}+ %b"
        % (re.escape(b" ".join(cells[1:3])), re.escape(cells[4]), re.escape(cells[8]))
        for cells in fields
    )
    return re.compile(
        rb"[^\s/#][^\s/]{0,254} %b\n([^\s#]\S{0,254})%b(?:\n#[^\r\n]*)*\n?"
        % (re.escape(behind_the_name), rb"\n\1".join(signals))
    )
