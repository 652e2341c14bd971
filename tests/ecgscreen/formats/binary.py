"""A recording as ISHNE (Badilini 1998) and as SCP-ECG without compression (EN 1064)."""

from __future__ import annotations

import binascii
import struct
from pathlib import Path

import numpy as np

from ecgscreen.recording import LEADS, Recording
from tests.ecgscreen.formats.planted import PLANTED

NV_PER_UNIT = 2500
SCP_LEADS = {"I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64} | {
    f"V{number}": number + 2 for number in range(1, 7)
}


def write_ishne(recording: Recording, folder: Path) -> Path:
    n_leads, n_samples = recording.signal.shape

    def per_lead(values: list[int]) -> bytes:
        return struct.pack("<12h", *values, *[-9] * (12 - len(values)))

    comment = PLANTED.encode().ljust(64, b"\0")
    fixed = struct.pack("<iiiihh", len(comment), n_samples, 522, 522 + len(comment), -9, 1)
    fixed = fixed[:16] + struct.pack("<h", 1)
    person = PLANTED.encode().ljust(40, b"\0") * 2 + PLANTED.encode().ljust(20, b"\0")
    person += struct.pack("<hh3h3h3h3h", 1, 1, 3, 2, 1901, 1, 1, 2024, 1, 1, 2024, 12, 0, 0)
    leads = struct.pack("<h", n_leads)
    leads += per_lead([LEADS.index(name) + 5 for name in recording.lead_names])
    leads += per_lead([1] * n_leads) + per_lead([NV_PER_UNIT] * n_leads)
    tail = struct.pack("<h", 0) + b"Holter".ljust(40, b"\0")
    tail += struct.pack("<h", int(recording.sampling_rate))
    block = (fixed + person + leads + tail).ljust(512, b"\0") + comment
    samples = np.rint(recording.signal * 1e6 / NV_PER_UNIT).astype("<i2")
    path = folder / "written.ecg"
    checksum = struct.pack("<H", binascii.crc_hqx(block, 0xFFFF))
    path.write_bytes(b"ISHNE1.0" + checksum + block + samples.T.tobytes())
    return path


def section(number: int, content: bytes) -> bytes:
    """A section with its header: checksum, number, length, versions."""
    content += b"\0" * (len(content) % 2)
    rest = struct.pack("<HIBB6x", number, 16 + len(content), 20, 20) + content
    if number == 0:
        rest = rest[:8] + b"SCPECG" + rest[14:]
    return struct.pack("<H", binascii.crc_hqx(rest, 0xFFFF)) + rest


def write_scp(recording: Recording, folder: Path) -> Path:
    samples = np.rint(recording.signal * 1e6 / NV_PER_UNIT).astype("<i2")
    n_leads, n_samples = samples.shape

    def tag(number: int, value: bytes) -> bytes:
        return struct.pack("<BH", number, len(value)) + value

    name = PLANTED.encode() + b"\0"
    device = struct.pack("<HHHBBB", 0, 0, 0, 0, 0, 20).ljust(41, b"\0") + b"\0"
    person = tag(0, name) + tag(1, name) + tag(2, name) + tag(5, struct.pack("<HBB", 1901, 2, 3))
    person += tag(14, device) + tag(25, struct.pack("<HBB", 2024, 1, 1))
    person += tag(26, struct.pack("<BBB", 12, 0, 0)) + tag(30, name) + tag(255, b"")
    definition = struct.pack("<BB", n_leads, (n_leads << 3) | 0b100)
    for lead in recording.lead_names:
        definition += struct.pack("<IIB", 1, n_samples, SCP_LEADS[lead])
    rhythm = struct.pack("<HHBB", NV_PER_UNIT, int(1e6 / recording.sampling_rate), 0, 0)
    rhythm += struct.pack(f"<{n_leads}H", *[2 * n_samples] * n_leads) + samples.tobytes()
    sections = {1: section(1, person), 3: section(3, definition), 6: section(6, rhythm)}
    pointers, position = b"", 7 + 16 + 12 * 10
    for number in range(1, 12):
        size = len(sections.get(number, b""))
        pointers += struct.pack("<HII", number, size, position if size else 0)
        position += size
    first = section(0, struct.pack("<HII", 0, 16 + 12 * 10, 7) + pointers)
    body = first + b"".join(sections.values())
    record = struct.pack("<I", 6 + len(body)) + body
    path = folder / "written.scp"
    path.write_bytes(struct.pack("<H", binascii.crc_hqx(record, 0xFFFF)) + record)
    return path
