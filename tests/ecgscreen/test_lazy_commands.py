"""What ``--help`` shows without importing a command, and without half of what draws it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgscreen.cli import COMMANDS
from ecgscreen.commands.lazy import LazyCommand
from ecgscreen.errors import ExitCode

ROOT = Path(__file__).parents[2]
SHARED = {"__init__", "last_words", "lazy", "light_help", "messages", "options", "record"}
"""Modules of `ecgscreen.commands` that are no command."""


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "90"},
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_line_of_a_command_is_what_its_own_help_begins_with(command: LazyCommand) -> None:
    assert command.help == command.load().help.split("\n\n")[0]


def test_every_command_has_a_line() -> None:
    modules = {path.stem for path in (ROOT / "ecgscreen" / "commands").glob("*.py")}
    names = [str(command.name) for command in COMMANDS]
    assert sorted(names) == sorted(name.replace("_", "-") for name in modules - SHARED)


AFTER_HELP = """
import sys
from ecgscreen.cli import main
try:
    main()
except SystemExit:
    pass
names = [name for name in sys.modules if name.startswith(("ecgscreen.commands.", "rich.t"))]
from rich.markdown import Markdown
from rich.traceback import Traceback
print(names, Markdown("*x*").markup, Traceback.extract, file=sys.stderr)
"""


def test_help_imports_no_command_and_leaves_no_stand_in_behind() -> None:
    done = run_program(AFTER_HELP, "--help")
    assert done.returncode == 0, done.stderr
    assert "'ecgscreen.commands.lazy'" in done.stderr
    assert "ecgscreen.commands.scan" not in done.stderr
    assert "'rich.table'" in done.stderr
    assert "'rich.traceback'" not in done.stderr
    assert "*x* <bound method Traceback.extract" in done.stderr


LIGHT = "from ecgscreen.cli import main; main()"
WHOLE = f"import typer.rich_utils; {LIGHT}"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("compile --help", ExitCode.OK),
        ("evaluate", ExitCode.USAGE),
        ("scn", ExitCode.USAGE),
        ("simulate new --count many", ExitCode.USAGE),
    ],
)
def test_help_and_messages_look_as_with_all_of_rich(words: str, code: ExitCode) -> None:
    light, whole = (run_program(program, *words.split()) for program in (LIGHT, WHOLE))
    assert (light.returncode, light.stdout, light.stderr) == (code, whole.stdout, whole.stderr)
    assert "╭─" in light.stdout + light.stderr


def test_a_typer_that_imports_other_names_has_them() -> None:
    other_version = f"""
from ecgscreen.commands import light_help
light_help._UNUSED["rich.panel"] = "Board"
{LIGHT}
"""
    light, other = (run_program(program, "--help") for program in (LIGHT, other_version))
    assert (other.stdout, other.stderr) == (light.stdout, "")
