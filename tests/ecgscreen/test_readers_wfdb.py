"""Our WFDB reader against the wfdb package, on real records and on generated headers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from tests.ecgscreen.wfdb_written import assert_equals_wfdb, read, write

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pandas, about what the package does when imported
    import wfdb

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in:DeprecationWarning")


@pytest.mark.parametrize(
    ("folder", "n_records"),
    [("ptb-xl", 12), ("ptb-xl-zscored", 8), ("ludb", 6), ("cinc2021", 6), ("mitdb", 1)],
)
def test_real_records_equal_wfdb(data_dir: Path, folder: str, n_records: int) -> None:
    paths = sorted((data_dir / folder).rglob("*.hea"))
    for path in paths[:: max(1, len(paths) // n_records)][:n_records]:
        assert_equals_wfdb(path)


def test_amplitude_is_known_where_the_unit_is_a_voltage(data_dir: Path) -> None:
    raw = read(next((data_dir / "ptb-xl").rglob("*.hea")))
    scored = read(next((data_dir / "ptb-xl-zscored").rglob("*.hea")))
    assert raw.amplitude_known
    assert raw.notes == ()
    assert not scored.amplitude_known
    assert scored.notes == ("unit NU is no voltage: amplitude unknown",)


@dataclass(frozen=True)
class Generated:
    """A record as text and samples, before it is written."""

    header: str
    files: tuple[tuple[str, bytes], ...]


@st.composite
def records(draw: st.DrawFn) -> Generated:
    """Format 16 in one or more files, with everything a header may say or leave out."""
    n_signals = draw(st.integers(1, 12))
    n_samples = draw(st.integers(1, 40))
    cuts = sorted(draw(st.sets(st.integers(1, n_signals), max_size=2)) | {n_signals})
    skew = draw(st.sampled_from([0, 0, 1, 3, 100]))
    has_length = draw(st.booleans()) or len(cuts) > 1
    separator = draw(st.sampled_from([" ", "  ", "\t"]))
    lines = [draw(record_lines(n_signals, n_samples if has_length else None))]
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    values = np.concatenate([rng.integers(-32768, 32768, 60), [-32768, -32767, 0, 32767]])
    files = []
    start = 0
    for number, stop in enumerate(cuts):
        name = f"a{number}.{draw(st.sampled_from(['dat', 'bin']))}"
        offset = draw(st.sampled_from([0, 0, 7, 24]))
        samples = rng.choice(values, (n_samples, stop - start)).astype("<i2")
        surplus = draw(st.sampled_from([b"", b"\x01", b"\x01\x02" * 30])) if has_length else b""
        files.append((name, b"\xff" * offset + samples.tobytes() + surplus))
        for index in range(start, stop):
            form = "16" + draw(st.sampled_from(["", "x1"]))
            form += f":{skew}" if skew and draw(st.booleans()) else ""
            form += f"+{offset}" if offset else ""
            lines.append(separator.join([name, form, *draw(signal_fields(LEADS[index]))]))
        start = stop
    comments = st.sampled_from(["", "# a comment", "#Dx: 1,2", "   ", "#\x85\xb5 Latin-1"])
    text = "".join(
        f"{draw(comments)}{end}{line}{end}" if draw(st.booleans()) else line + end
        for end in [draw(st.sampled_from(["\n", "\r\n"]))]
        for line in lines
    )
    return Generated(text, tuple(files))


@st.composite
def record_lines(draw: st.DrawFn, n_signals: int, n_samples: int | None) -> str:
    rate = draw(st.sampled_from(["100", "500", "257.5", "360/360", "360/720(5)", "1000/1(-2.5)"]))
    if n_samples is None:
        return f"a {n_signals}" if draw(st.booleans()) else f"a {n_signals} {rate}"
    tail = draw(st.sampled_from(["", " 12:30:00", " 0:0:0 01/02/2003"]))
    return f"a {n_signals} {rate} {n_samples}{tail}"


@st.composite
def signal_fields(draw: st.DrawFn, lead: str) -> list[str]:
    """From the gain on; a field may be missing only if all after it but the name are."""
    gain = draw(
        st.sampled_from(["200", "1000.0", "-1000", "2.5e2", "0.001", "409.6", "1716", "16777217"])
        | st.floats(0.01, 1e6).map(lambda value: f"{value:.6f}")
    )
    baseline = draw(st.none() | st.integers(-40000, 40000))
    unit = draw(st.sampled_from(["", "/mV", "/uV", "/V", "/mv", "/UV", "/NU"]))
    token = gain + ("" if baseline is None else f"({baseline})") + unit
    rest = ["16", str(draw(st.integers(-2048, 2048))), "-5", "64758", "0"]
    n_kept = draw(st.integers(0, len(rest)))
    return [token, *rest[:n_kept], draw(st.sampled_from([lead, lead.upper(), lead.lower()]))]


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(record=records())
def test_generated_records_equal_wfdb(tmp_path: Path, record: Generated) -> None:
    for name, content in record.files:
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "a.hea"
    path.write_bytes(record.header.encode("latin-1"))
    assert_equals_wfdb(path)


@pytest.mark.parametrize("fmt", ["8", "24", "32", "61", "80", "160", "212", "310", "311"])
def test_other_formats_equal_wfdb(tmp_path: Path, fmt: str) -> None:
    n_bytes = 4 * 3 * 1200  # enough for any format
    content = np.random.default_rng(0).integers(0, 256, n_bytes, np.uint8).tobytes()
    lines = "".join(
        f"a.dat {fmt} {gain} 12 0 {5 * index} 0 0 {LEADS[index]}\n"
        for index, gain in enumerate(["200(3)/mV", "0.5(-7)/uV", "100/NU"])
    )
    path = write(tmp_path, f"a 3 250 1200\n{lines}", a_dat=content)
    assert_equals_wfdb(path)
    (tmp_path / "a.dat").write_bytes(content[:1000])
    skipped = read_recording(path)
    assert isinstance(skipped, SkippedRecording)
    assert skipped.reason is SkipReason.TRUNCATED


@pytest.mark.parametrize("fmt", ["508", "516", "524"])
def test_compressed_formats_equal_wfdb(tmp_path: Path, fmt: str) -> None:
    rng = np.random.default_rng(1)
    wfdb.wrsamp(
        "a",
        fs=250,
        units=["mV"] * 2,
        sig_name=["II", "V1"],
        d_signal=rng.integers(-120, 120, (2000, 2)),
        fmt=[fmt] * 2,
        adc_gain=[200.0] * 2,
        baseline=[0, 5],
        write_dir=str(tmp_path),
    )
    assert_equals_wfdb(tmp_path / "a.hea")


def test_several_samples_a_frame_become_their_mean_as_in_wfdb(tmp_path: Path) -> None:
    samples = np.random.default_rng(2).integers(-500, 500, 3000, np.int16)
    header = "a 2 100 1000\na.dat 16x2 200/mV 16 0 0 0 0 II\na.dat 16 200/mV 16 0 0 0 0 V1\n"
    path = write(tmp_path, header, a_dat=samples)
    assert_equals_wfdb(path)
    assert read(path).signal.shape == (2, 1000)


def test_signals_of_one_file_with_different_skews_are_aligned(tmp_path: Path) -> None:
    # The wfdb package (4.3.1) fails on skews that differ and are not 0: no comparison here.
    samples = np.arange(30, dtype=np.int16).reshape(10, 3)
    lines = [f"a.dat 16:{skew} 1/mV 16 0 0 0 0 {lead}" for skew, lead in ((0, "I"), (2, "II"))]
    header = "\n".join(["a 3 100 10", *lines, "a.dat 16:4 1/mV 16 0 0 0 0 III"])
    signal = read(write(tmp_path, header, a_dat=samples)).signal
    assert signal[0].tolist() == list(range(0, 30, 3))
    assert signal[1, :8].tolist() == list(range(7, 30, 3))
    assert np.isnan(signal[1, 8:]).all()
    assert signal[2, :6].tolist() == list(range(14, 30, 3))
    assert np.isnan(signal[2, 6:]).all()


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("uV", 1e-3),
        ("UV", 1e-3),
        ("\xb5V", 1e-3),
        ("\xc2\xb5V", 1e-3),
        ("\xce\xbcV", 1e-3),
        ("mV", 1.0),
        ("MV", 1.0),
        ("V", 1e3),
        ("millivolts", 1.0),
    ],
)
def test_voltages_become_millivolts(tmp_path: Path, unit: str, factor: float) -> None:
    samples = np.arange(-500, 500, dtype=np.int16)
    path = write(tmp_path, f"a 1 100 1000\na.dat 16 3/{unit} 16 0 0 0 0 II\n", a_dat=samples)
    recording = read(path)
    assert recording.amplitude_known
    assert np.array_equal(recording.signal[0], (samples / 3.0 * factor).astype(np.float32))


@pytest.mark.parametrize("unit", ["NU", "mmHg", "m", "a.u."])
def test_other_units_are_read_with_a_note(tmp_path: Path, unit: str) -> None:
    samples = np.arange(1000, dtype=np.int16)
    path = write(tmp_path, f"a 1 100 1000\na.dat 16 2/{unit} 16 0 0 0 0 II\n", a_dat=samples)
    recording = read(path)
    assert not recording.amplitude_known
    assert recording.notes == (f"unit {unit} is no voltage: amplitude unknown",)
    assert np.array_equal(recording.signal[0], samples / np.float32(2))


def test_unknown_and_repeated_leads_are_left_out_with_a_note(tmp_path: Path) -> None:
    names = ["RESP", "II", "-aVR", "V5", "MLII"]
    lines = "".join(f"a.dat 16 1/mV 16 0 0 0 0 {name}\n" for name in names)
    samples = np.arange(50, dtype=np.int16).reshape(10, 5)
    recording = read(write(tmp_path, "a 5 100 10\n" + lines, a_dat=samples))
    assert recording.lead_names == ("II", "aVR", "V5")
    assert np.array_equal(recording.signal, [samples.T[1], -samples.T[2], samples.T[3]])
    assert recording.notes == (
        "signals left out, no known lead: RESP",
        "leads left out, name occurs before: MLII",
        "turned upright, the file has them inverted: aVR",
    )


def test_an_inverted_lead_gives_way_to_the_upright_one(tmp_path: Path) -> None:
    lines = "".join(f"a.dat 16 1/mV 16 0 0 0 0 {name}\n" for name in ("-aVR", "aVR"))
    samples = np.arange(20, dtype=np.int16).reshape(10, 2)
    recording = read(write(tmp_path, "a 2 100 10\n" + lines, a_dat=samples))
    assert recording.lead_names == ("aVR",)
    assert np.array_equal(recording.signal, samples.T[[1]])
    assert recording.notes == ("signals left out, no known lead: -aVR",)


def test_what_the_header_leaves_out_has_the_defaults_of_the_standard(tmp_path: Path) -> None:
    samples = np.arange(1000, dtype=np.int16)
    header = "\n# before\n\ta 1 \r\n\r\na.dat 16\n"
    without_name = read_recording(write(tmp_path, header, a_dat=samples))
    assert isinstance(without_name, SkippedRecording)
    assert without_name.reason is SkipReason.NO_KNOWN_LEAD
    recording = read(write(tmp_path, header.replace("16", "16 200 0 24 II"), a_dat=samples))
    assert recording.sampling_rate == 250
    assert recording.signal.shape == (1, 1000)
    assert recording.signal[0, 424] == np.float32(2.0)


def test_a_record_of_the_current_folder_is_read_by_its_bare_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a 1 100\na.dat 16 200 16 0 0 0 0 II\n", a_dat=np.arange(600, dtype=np.int16))
    for folder in (tmp_path, tmp_path / "other"):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        assert isinstance(read_recording(Path("a.hea")), Recording) == (folder == tmp_path)


@pytest.mark.parametrize("line", ["a", "/2 1 100", "a/ 1 100", "a/2/2 1 100", "a 1/2 100", "a b 1"])
def test_a_record_line_of_another_form_is_refused(tmp_path: Path, line: str) -> None:
    for _ in range(2):
        refused = read_recording(write(tmp_path, f"{line}\na.dat 16 200 II\n"))
        assert isinstance(refused, SkippedRecording)
        assert refused.detail == "the record line is not 'name signals rate samples'"


def test_matlab_files_are_checked_behind_the_offset(tmp_path: Path) -> None:
    samples = np.arange(600, dtype=np.int16)
    header = "a 1 100 600\na.mat 16+24 1000/mV 16 0 0 0 0 II\n"
    good = np.array([30, 1, 600, 0, 4], "<i4").tobytes() + b"val\0" + samples.tobytes()
    assert_equals_wfdb(write(tmp_path, header, a_mat=good))
    version_5 = b"MATLAB 5.0 MAT-file, Platform: x" + samples.tobytes()
    refused = read_recording(write(tmp_path, header, a_mat=version_5))
    assert isinstance(refused, SkippedRecording)
    assert refused.reason is SkipReason.UNSUPPORTED


def test_a_recording_longer_than_a_block_is_converted_alike(tmp_path: Path) -> None:
    samples = np.random.default_rng(3).integers(-32768, 32767, (70_001, 2), np.int16)
    header = (
        "a 2 100 70001\na.dat 16:5 1000(3)/mV 16 0 0 0 0 I\na.dat 16 300(-2)/uV 16 0 0 0 0 V6\n"
    )
    assert_equals_wfdb(write(tmp_path, header, a_dat=samples))
