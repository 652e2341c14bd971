"""A folder with a healthy recording, to which a test adds what was made to do harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate, write_wfdb
from tests.ecgscreen.hostile.confined import ConfinedScans, Outcome

HEALTHY = "healthy.hea"
MOST_BYTES = 400 << 20
MOST_CPU_S = 15.0

Rows = dict[str, dict[str, str]]


def write_healthy(folder: Path, name: str = "healthy") -> Path:
    """Twelve leads of 10 s, the same under every name."""
    folder.mkdir(parents=True, exist_ok=True)
    recording = simulate(SimulationSettings(Rhythm.SINUS, seed=4)).recording
    return write_wfdb(recording, folder, name)


@pytest.fixture(scope="session")
def confined() -> Iterator[ConfinedScans]:
    scans = ConfinedScans()
    yield scans
    scans.close()


@pytest.fixture(scope="session")
def healthy_row(
    confined: ConfinedScans, bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What the healthy recording gets when it is alone."""
    folder = tmp_path_factory.mktemp("alone")
    write_healthy(folder / "records")
    outcome = confined.scan(bundle_dir, folder / "records", folder / "out")
    assert (outcome.exit_code, outcome.sentence) == (ExitCode.OK, "")
    row = outcome.rows[HEALTHY]
    assert row["status"] == "scored"
    return row


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Below two folders more, so that ``../..`` leads somewhere."""
    write_healthy(tmp_path / "hospital" / "ward" / "records")
    return tmp_path / "hospital" / "ward" / "records"


@pytest.fixture
def bad_rows(
    confined: ConfinedScans, bundle_dir: Path, healthy_row: dict[str, str], tmp_path: Path
) -> Callable[[Path], Rows]:
    """Scans a folder, and gives the rows of all that is not the healthy recording.

    Holds that this one has the scores that it has alone, that every other has a reason, that
    nothing was opened outside, and that memory and time stayed small.
    """

    def scan(folder: Path) -> Rows:
        outcome: Outcome = confined.scan(bundle_dir, folder, tmp_path / "out")
        assert outcome.sentence == ""
        assert outcome.rows.pop(HEALTHY) == healthy_row
        for row in outcome.rows.values():
            assert row["status"] in {"error", "unusable"}, row
            assert row["reason"]
        assert outcome.exit_code == (ExitCode.SOME_NOT_SCORED if outcome.rows else ExitCode.OK)
        assert outcome.outside == ()
        assert outcome.peak_bytes < MOST_BYTES
        assert outcome.cpu_s < MOST_CPU_S
        return outcome.rows

    return scan
