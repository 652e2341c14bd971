"""Standard input, output and error, where whoever started the program has closed them."""

from __future__ import annotations

import os
import sys

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""In the order of their numbers."""


def open_standard_streams() -> None:
    """Have those that are closed lead nowhere.

    Otherwise the next files that are opened would get their numbers, and what a library prints, in
    this process or in one that it starts, would be written into a report.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this
            os.set_inheritable(nowhere, True)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays
            setattr(sys, name, stream)
