"""Of a person nothing leaves the files: not into a report, a store, a picture, a line or an error.

A name and a date of birth are planted in every field of every format that can hold them, in the
labels of channels, and in what cannot be understood.
"""

from __future__ import annotations

import re
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from ecgscreen.cli import app
from ecgscreen.discover import Discovery
from ecgscreen.errors import EcgscreenError, ExitCode
from ecgscreen.readers import READERS
from ecgscreen.readers.by_content import read_by_content
from ecgscreen.recording import Recording, RecordingError, SkipReason
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate, write_wfdb
from tests.ecgscreen.formats.planted import PLANTED
from tests.ecgscreen.formats.table import FORMATS
from tests.ecgscreen.hostile.run_cli import run_cli

PERSON = re.compile(r"zyx|quorn|(?<!\d)1901(?!\d)|19010203", re.IGNORECASE)
NAME_IN_BYTES = re.compile(rb"quorn|q\0u\0o\0r\0n", re.IGNORECASE)
"""Three letters, or four digits, occur in numbers by chance."""

LABELS = (
    (b"MDC_ECG_LEAD_V6", b"MDC_ECG_LEAD_QUORN"),
    (b"<LeadID>V6<", b"<LeadID>Quorn<"),
    (b'NAME="V6"', b'NAME="Zyx Quorn"'),
    (' V6"'.encode("utf-16-le"), ' Quorn"'.encode("utf-16-le")),
    (b"ECG V6", b"Quorn "),
    (b"Lead V6 (Einthoven)", b"Quorn Zyx (Zyx Zyx)"),
    (b" V6\n", b" Quorn, Zyx\n"),
    (b";V6\r\n", b";Quorn\r\n"),
    (b'"V6"', b'"Zyx Quorn 1901-02-03"'),
)
"""Where the formats name their last lead, and somebody's name there instead."""

BROKEN_HEADERS = (
    "rec 1 Quorn 5000\nrec.dat 16 200/mV 16 0 0 0 0 II\n",
    "rec 1 500 Quorn\nrec.dat 16 200/mV 16 0 0 0 0 II\n",
    "rec 1 500 5000\nrec.dat Quorn 200/mV 16 0 0 0 0 II\n",
    "rec 1 500 5000\nrec.dat 16 nan(Quorn)/mV 16 0 0 0 0 II\n",
    "rec 1 500 5000\nrec.dat 16 200/mV 16 0-Quorn 0 0 0 II\n",
    "rec 1 500 5000\nrec.dat 16 200/mV 16 0 0 0 0 Zyx Quorn\n",
    "rec 1 500 5000\nQuorn/Zyx.dat 16 200/mV 16 0 0 0 0 II\n",
    "rec 2 500 5000\nrec.dat 212 200/mV 16 0 0 0 0 Quorn\n",
    "Zyx Quorn, born 1901\n",
)

NAMES_OF_FILES = (
    "rec 1 500 5000\nQuorn.dat 16 200/mV 16 0 0 0 0 II\n",
    "rec/1 1 500 5000\nQuorn 5000\n",
)
"""The store keeps names of files, of those that a header misses too: it waits for them."""


