"""The commands of every page in docs/, run one after the other where they can run here.

What a page supposes to be there (recordings, tables, last week's screening) is made small
beforehand, of simulated recordings. Absolute paths are taken below the test's own folder.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecgscreen.simulate import Rhythm, SimulationSettings, simulate, write_wfdb
from tests.command_line import Run
from tests.labelled_sets import write_cinc, write_ludb, write_mitbih, write_ptbxl, write_table
from tests.test_docs import README, ROOT, blocks, help_of, paths_of_commands, shell_lines
from tests.tiny_bundle import VALIDATION_FOLD
from trainer import check_sets

NOT_HERE = {
    "ecgscreen compile --engine tensorrt": (
        "an NVIDIA device",
        "engines/test_tensorrt.py",
    ),
    "ecgscreen scan /archive --labels rhythm.txt --out /archive-screening --cluster tcp:": (
        "a cluster at an address",
        "ecgscreen/test_cluster.py",
    ),
    "ecgscreen scan s3:": ("a bucket", "ecgscreen/test_objects_s3.py"),
    "torchrun": ("processes beside this one", "trainer/test_distributed.py"),
    "python -m bench.paper_tables": ("hours of training", "trainer/test_paper_tables.py"),
    "python -m bench.feature_loss": ("hours of training", "bench/test_feature_loss.py"),
    "python -m bench.unseen": ("hours of training", "bench/test_unseen.py"),
    "python -m bench.report_text": ("hours of training", "bench/test_report_text.py"),
    "pip install": ("a network", "test_wheel.py"),
    "dask": ("a cluster's machines", "ecgscreen/test_cluster.py"),
    "useradd": ("an administrator", "test_nightly.py"),
    "systemd-analyze": ("the unit files in their place", "test_nightly.py"),
    "systemctl": ("an administrator", "test_nightly.py"),
}
"""How lines begin that need what is not here: what that is, and the test that comes nearest."""

ADDED = {
    "ecgscreen train ": "--epochs 1 --device cpu --base last-year --text-encoder language-model",
    "ecgscreen train --table ": "--accept",
}
"""How lines begin that take long, or end as chance has it -> options that change that."""

PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def not_here(line: str) -> list[str]:
    """The beginnings under which a line is listed as not run here."""
    return [begin for begin in NOT_HERE if line.startswith(begin)]


@dataclass(frozen=True)
class Site:
    """The folder in which a page's commands run: the working one."""

    command: Run
    fixture: Callable[[str], Path]

    def run(self, line: str) -> None:
        """Run a line as a page has it, and hold it to the exit code that stands behind it."""
        said = re.search(r"# ends with (\d+)", line)
        added = [options for begin, options in ADDED.items() if line.startswith(begin)]
        words = shlex.split(" ".join([line.partition(" #")[0], *added]))
        words = [word.removeprefix("/") for word in words]
        if words[0] == "cp":
            shutil.copy(*words[1:])
            return
        assert words[0] == "ecgscreen", f"{line!r} is neither run nor listed in NOT_HERE"
        if words[1] == "train":
            # A page trains into one folder in several ways.
            shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
        outcome = self.command(*words[1:])
        assert outcome.code == (int(said[1]) if said else 0), (line, outcome.said)


