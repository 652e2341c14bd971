"""2,000 inputs of the fuzz campaign, and that a campaign sees what goes wrong."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fuzz import main, shares
from bench.fuzz_kinds import TARGETS
from bench.fuzz_supervisor import Supervisor
from bench.fuzz_target import Target
from bench.fuzz_worker import CASE, write_case

N_INPUTS = 2000
SEED = 2026
ROOT = Path(__file__).parents[2]
ROGUES = "tests.bench.rogue_inputs"


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """One process for all kinds, as in a campaign: what an input leaves behind meets the next."""
    with Supervisor(tmp_path_factory.mktemp("fuzz")) as one:
        yield one


@pytest.mark.parametrize("kind", [target.kind for target in TARGETS])
def test_every_input_is_accepted_or_refused_with_a_sentence(
    supervisor: Supervisor, kind: str
) -> None:
    count = shares(TARGETS, N_INPUTS)[kind]
    outcomes = list(supervisor.run(kind, SEED, 0, count))
    assert [outcome.index for outcome in outcomes] == list(range(count))
    assert [outcome for outcome in outcomes if outcome.verdict == "failed"] == []
    assert any(outcome.verdict == "refused" for outcome in outcomes)


def test_there_are_2000_of_them() -> None:
    assert sum(shares(TARGETS, N_INPUTS).values()) == pytest.approx(N_INPUTS, abs=20)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
def test_the_same_seed_gives_the_same_input(target: Target, tmp_path: Path) -> None:
    written = [files(write_case(target, 1, index, tmp_path)) for index in (0, 1, 2, 0, 1, 2)]
    assert written[:3] == written[3:]
    assert any(written[0] != other for other in written[1:3])
    assert all(written)


DIGEST = """
import hashlib, sys
from pathlib import Path
from bench.fuzz_kinds import TARGETS
from bench.fuzz_worker import write_case

digest = hashlib.sha256()
for target in TARGETS:
    for index in range(3):
        for path in sorted(write_case(target, 4, index, Path(sys.argv[1])).iterdir()):
            if path.is_file() and not path.is_symlink():
                digest.update(path.read_bytes())
print(digest.hexdigest())
"""


def test_another_process_writes_the_same_inputs(tmp_path: Path) -> None:
    digest = hashlib.sha256()
    for target in TARGETS:
        for index in range(3):
            for _, content in sorted(files(write_case(target, 4, index, tmp_path)).items()):
                digest.update(content)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    assert done.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("raises", "ZeroDivisionError"),
        ("dies", "the process died of SIGSEGV"),
        ("exits", "the process died of code 3"),
        ("reads-bait", "reached for the file "),
        ("reads-link", "reached for the file "),
        ("reads-passwd", "reached for the file /etc/passwd"),
        ("starts", "reached for the program "),
        ("connects", "reached for a socket of family"),
        ("unpickles", "reached for pickle.find_class"),
        ("warns", "RuntimeWarning"),
        ("tells-a-person", "a person's name"),
    ],
)
def test_what_goes_wrong_is_seen(tmp_path: Path, kind: str, words: str) -> None:
    with Supervisor(tmp_path, ROGUES) as rogues:
        first, second = rogues.run(kind, 1, 0, 2)
        assert (first.verdict, first.index) == ("failed", 0)
        assert words in first.why
        assert second.index == 1
        assert [outcome.verdict for outcome in rogues.run("good", 1, 0, 3)] == ["accepted"] * 3


@pytest.mark.parametrize(
    ("kind", "limit", "words"),
    [
        ("waits", "CLOCK_LIMIT_S", "a hang: ended after "),
        ("computes", "PROCESSOR_LIMIT_S", "a hang: ended after "),
        ("allocates", "MEMORY_LIMIT_MB", " MB of memory"),
    ],
)
def test_what_takes_too_much_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, limit: str, words: str
) -> None:
    monkeypatch.setattr(f"bench.fuzz_supervisor.{limit}", 100.0 if "MB" in limit else 0.5)
    with Supervisor(tmp_path, ROGUES) as rogues:
        (outcome,) = rogues.run(kind, 1, 0, 1)
        assert outcome.verdict == "failed"
        assert words in outcome.why


def test_a_campaign_ends_with_its_table_and_keeps_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, failures = tmp_path / "state.json", tmp_path / "failures"
    options = ["--table", ROGUES, "--state", str(state), "--failures", str(failures)]
    main([*options, "--only", "good", "--inputs", "5"])
    main([*options, "--only", "good", "--inputs", "12"])
    assert "| all | 12 | 12 | 0 | 0 |" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["--table", ROGUES, "--failures", str(failures), "--only", "raises", "--inputs", "1"])
    assert end.value.code == 1
    printed = capsys.readouterr().out
    assert "FAILED" in printed
    assert "| all | 1 | 0 | 0 | 1 |" in printed
    kept = failures / "raises-1-0"
    assert (kept / "input file").read_bytes() == b"content"
    assert "--only raises --seed 1 --index 0" in (kept / "why.txt").read_text()
    with pytest.raises(SystemExit):
        main([*options, "--only", "raises", "--index", "0"])
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert CASE not in {path.name for path in tmp_path.iterdir()}


def test_a_campaign_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.fuzz", "--table", ROGUES, "--only", "waits"]
    memory = Path("/dev/shm")
    before = set(memory.glob("fuzz-*"))
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}) as ended:
        while not any(
            (folder / CASE).exists()
            for folder in (*memory.glob("fuzz-*"), *tmp_path.iterdir())
            if folder not in before
        ):
            assert ended.poll() is None
            time.sleep(0.05)
        ended.terminate()
        assert ended.wait(20) == 143
    assert list(tmp_path.iterdir()) == []
    assert {
        folder for folder in memory.glob("fuzz-*") if (folder / CASE / "link").is_symlink()
    } <= before
