"""What a site installs: a wheel built from the tree holds all that a scan needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib import resources
from pathlib import Path

import pytest

from ecgscreen import __version__

ROOT = Path(__file__).parents[1]
PACKAGES = ("ecgscreen", "engines", "trainer")
LARGEST = 20 << 20
"""Bytes. The repository has to stay light."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel, built from a copy: a build leaves folders behind."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for package in (*PACKAGES, "bench", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tree / package, ignore=ignored)
    out = tmp_path_factory.mktemp("wheel")
    source = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    built = subprocess.run(
        [sys.executable, "-c", source, str(out)],
        cwd=tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout
    (path,) = out.iterdir()
    assert path.name == f"ecgscreen-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_every_file_of_the_packages_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert expected - found == set()  # a folder without __init__.py, or data not declared
    assert found - expected == set()


def test_it_holds_the_model_the_lists_the_vocabulary_and_the_types(wheel: zipfile.ZipFile) -> None:
    found = set(wheel.namelist())
    manifest = json.loads(wheel.read("ecgscreen/models/default/manifest.json"))
    for name, listed in manifest["files"].items():
        assert wheel.getinfo(f"ecgscreen/models/default/{name}").file_size == listed["bytes"]
    assert {"encoder.onnx", "concepts.npz", "reference.npz"} <= set(manifest["files"])
    assert "ecgscreen/label_lists/rhythm.txt" in found
    assert "ecgscreen/vocabulary/rhythm.toml" in found
    assert {f"{package}/py.typed" for package in PACKAGES} <= found
    assert sum(info.file_size for info in wheel.infolist()) < LARGEST


def test_its_metadata(wheel: zipfile.ZipFile) -> None:
    info = f"ecgscreen-{__version__}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "ecgscreen = ecgscreen.__main__:main" in entry_points


@pytest.mark.parametrize(
    "name", ["py.typed", "label_lists/rhythm.txt", "vocabulary/rhythm.toml", "models/default"]
)
def test_what_is_installed_finds_its_files(name: str) -> None:
    found = resources.files("ecgscreen").joinpath(name)
    assert found.is_file() or found.is_dir()
