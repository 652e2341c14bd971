"""Formats of devices, through ``ecgdatakit``: XML exports and SCP-ECG.

HL7 aECG (Regulated Clinical Annotated ECG), Philips Sierra XML, GE MUSE XML, Mortara ELI XML;
SCP-ECG (EN 1064). Of what the package gives, only the rhythm leads, when they were recorded and,
for a note, the age are looked at. Runs behind `ecgscreen.readers.limited`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgscreen.leads import standard_lead_name
from ecgscreen.readers.age import age_notes
from ecgscreen.readers.formats import AECG, HEAD_BYTES, MORTARA, MUSE, SCP, SIERRA, recognise
from ecgscreen.readers.signals import Signals, stack, without_fillers
from ecgscreen.recording import RecordingError, SkipReason

if TYPE_CHECKING:
    from ecgdatakit.models import Lead

MAX_XML_BYTES = 1 << 28

_PARSERS = {
    AECG: ("hl7_aecg", "HL7aECGParser"),
    SIERRA: ("sierra_xml", "SierraXMLParser"),
    MUSE: ("ge_muse_xml", "GEMuseXMLParser"),
    MORTARA: ("mortara_el250", "MortaraEL250Parser"),
    SCP: ("scp_ecg", "SCPECGParser"),
}
"""Module and class of the package. Its own search is not used: it would try formats that we read
better, WFDB among them, whose reader follows ``../`` in a header."""


def read(path: str, member: str = "") -> Signals:  # noqa: ARG001 - one recording a file
    """Read the rhythm leads of an export, of the sampling rate that most of them have.

    Parameters
    ----------
    path
        The file.
    member
        Not used.

    Raises
    ------
    RecordingError
        BAD_CONTENT if the package refuses the file, TRUNCATED, NO_SIGNALS, TOO_LARGE.
    """
    from ecgdatakit.exceptions import ChecksumWarning, ECGDataKitError

    file = Path(path)
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    form = recognise(head)
    if form is None or form.name not in _PARSERS:
        raise RecordingError(SkipReason.UNSUPPORTED, "it is of another format than a moment ago")
    _check(form.name, head, file.stat().st_size)
    module, parser = _PARSERS[form.name]
    parse = getattr(import_module(f"ecgdatakit.parsing.parsers.{module}"), parser)().parse
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            record = parse(file)
            leads = _of_one_rate(record.leads)
        except ECGDataKitError as error:  # its message may quote the file
            raise RecordingError(
                SkipReason.BAD_CONTENT, f"ecgdatakit refused it ({type(error).__name__})"
            ) from error
    notes = age_notes(record.patient.age)
    if any(issubclass(one.category, ChecksumWarning) for one in caught):
        notes += ("its checksum does not match: the file was changed or damaged",)
    rate = float(leads[0].sampling_rate)
    values = stack([_physical(lead) for lead in leads])
    if form.name == SIERRA:
        values, before_s, after_s = without_fillers(values, rate)
        if before_s or after_s:
            notes += (f"left out, the same in all leads: {before_s + after_s:.3g} s at the ends",)
    return Signals(
        labels=tuple(lead.label for lead in leads),
        units=tuple(lead.resolution_unit or lead.units for lead in leads),
        sampling_rate=rate,
        values=values,
        notes=notes,
        acquired=record.recording.date,
    )


def _check(form: str, head: bytes, size: int) -> None:
    """Check what the package forgives."""
    if form in {AECG, SIERRA, MUSE, MORTARA} and size > MAX_XML_BYTES:
        raise RecordingError(
            SkipReason.TOO_LARGE, f"{size} bytes of XML, the limit is {MAX_XML_BYTES}"
        )
    if form == SCP:
        expected = int.from_bytes(head[2:6], "little")
        if size < expected:
            raise RecordingError(SkipReason.TRUNCATED, f"{size} bytes, expected {expected}")


def _of_one_rate(leads: list[Lead]) -> list[Lead]:
    if not leads:
        raise RecordingError(SkipReason.NO_SIGNALS, "it holds no rhythm leads")
    known = [lead for lead in leads if standard_lead_name(lead.label)] or leads
    rate = Counter(lead.sampling_rate for lead in known).most_common(1)[0][0]
    return [lead for lead in leads if lead.sampling_rate == rate]


def _physical(lead: Lead) -> NDArray[np.float64]:
    if not lead.is_raw:
        return np.asarray(lead.samples, np.float64)
    if not 0 < abs(lead.resolution) < np.inf:
        raise RecordingError(
            SkipReason.BAD_GAIN, f"a resolution of {lead.resolution:g}, expected another than 0"
        )
    return np.asarray(lead.samples * lead.resolution + lead.offset, np.float64)
