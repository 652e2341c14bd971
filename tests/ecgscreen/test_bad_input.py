"""Whatever a file holds: a reason, never an exception."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.assessment import assess
from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.quality import Grade, assess_quality
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason

N_SAMPLES = 1000


def header_of(leads: tuple[str, ...] = LEADS, rate: str = "100", n: int = N_SAMPLES) -> str:
    lines = [f"rec.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in leads]
    return "\n".join([f"rec {len(leads)} {rate} {n}", *lines, "# Name: Jane Doe"]) + "\n"


def samples_of(n_leads: int = 12, n: int = N_SAMPLES) -> bytes:
    times = np.arange(n)[:, np.newaxis] / 100
    beats = 1000 * np.exp(-(((times % 0.8) - 0.4) ** 2) / 0.0008)
    samples = beats * np.linspace(0.5, 1.5, n_leads) + 50 * np.sin(times)
    return bytes(samples.astype("<i2").tobytes())


def write(folder: Path, header: str | bytes, content: bytes | None = None) -> Path:
    path = folder / "rec.hea"
    path.write_bytes(header if isinstance(header, bytes) else header.encode("latin-1"))
    if content is not None:
        (folder / "rec.dat").write_bytes(content)
    return path


def skipped(path: Path, root: Path | None = None) -> SkippedRecording:
    result = read_recording(path, root)
    assert isinstance(result, SkippedRecording), result
    assert result.path == path
    assert "Jane" not in result.detail
    assert result.detail.isprintable()
    assert result.detail
    return result


def test_the_good_record_is_good(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, header_of(), samples_of()))
    assert isinstance(recording, Recording)
    assert assess_quality(recording).grade is Grade.GOOD


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: "rec 0 100 1000\n", SkipReason.NO_SIGNALS),
        (lambda text: "rec 12 100 1000\n", SkipReason.NO_SIGNALS),
        (lambda text: text.replace(" 100 ", " 0 "), SkipReason.BAD_SAMPLING_RATE),
        (lambda text: text.replace(" 100 ", " -100 "), SkipReason.BAD_SAMPLING_RATE),
        (lambda text: text.replace(" 100 ", " nan "), SkipReason.BAD_SAMPLING_RATE),
        (lambda text: text.replace(" 100 ", " 1e9 "), SkipReason.BAD_SAMPLING_RATE),
        (lambda text: text.replace(" 100 ", " 0.001 "), SkipReason.BAD_SAMPLING_RATE),
        (lambda text: text.replace("1000(0)/mV", "0(0)/mV", 1), SkipReason.BAD_GAIN),
        (lambda text: text.replace("1000(0)/mV", "0"), SkipReason.BAD_GAIN),
        (lambda text: text.replace("1000(0)/mV", "nan(0)/mV"), SkipReason.BAD_GAIN),
        (lambda text: text.replace("1000(0)/mV", "inf/mV"), SkipReason.BAD_GAIN),
        (lambda text: text.replace("1000(0)/mV", "1e-300/mV"), SkipReason.BAD_GAIN),
        (lambda text: text.replace("1000(0)/mV", "1000(0/mV"), SkipReason.BAD_GAIN),
        (lambda text: text.replace("1000(0)/mV", f"1000({'9' * 400})"), SkipReason.BAD_GAIN),
        (lambda text: "", SkipReason.BAD_HEADER),
        (lambda text: "# only a comment\n", SkipReason.BAD_HEADER),
        (lambda text: "\0\0\0\0", SkipReason.BAD_HEADER),
        (lambda text: text.replace("rec 12", "rec 11"), SkipReason.BAD_HEADER),
        (lambda text: text.replace("rec 12", "rec 13"), SkipReason.BAD_HEADER),
        (lambda text: text.replace("dat 16", "dat sixteen"), SkipReason.BAD_HEADER),
        (lambda text: text.replace("dat 16", "dat 16x0"), SkipReason.BAD_HEADER),
        (lambda text: text.replace("dat 16", "dat 16+2", 1), SkipReason.BAD_HEADER),
        (lambda text: text.replace("V3", "V" * 2000), SkipReason.BAD_HEADER),
        (lambda text: text.replace("dat 16", "dat 17"), SkipReason.UNSUPPORTED),
        (lambda text: text.replace("rec 12", "rec 100000"), SkipReason.TOO_LARGE),
        (lambda text: text.replace(" 1000\n", " 99999999999\n"), SkipReason.TOO_LARGE),
        (lambda text: text + "#" * 300_000, SkipReason.TOO_LARGE),
        (lambda text: text.replace(" 1000\n", " 1001\n"), SkipReason.TRUNCATED),
        (lambda text: text.replace("dat 16", "dat 16+1"), SkipReason.TRUNCATED),
        (lambda text: text.replace("dat 16", "dat 16+999999999"), SkipReason.TRUNCATED),
        (lambda text: text.replace("dat 16", "dat 212x4"), SkipReason.TRUNCATED),
        (lambda text: text.replace("dat 16", "dat 212:9999999999"), SkipReason.BAD_HEADER),
        (lambda text: text.replace("dat 16", "dat 212x90000"), SkipReason.TOO_LARGE),
        (lambda text: text.replace("dat 16", "dat 524"), SkipReason.UNSUPPORTED),
        (lambda text: text.replace("rec.dat", "gone.dat"), SkipReason.NO_SIGNAL_FILE),
        (lambda text: text.replace("rec.dat", "gone.dat", 1), SkipReason.NO_SIGNAL_FILE),
        (lambda text: text.replace("rec.dat", "n" * 300), SkipReason.BAD_HEADER),
        (lambda text: text.replace("rec.dat", "../rec.dat"), SkipReason.OUTSIDE_FOLDER),
        (lambda text: text.replace("rec.dat", "/etc/passwd"), SkipReason.OUTSIDE_FOLDER),
        (lambda text: text.replace("rec.dat", ".."), SkipReason.OUTSIDE_FOLDER),
        (lambda text: text.replace("rec.dat", "-"), SkipReason.OUTSIDE_FOLDER),
        (lambda text: text.replace("rec.dat", "a\\b"), SkipReason.OUTSIDE_FOLDER),
        (lambda text: text.replace("rec.dat", "rec.dat\0"), SkipReason.OUTSIDE_FOLDER),
        (lambda text: text.replace("rec.dat", "http://h/rec.dat"), SkipReason.OUTSIDE_FOLDER),
        (lambda text: text.replace("rec.dat", "rec.hea\nrec.dat", 1), SkipReason.BAD_HEADER),
    ],
)
def test_a_bad_header_has_its_reason(
    tmp_path: Path, change: Callable[[str], str], reason: SkipReason
) -> None:
    changed = change(header_of())
    assert skipped(write(tmp_path, changed, samples_of())).reason is reason


def test_no_known_lead(tmp_path: Path) -> None:
    names = tuple(f"EEG{index}" for index in range(12))
    result = skipped(write(tmp_path, header_of(names), samples_of()))
    assert result.reason is SkipReason.NO_KNOWN_LEAD
    assert "EEG0" in result.detail


def test_a_missing_and_a_truncated_signal_file(tmp_path: Path) -> None:
    path = write(tmp_path, header_of())
    assert skipped(path).reason is SkipReason.NO_SIGNAL_FILE
    for content in (b"", b"\0", samples_of()[:-1]):
        (tmp_path / "rec.dat").write_bytes(content)
        assert skipped(path).reason is SkipReason.TRUNCATED


def test_a_record_that_is_gone_has_vanished(tmp_path: Path) -> None:
    assert skipped(tmp_path / "rec.hea").reason is SkipReason.VANISHED


def test_other_files_are_not_supported(tmp_path: Path) -> None:
    (tmp_path / "rec.dat").write_bytes(samples_of())
    assert skipped(tmp_path / "rec.dat").reason is SkipReason.UNSUPPORTED


def test_a_name_that_cannot_be_a_file(tmp_path: Path) -> None:
    assert read_recording(tmp_path / "a\0b.hea") == SkippedRecording(
        tmp_path / "a\0b.hea", SkipReason.NOT_A_FILE, "the name cannot be a file's"
    )
    assert skipped(tmp_path / f"{'n' * 300}.hea").reason is SkipReason.READ_ERROR


@pytest.mark.parametrize("name", ["rec.hea", "rec.dat"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "socket"])
def test_only_regular_files_are_opened(
    tmp_path: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, header_of(), samples_of())
    path = tmp_path / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        monkeypatch.chdir(tmp_path)  # a socket's path has to be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    start = time.monotonic()
    assert skipped(tmp_path / "rec.hea").reason is SkipReason.NOT_A_FILE
    assert time.monotonic() - start < 5


def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    write(outside, header_of(), samples_of())
    path = write(root, header_of())
    (root / "rec.dat").symlink_to(outside / "rec.dat")
    assert skipped(path).reason is SkipReason.OUTSIDE_FOLDER
    assert isinstance(read_recording(path, tmp_path), Recording)
    (root / "link").symlink_to(outside)
    assert skipped(root / "link" / "rec.hea", root).reason is SkipReason.OUTSIDE_FOLDER
    (root / "rec.dat").unlink()
    (root / "samples").write_bytes(samples_of())
    (root / "rec.dat").symlink_to("samples")
    assert isinstance(read_recording(path), Recording)
    (root / "rec.dat").unlink()
    (root / "rec.dat").symlink_to("rec.dat")
    assert skipped(path).reason is SkipReason.NOT_A_FILE


def test_a_folder_replaced_by_a_link_is_not_trusted_again(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "day").mkdir(parents=True)
    outside.mkdir()
    write(outside, header_of(), samples_of())
    path = write(root / "day", header_of(), samples_of())
    assert isinstance(read_recording(path, root), Recording)
    (root / "day").rename(root / "night")
    (root / "day").symlink_to(outside)
    assert skipped(path, root).reason is SkipReason.OUTSIDE_FOLDER


def test_the_folder_given_may_be_a_link_that_moves(tmp_path: Path) -> None:
    for name in ("monday", "tuesday"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, header_of(), samples_of())
    today = tmp_path / "today"
    for name in ("monday", "tuesday"):
        today.unlink(missing_ok=True)
        today.symlink_to(name)
        assert isinstance(read_recording(today / "rec.hea", today), Recording)


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "sub").mkdir(parents=True)
        write(tmp_path / name / "sub", header_of(), samples_of())
        monkeypatch.chdir(tmp_path / name)
        assert isinstance(read_recording(Path("sub/rec.hea"), Path()), Recording)
        assert isinstance(read_recording(Path("sub/rec.hea")), Recording)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("name", ["rec.hea", "rec.dat"])
def test_a_file_without_permission(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, header_of(), samples_of())
    (tmp_path / name).chmod(0)
    assert skipped(path).reason is SkipReason.NO_PERMISSION


def test_what_the_system_says_becomes_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, header_of(), samples_of())
    for error, reason in (
        (PermissionError(13, "x"), SkipReason.NO_PERMISSION),
        (OSError(5, "x"), SkipReason.READ_ERROR),
        (MemoryError(), SkipReason.TOO_LARGE),
    ):

        def fail(*_: object, error: BaseException = error) -> bytes:
            raise error

        monkeypatch.setattr(os, "pread", fail)
        assert skipped(path).reason is reason


def test_invalid_samples_take_the_lead_out(tmp_path: Path) -> None:
    samples = np.frombuffer(samples_of(), "<i2").reshape(-1, 12).copy()
    samples[500, 3] = -32768
    recording = read_recording(write(tmp_path, header_of(), samples.tobytes()))
    assert isinstance(recording, Recording)
    quality = assess_quality(recording)
    assert quality.summary == "usable: aVR non-finite"
    samples[:] = -32768
    recording = read_recording(write(tmp_path, header_of(), samples.tobytes()))
    assert isinstance(recording, Recording)
    quality = assess_quality(recording)
    assert quality.reason is SkipReason.NO_USABLE_LEAD
    assert quality.detail == "12 leads non-finite"


def test_all_zero_and_too_short(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, header_of(), bytes(24 * N_SAMPLES)))
    assert isinstance(recording, Recording)
    quality = assess_quality(recording)
    assert (quality.grade, quality.reason) == (Grade.UNUSABLE, SkipReason.NO_USABLE_LEAD)
    recording = read_recording(write(tmp_path, header_of(n=200), samples_of(n=200)))
    assert isinstance(recording, Recording)
    quality = assess_quality(recording)
    assert (quality.grade, quality.reason) == (Grade.UNUSABLE, SkipReason.TOO_SHORT)
    assert quality.detail == "2 s, expected at least 5 s"


def test_three_known_leads_are_enough(tmp_path: Path) -> None:
    leads = ("II", "V1", "V5")
    recording = read_recording(write(tmp_path, header_of(leads), samples_of(3)))
    assert isinstance(recording, Recording)
    quality = assess_quality(recording)
    assert quality.grade is Grade.USABLE
    assert [LEADS[index] for index in np.flatnonzero(quality.usable)] == list(leads)
    prepared = preprocess(recording, quality.usable, PreprocessConfig())
    assert prepared.lead_mask.sum() == 3


def test_details_do_not_repeat_what_a_file_says_at_length(tmp_path: Path) -> None:
    name = "Mr\x1b[31m\xe9" + "x" * 200
    result = skipped(write(tmp_path, header_of((name,)), samples_of(1)))
    assert result.reason is SkipReason.NO_KNOWN_LEAD
    assert result.detail.isascii()
    assert "x" * 30 not in result.detail


FRAGMENTS = [b"\0", b"\xff", b" ", b"\n", b"/", b"(", b")", b"+", b":", b"x", b"-", b"#", b"."]
FRAGMENTS += [
    b"9" * 20,
    b"1e400",
    b"nan",
    b"../",
    b"~",
    b"0",
    b"rec/2",
    b"212",
    b"524",
    b"8",
    b"\t",
]


def mutated(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(changed) + 1)
        length = rng.choice([0, 0, 1, 2, 10, 50])
        changed[start : start + length] = rng.choice([*FRAGMENTS, rng.randbytes(3), b""])
    return bytes(changed)


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_mutations_of_a_record_never_raise(tmp_path: Path, fmt: str) -> None:
    rng = random.Random(20)
    header = header_of(("I", "II", "V1"), n=200).replace("dat 16", f"dat {fmt}").encode()
    content = samples_of(3, 200)
    outcomes = set()
    for _ in range(150):
        path = write(tmp_path, mutated(header, rng), content)
        if rng.random() < 0.3:
            (tmp_path / "rec.dat").write_bytes(mutated(content, rng)[: rng.randint(0, 1200)])
        result = read_recording(path)
        if isinstance(result, Recording):
            outcomes.add("read")
            assert result.signal.dtype == np.float32
            assert result.signal.shape[0] == len(result.lead_names)
            assert set(result.lead_names) <= set(LEADS)
            assert assess_quality(result).usable.shape == (12,)
        else:
            outcomes.add(result.reason)
            assert "Jane" not in result.detail
    assert "read" in outcomes
    assert len(outcomes) > 5


@pytest.mark.parametrize("size", [1e20, 1e38])
def test_numbers_that_no_signal_has_take_the_lead_out(size: float) -> None:
    times = np.arange(N_SAMPLES, dtype=np.float32) / 100
    signal = np.tile(np.sin(7 * times), (12, 1)).astype(np.float32)
    signal[0, 300:310] = size
    _, quality = assess(Recording(Path("a"), signal, 100.0, LEADS))
    assert quality.usable.tolist() == [False] + [True] * 11
    signal[:] = size * np.sign(signal)
    _, quality = assess(Recording(Path("a"), signal, 100.0, LEADS, amplitude_known=False))
    assert not quality.usable.any()