def write_planted_wfdb(recording: Recording, folder: Path) -> Path:
    """Comments, a date of birth where the date of the recording should be, and a unit."""
    path = write_wfdb(recording, folder, "rec")
    text = path.read_text()
    first, rest = text.split("\n", 1)
    rest = rest.replace("/mV", "/Quorn", 1)
    comments = f"# {PLANTED}\n#<name>: {PLANTED} <born>: 1901-02-03\n# DOB: 03/02/1901\n"
    path.write_text(f"{comments}{first} 12:00:00 03/02/1901\n{rest}{comments}")
    return path


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every format: whole, with a name as a label, and cut off."""
    root = tmp_path_factory.mktemp("in") / "records"
    for number, form in enumerate(FORMATS.values()):
        settings = SimulationSettings(Rhythm.SINUS, sampling_rate=form.sampling_rate, seed=7)
        recording = simulate(settings).recording
        folder = root / f"{number}" / "whole"
        folder.mkdir(parents=True)
        path = form.write(recording, folder)
        if path.suffix == ".hea":
            write_planted_wfdb(recording, folder)
        relabel(Path(shutil.copytree(folder, root / f"{number}" / "label")))
        for n_bytes in (3000, 600, 300):
            cut(Path(shutil.copytree(folder, root / f"{number}" / f"{n_bytes}")), n_bytes)
    for number, text in enumerate(BROKEN_HEADERS):
        folder = root / "broken" / f"{number}"
        folder.mkdir(parents=True)
        (folder / "rec.hea").write_text(f"{text}# {PLANTED}\n")
        (folder / "rec.dat").write_bytes(bytes(10_000))
    write_broken_tables(root / "broken")
    return root


def relabel(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        for label, name in LABELS:
            content = content.replace(label, name)
        path.write_bytes(content)


def cut(folder: Path, n_bytes: int) -> None:
    for path in folder.iterdir():
        if path.suffix not in {".hea", ".json"}:
            path.write_bytes(path.read_bytes()[:n_bytes])


def write_broken_tables(folder: Path) -> None:
    side_car = f'{{"sampling_rate": 500, "leads": ["I", "II"], "patient": "{PLANTED}", %s}}'
    tables = {
        "cell": ("I,II\n1,2\n3,Zyx Quorn\n", '"unit": "mV"'),
        "head": ("Zyx Quorn,born 1901\n1,2\n", '"leads": null'),
        "unit": ("I,II\n" + "0.1,0.2\n" * 5000, '"unit": "Quorn"'),
        "gain": ("I,II\n" + "1,2\n" * 5000, '"unit": "ADC", "gain": "Quorn"'),
        "json": ("I,II\n" + "1,2\n" * 5000, "Zyx Quorn"),
    }
    for name, (table, more) in tables.items():
        (folder / f"{name}.csv").write_text(table)
        (folder / f"{name}.json").write_text(side_car % more)


def texts_of(path: Path) -> Iterator[str]:
    """All that a person or a program reads as text in a file."""
    content = path.read_bytes()
    assert not NAME_IN_BYTES.search(content), path
    if path.suffix == ".h5":
        found: list[object] = []

        def keep(_name: str, item: h5py.HLObject) -> None:
            found.extend(item.attrs.values())
            if isinstance(item, h5py.Dataset) and item.dtype.kind == "O":
                found.extend(item.asstr()[()].ravel().tolist())

        with h5py.File(path) as file:
            found.extend(file.attrs.values())
            file.visititems(keep)
        yield from map(str, found)
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            for name in arrays:
                if arrays[name].dtype == np.uint8:
                    yield arrays[name].tobytes().decode("latin-1")
    else:
        yield content.decode("utf-8")


def test_nothing_of_a_person_leaves_a_scan(records: Path, bundle_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    finished = run_cli(
        *("scan", str(records), "--out", str(out), "--bundle", str(bundle_dir)),
        *("--labels", "rhythm.txt", "--workers", "0", "--log-file", str(tmp_path / "log")),
    )
    assert finished.returncode == ExitCode.SOME_NOT_SCORED, finished.stderr
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert SkipReason.NO_KNOWN_LEAD in log
    printed = finished.stdout + finished.stderr + log
    assert "Not scored" in printed
    assert not PERSON.search(printed)
    report = (out / "report.csv").read_text(encoding="utf-8")
    scored = [row for row in report.splitlines() if ",scored," in row]
    assert len(scored) >= 2 * len(FORMATS)
    for reason in (SkipReason.BAD_HEADER, SkipReason.BAD_GAIN, SkipReason.NO_KNOWN_LEAD):
        assert reason in report
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {"report.html", "report.h5", "run.json", "summary.json"} <= {one.name for one in files}
    for path in files:
        for text in texts_of(path):
            assert not PERSON.search(text), (path, text[:500])


def test_nothing_of_a_person_is_in_a_picture(records: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    drawn = set()
    of_labels = [found for found in Discovery([records]) if re.search("label|broken", found.name)]
    for found in of_labels:
        # In the terminal, too, where it is one of the broken ones, that say most.
        for more in ((), ("--out", str(picture)))["label" in found.name :]:
            result = CliRunner().invoke(app, ["show", str(found.path), *more])
            # What `ecgscreen.cli.main` prints, which the runner leaves out.
            error = result.exception if isinstance(result.exception, EcgscreenError) else ""
            assert result.exit_code == 0 or error, result.exception
            assert not PERSON.search(f"{result.output}{error}")
        if picture.exists():
            drawn.add(found.name)
            assert not PERSON.search(picture.read_text(encoding="utf-8"))
            picture.unlink()
    assert len(drawn) >= len(FORMATS)


def test_nothing_of_a_person_is_in_a_traceback(records: Path, tmp_path: Path) -> None:
    """Neither in the reader's own error nor in one behind it, which a traceback would print."""
    n_errors = 0
    for number, text in enumerate(NAMES_OF_FILES):
        (tmp_path / f"{number}.hea").write_text(text)
    for found in Discovery([records, tmp_path]):
        reader = READERS.get(found.path.suffix.casefold(), read_by_content)
        try:
            reader(found.path, found.root)
        except RecordingError as error:
            n_errors += 1
            shown = "".join(traceback.format_exception(error))
            assert not PERSON.search(shown), shown
    assert n_errors > 3 * len(FORMATS)