def records(folder: str) -> None:
    """Recordings of the wards that the pages name, and of none."""
    heart = simulate(SimulationSettings(Rhythm.ATRIAL_FIBRILLATION, sampling_rate=100.0))
    for name in ("00001", "ward-3/p0815", "ward-3/p0815/00001", "ward-3/p0817", "ward-4/p0816"):
        place = Path(folder, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_wfdb(heart.recording, place.parent, place.name)


def before_calibration(site: Site) -> None:
    write_table(Path("site.csv"), Path("site"), count=64, seed=1)
    write_table(Path("others.csv"), Path("others"), count=24, seed=2)
    write_ptbxl(Path("ours"), folds=(9,), count=168, seed=3)
    records("records")
    (mine,) = (block for block in blocks(README, "") if block.startswith("# what we look for"))
    Path("mine.txt").write_text(mine, encoding="utf-8")


def before_verifying(site: Site) -> None:
    write_ptbxl(Path("ptb-xl"), folds=(9,), count=24, seed=1)


def before_measuring(site: Site) -> None:
    write_ptbxl(Path("ptb-xl"), folds=(9,), count=48, seed=1)
    write_mitbih(Path("mitdb"))
    write_ludb(Path("ludb"))
    write_cinc(Path("georgia"))
    write_table(Path("site.csv"), Path("site"), count=24, seed=2)


def before_the_night(site: Site) -> None:
    records("srv/ecg/records")
    Path("var/lib/ecgscreen").mkdir(parents=True)
    records("records")
    for ward, out in (("ward-3", "ward-a"), ("ward-4", "ward-b")):
        site.run(f"ecgscreen scan ./records/{ward} --labels rhythm.txt --out ./{out}")


def before_comparing(site: Site) -> None:
    records("records")
    site.run("ecgscreen scan ./records --labels rhythm.txt --out ./last-week")
    shutil.copy("last-week/report.h5", "monday.h5")
    shutil.copytree("last-week", "screening")
    Path("records/00001.dat").unlink()
    site.run("ecgscreen scan ./records --labels rhythm.txt --out ./screening  # ends with 3")
    patients = "path,patient_id\n00001.hea,a\nward-4/p0816.hea,a\n"
    Path("patients.csv").write_text(patients, encoding="utf-8")


def before_sharing(site: Site) -> None:
    """The jobs of the array, fewer of them, each as the page has it."""
    records("records")
    records("archive")
    Path("parts").mkdir()
    (job,) = re.findall(r"^ecgscreen .*", "".join(blocks(text_of("scaling.md"), "text")), re.M)
    for number in ("1", "2", "3"):
        site.run(job.replace("$SLURM_ARRAY_TASK_ID", number).replace("/64", "/3"))


def before_training(site: Site) -> None:
    folds = (*range(1, 9), VALIDATION_FOLD)
    write_ptbxl(Path("ptb-xl"), folds, count=144, seed=1)
    write_table(Path("site.csv"), Path("site"), count=72, seed=2)
    shutil.copytree(site.fixture("bundle_dir"), "last-year")
    shutil.copytree(site.fixture("language_model"), "language-model")


BEFORE: dict[str, Callable[[Site], None]] = {
    "calibration.md": before_calibration,
    "engines.md": before_verifying,
    "evaluation.md": before_measuring,
    "nightly.md": before_the_night,
    "reports.md": before_comparing,
    "scaling.md": before_sharing,
    "training.md": before_training,
}
"""What makes that there is what a page supposes, where it does not make all of it itself."""

AFTER = {
    "calibration.md": ("site.json", "figures.json", "screening/report.html"),
    "evaluation.md": ("superclass.json", "curves/roc.svg"),
    "nightly.md": ("german/report.html", "study/report.csv", "both/report.html"),
    "quickstart.md": ("strip.svg", "strip.png", "changes.html", "study/report.html"),
    "reports.md": ("changes.csv",),
    "scaling.md": ("screening/report.html", "archive-screening/report.html"),
    "training.md": (
        "my-bundle/train.json",
        "our-bundle/comparison.json",
        "practice-screening/report.html",
    ),
}
"""Files that the commands of a page leave."""

SAYS = (
    ("quickstart.md", "screening/report.csv", "tuesday/", True),
    ("quickstart.md", "study/report.csv", "tuesday/", False),
    ("nightly.md", "german/report.html", 'lang="de"', True),
    ("nightly.md", "study/report.csv", "ward-4/", False),
    ("nightly.md", "both/report.csv", "ward-4/", True),
    ("scaling.md", "archive-screening/report.csv", "ward-4/", True),
    ("training.md", "practice-screening/run.json", "practice.json", True),
)
"""Page, file, text -> whether the text is in it."""


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_says(
    page: str,
    run: Run,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check_sets, "N_SIMULATED", 48)
    site = Site(run, request.getfixturevalue)
    if page in BEFORE:
        BEFORE[page](site)
    for line in shell_lines(text_of(page)):
        if not not_here(line):
            site.run(line)
    for name in AFTER.get(page, ()):
        assert (tmp_path / name).is_file(), name
    for _page, name, text, there in (said for said in SAYS if said[0] == page):
        assert (text in (tmp_path / name).read_text(encoding="utf-8")) == there, (name, text)


def test_what_is_not_run_here_is_named_with_the_test_that_comes_nearest() -> None:
    lines = [line for page in PAGES for line in shell_lines(text_of(page))]
    listed = [begin for line in lines for begin in not_here(line)]
    assert set(listed) == set(NOT_HERE)
    for _what, test in NOT_HERE.values():
        assert (ROOT / "tests" / test).is_file(), test


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_running_text_exist(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    known = [" ".join(path) for path in paths_of_commands()]
    for line in re.findall(r"`ecgscreen ([a-z][^`]*)`", text.replace("\n", " ")):
        path = [name for name in known if f"{line} ".startswith(f"{name} ")]
        groups = {name.split()[0] for name in known if " " in name}
        assert path or line.split()[0] in groups, line
        printed = "".join(help_of(tuple(name.split())) for name in path or known)
        for option in re.findall(r"--[a-z-]+", line):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", printed), line
