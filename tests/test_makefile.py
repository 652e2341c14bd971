"""The two commands that the README begins with, and the versions that they install."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")

SHELL_TOOLS = ("sh", "echo", "rm", "touch", "find")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What make reads of a fresh clone, beside an empty folder ``bin``."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    for tool in SHELL_TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make where nothing is on the PATH but `SHELL_TOOLS` and what a test put beside them."""
    return subprocess.run(
        [str(MAKE), "--no-print-directory", *arguments],
        cwd=checkout,
        env={"PATH": str(checkout.parent / "bin"), "HOME": str(checkout.parent)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def write_script(path: Path, text: str) -> None:
    """Write a shell script that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def write_python(path: Path, before: str) -> None:
    """Write an interpreter that executes a line before the code after ``-c``."""
    write_script(
        path, f"exec '{sys.executable}' -c 'import sys; {before}; exec(sys.argv[2])' \"$@\""
    )


OLD = 'sys.version_info = (3, 9, 18, "final", 0); sys.version = "3.9.18 (main)"'
NO_VENV = 'sys.modules["ensurepip"] = None'


@pytest.mark.parametrize("target", ["demo", "test", "lint"])
def test_without_python_one_line_says_what_to_install(checkout: Path, target: str) -> None:
    result = make(checkout, target)
    assert result.returncode == 2
    (line,) = result.stdout.splitlines()
    assert "needs Python 3.11 or later, found no python3" in line
    assert "apt install python3 python3-venv" in line
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_named(checkout: Path) -> None:
    write_python(checkout.parent / "bin" / "python3", OLD)
    result = make(checkout, "demo")
    assert result.returncode == 2
    (line,) = result.stdout.splitlines()
    assert "needs Python 3.11 or later, found python3 3.9.18" in line
    assert not (checkout / ".venv").exists()


def test_a_missing_venv_module_is_said_with_its_package(checkout: Path) -> None:
    write_python(checkout.parent / "bin" / "python3", NO_VENV)
    result = make(checkout, "demo")
    assert result.returncode == 2
    (line,) = result.stdout.splitlines()
    assert "python3 has no venv module: apt install python3-venv" in line
    assert not (checkout / ".venv").exists()


def test_a_newer_python_beside_an_old_one_is_found(checkout: Path) -> None:
    write_python(checkout.parent / "bin" / "python3", OLD)
    # A version manager's name for a Python that is not installed.
    write_script(checkout.parent / "bin" / "python3.13", "exit 127")
    write_python(checkout.parent / "bin" / "python3.12", NO_VENV)
    result = make(checkout, "demo")
    assert result.returncode == 2
    assert "python3.12 has no venv module: apt install python3.12-venv" in result.stdout


def test_a_python_that_is_named_is_the_only_one(checkout: Path) -> None:
    write_python(checkout.parent / "bin" / "python3", NO_VENV)
    write_python(checkout.parent / "bin" / "ancient", OLD)
    for result in (
        make(checkout, "demo", "PYTHON=ancient"),
        make(checkout, "demo", PYTHON="ancient"),
    ):
        assert result.returncode == 2
        assert "found ancient 3.9.18" in result.stdout


def test_help_and_clean_need_no_python(checkout: Path) -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony is not None
    described = {line.split()[1] for line in make(checkout).stdout.splitlines()}
    assert described == set(phony[1].split()) - {"help"}
    (checkout / "demo").mkdir()
    for package in ("bench", "ecgscreen", "engines", "tests", "trainer"):
        (checkout / package / "__pycache__").mkdir(parents=True)
    assert make(checkout, "clean").returncode == 0
    assert not (checkout / "demo").exists()
    assert not list(checkout.rglob("__pycache__"))


def installed(checkout: Path, script: str) -> None:
    """Stand in for an environment that is made already, with an interpreter of our own."""
    write_script(checkout / ".venv" / "bin" / "python", script)
    for stamp in (".core", ".dev"):
        (checkout / ".venv" / stamp).touch()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 11])
def test_the_demo_succeeds_on_exit_code_3_alone(checkout: Path, code: int) -> None:
    installed(checkout, f'echo "$@"; [ "$3" != scan ] || exit {code}')
    result = make(checkout, "demo")
    assert (result.returncode == 0) == (code == 3)
    assert f"exit code {code}" in result.stdout.lower()
    assert "-m ecgscreen simulate demo/records --count 24 --seed 1 --faults 2" in result.stdout
    assert "-m ecgscreen scan demo/records --labels rhythm.txt --out demo/screening" in (
        result.stdout
    )


def test_the_demo_fails_where_the_simulation_fails(checkout: Path) -> None:
    installed(checkout, '[ "$3" != simulate ] || exit 1; exit 3')
    assert make(checkout, "demo").returncode == 2


def test_the_demo_begins_anew_each_time(checkout: Path) -> None:
    """The real commands, twice, with this interpreter in place of one in .venv."""
    installed(checkout, f"PYTHONPATH='{ROOT}' exec '{sys.executable}' \"$@\"")
    for _ in range(2):
        result = make(checkout, "demo")
        assert result.returncode == 0, result.stdout
        assert "22 of 24 recordings scored" in result.stdout
        (checkout / "demo" / "left over").touch()
    reports = {path.name for path in (checkout / "demo" / "screening").iterdir()}
    assert {"report.h5", "report.csv", "summary.json", "run.json"} <= reports


def test_tests_come_after_lint_and_types(checkout: Path) -> None:
    installed(checkout, 'echo "$@"')
    result = make(checkout, "test")
    assert result.returncode == 0
    steps = ["-m ruff check", "-m ruff format --check", "-m mypy", "-m pytest"]
    assert result.stdout.splitlines() == steps


def test_the_demo_does_not_install_the_extras(checkout: Path) -> None:
    (checkout.parent / "bin" / "python3").symlink_to(sys.executable)
    commands = make(checkout, "--dry-run", "demo").stdout
    assert "pip install" in commands
    assert "--constraint constraints.txt" in commands
    assert "[dev]" not in commands
    assert "[dev]" in make(checkout, "--dry-run", "test").stdout


def test_an_environment_is_used_again_until_the_requirements_change(checkout: Path) -> None:
    (checkout.parent / "bin" / "python3").symlink_to(sys.executable)
    installed(checkout, "exit 0")
    for stamp in (".core", ".dev"):
        later = (checkout / "pyproject.toml").stat().st_mtime + 10
        os.utime(checkout / ".venv" / stamp, (later, later))
    assert "pip install" not in make(checkout, "--dry-run", "demo").stdout
    os.utime(checkout / "constraints.txt", (later + 10, later + 10))
    assert "pip install" in make(checkout, "--dry-run", "demo").stdout


def test_ci_runs_the_same_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text("utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-1] == "exec make test"


def pins() -> dict[str, Version]:
    """The versions of constraints.txt by canonical name."""
    found: dict[str, Version] = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            assert canonicalize_name(name) not in found, f"{name} is pinned twice"
            found[canonicalize_name(name)] = Version(version)
    return found


def declared(*extras: str) -> list[Requirement]:
    """The requirements of pyproject.toml: the core's and those of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    texts = list(project["dependencies"])
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


def closure(requirements: list[Requirement]) -> set[str]:
    """Canonical names of everything that the requirements pull in, as installed here."""
    found: set[str] = set()
    waiting = [(requirement.name, frozenset(requirement.extras)) for requirement in requirements]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(canonicalize_name(name))
        try:
            needs = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed: make test installs it")
        for need in needs:
            environments = [{"extra": extra} for extra in (extras or {""})]
            if need.marker is None or any(map(need.marker.evaluate, environments)):
                waiting.append((need.name, frozenset(need.extras)))
    return found


EXTRAS = ("text", "train", "tensorrt", "s3", "dev")


def test_every_package_is_pinned_within_its_range() -> None:
    versions = pins()
    for requirement in declared(*EXTRAS):
        if canonicalize_name(requirement.name) != "ecgscreen":
            version = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement}, pinned {version}"


def test_what_they_pull_in_is_pinned_too() -> None:
    own = {"ecgscreen"}
    # The CUDA libraries of torch's plain build are torch's own pins.
    pulled_in = {
        name
        for name in closure([r for r in declared(*EXTRAS) if r.name not in own])
        if not name.startswith(("nvidia-", "cuda-", "triton"))
    }
    assert pulled_in - set(pins()) == set()


def test_a_cpu_build_of_torch_satisfies_the_pin() -> None:
    version = pins()["torch"]
    assert version.local is None
    assert Requirement(f"torch=={version}").specifier.contains(Version(f"{version}+cpu"))


def test_the_core_is_free_of_torch() -> None:
    core = closure(declared())
    assert {"numpy", "openvino", "wfdb"} <= core
    assert not core & {"torch", "transformers", "sentence-transformers", "onnx"}
