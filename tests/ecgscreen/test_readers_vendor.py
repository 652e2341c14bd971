"""Exports of devices that lie: XML, ISHNE and SCP-ECG."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.discover import Discovery
from ecgscreen.readers import ishne, read_recording
from ecgscreen.recording import LEADS, Recording, SkipReason
from tests.ecgscreen.formats import binary
from tests.ecgscreen.formats.skipped import skipped

ENTITIES = """<?xml version="1.0"?>
<!DOCTYPE {0} [<!ENTITY a "zyx"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<{0}>&c;</{0}>"""


OUTSIDE = """<?xml version="1.0"?>
<!DOCTYPE {0} [<!ENTITY a SYSTEM "file://{1}">]><{0}>&a;</{0}>"""


@pytest.mark.parametrize("root", ["AnnotatedECG", "restingecgdata", "RestingECG", "ECG"])
def test_xml_without_entities_only(tmp_path: Path, root: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("zyx quorn")
    path = tmp_path / "a.xml"
    for text in (ENTITIES.format(root), OUTSIDE.format(root, secret), f"<{root}/>", f"<{root}>"):
        path.write_text(text)
        assert [one.path for one in Discovery([tmp_path])] == [path]
        result = skipped(path)
        assert result.reason in {SkipReason.BAD_CONTENT, SkipReason.NO_SIGNALS}
        assert "zyx" not in result.detail
    path.write_text("<!-- <AnnotatedECG/> --><html><AnnotatedECG/></html>")
    assert list(Discovery([tmp_path])) == []


def test_xml_nested_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<AnnotatedECG>" + "<a>" * 30_000 + "</a>" * 30_000 + "</AnnotatedECG>")
    skipped(path)
    path.write_text("<AnnotatedECG>" + "<a>" * 200_000)
    skipped(path)


@pytest.mark.parametrize(
    ("at", "content", "reason"),
    [
        (14, b"\xff\xff\xff\x7f", SkipReason.TRUNCATED),
        (10, b"\xff\xff\xff\xff", SkipReason.BAD_CONTENT),
        (156, b"\xe8\x03", SkipReason.TRUNCATED),
        (156, b"\0\0", SkipReason.BAD_CONTENT),
        (272, b"\0\0", SkipReason.BAD_CONTENT),
    ],
)
def test_ishne_that_lies(
    tmp_path: Path, simulated: Recording, at: int, content: bytes, reason: SkipReason
) -> None:
    path = binary.write_ishne(simulated, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + content + whole[at + len(content) :])
    assert skipped(path).reason is reason


def test_ishne_is_what_the_package_makes_of_it(tmp_path: Path, simulated: Recording) -> None:
    parser = pytest.importorskip("ecgdatakit.parsing.parsers.ishne_holter").ISHNEHolterParser()
    path = binary.write_ishne(simulated, tmp_path)
    theirs = parser.parse(path)
    ours = ishne.read(str(path))
    assert ours.labels == tuple(lead.label for lead in theirs.leads)
    assert ours.sampling_rate == theirs.leads[0].sampling_rate
    assert ours.acquired == theirs.recording.date
    assert ours.notes == ()
    for values, unit, lead in zip(ours.values, ours.units, theirs.leads, strict=True):
        assert unit == lead.resolution_unit
        assert np.array_equal(values, lead.samples * lead.resolution)
    content = path.read_bytes()
    path.write_bytes(content[:8] + b"\x12\x34" + content[10:])
    assert ishne.read(str(path)).notes[0].startswith("its checksum does not match")


def test_scp_mutations_never_raise(tmp_path: Path, simulated: Recording) -> None:
    path = binary.write_scp(simulated, tmp_path)
    whole = path.read_bytes()
    rng = random.Random(3)
    outcomes = set()
    for _ in range(40):
        changed = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(6, 600)] = rng.choice([0, 1, 127, 255])
        path.write_bytes(changed)
        result = read_recording(path)
        if isinstance(result, Recording):
            outcomes.add("read")
            assert set(result.lead_names) <= set(LEADS)
            damaged = "its checksum does not match: the file was changed or damaged"
            assert (damaged in result.notes) is (changed != whole)
        else:
            outcomes.add(result.reason)
            assert "Quorn" not in result.detail
    assert "read" in outcomes
    assert len(outcomes) > 1


def test_real_exports_are_read(data_dir: Path) -> None:
    """The SCP-ECG and the aECG are of one recording."""
    formats = data_dir / "formats"
    found = {one.path.suffix: read_recording(one.path) for one in Discovery([formats])}
    scp, xml = found[".scp"], read_recording(formats / "hl7_aecg" / "subject1_0.xml")
    assert isinstance(scp, Recording)
    assert isinstance(xml, Recording)
    assert scp.lead_names == xml.lead_names
    assert np.array_equal(scp.signal, xml.signal)
    for path in sorted((formats / "philips_sierra").glob("*.[xX]*")):
        recording = read_recording(path)
        assert isinstance(recording, Recording)
        assert recording.lead_names == LEADS
        # Eleven seconds, the last half second of which is a calibration pulse between zeros.
        assert 10.5 <= recording.duration_s <= 10.6
        assert recording.notes[0].startswith("left out, the same in all leads: 0.4")
