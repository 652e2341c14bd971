"""What is to say of a file of no known format: it may be a recording that was cut or compressed.

Of what is compressed, no more than the beginning of a gzip is unpacked, to tell what it is.
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

from ecgscreen.readers.formats import HEAD_BYTES, SIGNAL_SUFFIXES, SUFFIXES, recognise
from ecgscreen.readers.xml_beginning import ends_before_root
from ecgscreen.recording import SkipReason

Fault: TypeAlias = tuple[SkipReason, str]
"""Why a file is not read, and the detail."""

COMPRESSED: Fault = (SkipReason.UNSUPPORTED, "it is compressed, which is not read: decompress it")

_DAMAGED: Fault = (
    SkipReason.BAD_CONTENT,
    "its compression is damaged before it can be told whether it is an ECG",
)
_COMPRESSED_SUFFIXES = frozenset({".gz", ".bz2", ".xz", ".zst", ".z"})
_RECORDINGS_COMPRESSED = SUFFIXES | SIGNAL_SUFFIXES | {".hea"}
_XML = ".xml"
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's sign for gzip
_NO_TEXT = bytes(4)
"""No text has four zeros on end, in whatever encoding; a machine that lost power leaves them."""


def decompressed_name(name: str) -> str:
    """Give the name that a compressed file gets when it is decompressed; any other as it is."""
    return name.rpartition(".")[0] if _suffix(name) in _COMPRESSED_SUFFIXES else name


def promises_recording(name: str) -> bool:
    """Whether a file of this name ought to be a recording, as it is or compressed."""
    plain = decompressed_name(name)
    promising = SUFFIXES if plain == name else _RECORDINGS_COMPRESSED
    return _suffix(plain) in promising


def fault_of(name: str, head: bytes, size: int) -> Fault | None:
    """Say what by its content makes a recording, or what may be one, a file of no known format.

    Parameters
    ----------
    name
        Of the file, without its folder.
    head
        The first `HEAD_BYTES` bytes of it, or all of a shorter one.
    size
        Of the file, in bytes.

    Returns
    -------
    UNSUPPORTED for a recording that is compressed; for a file that is XML by its name TRUNCATED
    where it ends before its root element, and BAD_CONTENT where its compression is damaged
    before. Nothing for any other file.
    """
    is_xml = _suffix(decompressed_name(name)) == _XML
    if not head or not _GZIP.startswith(head[:2]):
        return _fault_of_xml(head, len(head) == size) if is_xml else None
    try:
        content, is_whole = _beginning_of_gzip(head, size)
    except zlib.error:
        return _DAMAGED if is_xml else None
    if recognise(content) is not None:
        return COMPRESSED
    return _fault_of_xml(content, is_whole) if is_xml else None


def _suffix(name: str) -> str:
    _, dot, suffix = name.rpartition(".")
    return (dot + suffix).casefold()


def _fault_of_xml(content: bytes, is_whole: bool) -> Fault | None:
    if content.endswith(_NO_TEXT):
        content, is_whole = content.rstrip(b"\0"), True
    if not is_whole or not ends_before_root(content):
        return None
    n = len(content)
    return (
        SkipReason.TRUNCATED,
        f"{n} bytes of XML, which end before it can be told whether it is an ECG",
    )


def _beginning_of_gzip(head: bytes, size: int) -> tuple[bytes, bool]:
    """Up to `HEAD_BYTES` of the content, and whether that is all of it.

    Raises
    ------
    zlib.error
        If it is damaged.
    """
    content, rest = b"", head
    while rest and _GZIP.startswith(rest[:2]) and len(content) < HEAD_BYTES:
        member = zlib.decompressobj(_GZIP_WINDOW)
        content += member.decompress(rest, HEAD_BYTES - len(content))
        rest = member.unused_data  # of a file that consists of several
    ended = size == len(head) or bool(rest)
    return content, ended and len(content) < HEAD_BYTES
