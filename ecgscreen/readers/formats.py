"""The table of formats: how each is recognised by its content, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ecgscreen.readers.xml_beginning import xml_root

HEAD_BYTES = 4096
"""From the beginning of a file: enough to recognise any format."""

SUFFIXES = frozenset({".dcm", ".edf", ".scp", ".ecg", ".h5", ".hdf5"})
"""A file named so that is of no known format is somebody's recording that cannot be read, and
gets a row; of any other name it is ignored."""

SIGNAL_SUFFIXES = frozenset({".dat", ".mat"})
"""Files that hold samples and are nothing without a WFDB header that names them."""

NOT_RECORDINGS = frozenset({"DICOMDIR"})
"""Names of files that resemble recordings: the table of contents of a DICOM medium."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    name
        For messages.
    recognises
        Whether the first `HEAD_BYTES` bytes of a file are of it.
    module
        Of `ecgscreen.readers`: what reads it behind `ecgscreen.readers.limited`.
    package
        What the module imports.
    holds_several
        Whether one file may hold several recordings.
    length_s
        Gives the length of a recording in seconds from the beginning of its file and the file's
        size, as far as these tell (0 if not): of formats whose files are read in pieces. Empty
        for the others.
    """

    name: str
    recognises: Callable[[bytes], bool]
    module: str
    package: str
    holds_several: bool = False
    length_s: Callable[[bytes, int], float] | None = None


def recognise(head: bytes) -> Format | None:
    """Give the format of a file.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` bytes of it, or all of a shorter one.
    """
    return next((one for one in FORMATS if one.recognises(head)), None)


def _is_dicom(head: bytes) -> bool:
    return head[128:132] == b"DICM"


def _is_edf(head: bytes) -> bool:
    """Recognise the version field, and the length of the header that the signals make."""
    n_signals = head[252:256].strip()
    return (
        head[:8] == b"0       "
        and n_signals.isdigit()
        and head[184:192].strip() == b"%d" % (256 * (int(n_signals) + 1))
    )


def _edf_length_s(head: bytes, _size: int) -> float:
    try:
        return max(0.0, float(head[236:244]) * float(head[244:252]))
    except ValueError:
        return 0.0


def _is_hdf5(head: bytes) -> bool:
    return head[:8] == b"\x89HDF\r\n\x1a\n"


def _is_scp(head: bytes) -> bool:
    """Recognise section 0, which begins at byte 7 and says so in its first pointer."""
    return (
        len(head) >= 32
        and head[8:10] == b"\0\0"
        and head[22:24] == b"\0\0"
        and head[28:32] == b"\7\0\0\0"
        and 6 + int.from_bytes(head[10:14], "little") <= int.from_bytes(head[2:6], "little")
    )


def _is_ishne(head: bytes) -> bool:
    return head[:8] == b"ISHNE1.0"


def _ishne_length_s(head: bytes, size: int) -> float:
    n_leads, rate = (int.from_bytes(head[at : at + 2], "little") for at in (156, 272))
    return (size - 522) / (2 * n_leads * rate) if n_leads and rate else 0.0


def _is_xml(root: str) -> Callable[[bytes], bool]:
    return lambda head: head.lstrip()[:1] in _XML_BEGINS and xml_root(head) == root


_XML_BEGINS = frozenset({b"<", b"\xef", b"\xff", b"\xfe"})

AECG, SIERRA, MUSE, MORTARA = "HL7 aECG", "Philips Sierra XML", "GE MUSE XML", "Mortara XML"
SCP, ISHNE = "SCP-ECG", "ISHNE"

FORMATS = (
    Format("DICOM", _is_dicom, "dicom", "pydicom"),
    Format("HDF5", _is_hdf5, "hdf5_layouts", "h5py", holds_several=True),
    Format(SCP, _is_scp, "vendor", "ecgdatakit"),
    Format(ISHNE, _is_ishne, "ishne", "numpy", length_s=_ishne_length_s),
    Format(AECG, _is_xml("AnnotatedECG"), "vendor", "ecgdatakit"),
    Format(SIERRA, _is_xml("restingecgdata"), "vendor", "ecgdatakit"),
    Format(MUSE, _is_xml("RestingECG"), "vendor", "ecgdatakit"),
    Format(MORTARA, _is_xml("ECG"), "vendor", "ecgdatakit"),
    Format("EDF", _is_edf, "edf", "edfio", length_s=_edf_length_s),
)
"""Every format but WFDB and the plain tables, which their names and side-cars tell."""
