"""What the documents say is held against what the program does."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from packaging.requirements import Requirement
from typer.testing import CliRunner

from ecgscreen import __version__
from ecgscreen.cli import app
from ecgscreen.commands.lazy import LazyCommand
from ecgscreen.compare import html as compare_html
from ecgscreen.errors import ExitCode
from ecgscreen.label_list_file import shipped_lists
from ecgscreen.preprocess import MAX_SAMPLING_RATE, MIN_SAMPLING_RATE
from ecgscreen.quality import MIN_DURATION_S
from ecgscreen.readers.archive_listing import MAX_MEMBERS
from ecgscreen.readers.base import MAX_LONG_SAMPLES, MAX_SAMPLES, MAX_SIGNALS
from ecgscreen.readers.limited import MAX_FILE_BYTES, TIME_LIMIT_S
from ecgscreen.readers.limited_worker import MEMORY_LIMIT_BYTES
from ecgscreen.reports.csv import COLUMNS
from ecgscreen.reports.html.writer import MAX_ROWS, MAX_STRIPS
from ecgscreen.results import Status
from ecgscreen.vocabulary import load_vocabulary

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "MODEL_CARD.md"),
    *(f"docs/{page.name}" for page in PAGES),
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a document that are marked with a language, or "" with none."""
    # Fences open and close in turns: text, mark, block, "", text, mark, block, "", text.
    parts = re.split(r"^```(\w*)\n", text, flags=re.MULTILINE)
    marked = zip(parts[1::4], parts[2::4], strict=True)
    return [block for mark, block in marked if mark == language]


def shell_lines(text: str) -> list[str]:
    """The command lines of a document, those that go on with a backslash joined."""
    whole = "".join(blocks(text, "sh")).replace("\\\n", " ")
    return [line for line in whole.splitlines() if line.strip()]


def commands(program: str) -> list[list[str]]:
    """The arguments of every call of a program in the README, in CONTRIBUTING and in docs."""
    pages = (page.read_text(encoding="utf-8") for page in PAGES)
    lines = [line for text in (README, CONTRIBUTING, *pages) for line in shell_lines(text)]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in split if words[:1] == [program]]


def loaded(command: Any) -> Any:
    """The command itself, where only its line in the help is there."""
    return command.load() if isinstance(command, LazyCommand) else command


def paths_of_commands() -> Iterator[tuple[str, ...]]:
    """Every command that the program has, such as ("labels", "check")."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                yield from walk(loaded(child), (*path, name))
        else:
            yield path

    return walk(typer.main.get_command(app), ())


def help_of(path: tuple[str, ...]) -> str:
    """What ``--help`` of a command prints, on a wide terminal."""
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert result.exit_code == 0
    return result.output


def test_the_readme_begins_with_what_it_is_and_the_two_commands() -> None:
    title, sentence = README.split("\n\n")[:2]
    assert title == "# ecgscreen"
    assert sentence.count(".") == 1
    first = [words.partition("#")[0].strip() for words in shell_lines(README)[:2]]
    assert first == ["make demo", "make test"]


@pytest.mark.parametrize("words", commands("ecgscreen"), ids=" ".join)
def test_every_command_line_is_one_that_the_program_takes(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    path: tuple[str, ...] = ()
    while hasattr(command, "commands"):
        assert words[len(path)] in command.commands
        command = loaded(command.commands[words[len(path)]])
        path = (*path, words[len(path)])
    # Parses and checks, as a call would, and calls nothing.
    command.make_context(path[-1], words[len(path) :])
    printed = help_of(path)
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", printed), option


def test_the_readme_shows_the_main_commands() -> None:
    shown = {words[0] for words in commands("ecgscreen")}
    assert {"scan", "simulate", "labels", "train", "evaluate"} <= shown


@pytest.mark.parametrize("path", list(paths_of_commands()), ids=" ".join)
def test_every_command_is_mentioned(path: tuple[str, ...]) -> None:
    spelling = " ".join(path)
    assert f"ecgscreen {spelling}" in README or f"`{spelling}`" in README


@pytest.mark.parametrize("path", list(paths_of_commands()), ids=" ".join)
def test_help_shows_what_is_written_for_it(path: tuple[str, ...]) -> None:
    """A word in brackets would not be: Rich takes it for markup."""
    command: Any = typer.main.get_command(app)
    for name in path:
        command = loaded(command.commands[name])
    shown = "".join(letter for letter in help_of(path) if letter not in "│ \n")
    for parameter in command.params:
        assert (parameter.help or "").replace(" ", "") in shown, parameter.name


def test_options_in_the_running_text_exist() -> None:
    text = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    known = "".join(help_of(path) for path in paths_of_commands())
    options = re.findall(r"`(--[a-z-]+)", text)
    assert options
    for option in options:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), option


def test_the_table_of_exit_codes_is_complete() -> None:
    section = README.split("## Exit codes")[1].split("\n## ")[0]
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    assert codes == [code.value for code in ExitCode]


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert commands("make")
    for words in commands("make"):
        assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), words


def test_extras_exist() -> None:
    installs = [word for words in commands("pip") for word in words]
    installs += re.findall(r"pip install[^`]*'([^']+)'", README)
    extras = set(re.findall(r"\[([\w,]+)\]", " ".join(installs)))
    assert extras
    for extra in ",".join(extras).split(","):
        assert extra in PROJECT["optional-dependencies"]


def test_lists_named_by_their_file_ship() -> None:
    named = set(re.findall(r"[`\s](\w+\.txt)\b", README)) - {"constraints.txt", "mine.txt"}
    assert named
    assert named <= set(shipped_lists())


def test_the_list_shown_is_one_of_known_words() -> None:
    (shown,) = (block for block in blocks(README, "") if block.startswith("# what we look for"))
    vocabulary = load_vocabulary()
    lines = [line for line in shown.splitlines() if not line.startswith("#")]
    words = [word.strip() for line in lines for word in line.split("|")]
    assert [word for word in words if vocabulary.find(word) is None] == []


def test_the_columns_and_states_of_the_report_are_named() -> None:
    report = README.split("## What the report holds")[1].split("\n## ")[0]
    row = next(line for line in report.splitlines() if line.startswith("| `report.csv`"))
    assert tuple(re.findall(r"`(\w+)`", row)) == COLUMNS
    for status in Status:
        assert f"`{status}`" in report


def anchors(text: str) -> set[str]:
    """What links to the headings of a page end with, as GitHub makes it of their words."""
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", words.lower()).replace(" ", "-") for words in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_files_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        file, _, place = target.partition("#")
        page = (ROOT / document).parent / file if file else ROOT / document
        assert page.exists(), target
        if place:
            assert place in anchors(page.read_text(encoding="utf-8")), target
    for path in re.findall(r"`((?:ecgscreen|engines|trainer|bench|tests)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"python -m ((?:bench|trainer|ecgscreen)[\w.]*)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file() or (ROOT / module).is_dir()


def test_the_layout_names_folders_that_exist() -> None:
    (layout,) = (block for block in blocks(README, "") if block.startswith("ecgscreen/"))
    for line in layout.splitlines():
        assert (ROOT / line.split()[0]).is_dir()


@pytest.mark.parametrize("package", ["ecgscreen", "engines", "trainer"])
def test_every_module_has_its_place_in_the_layout(package: str) -> None:
    section = CONTRIBUTING.split(f"\n`{package}/`, ")[1].split("\n\n| what")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", section)
    there = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__", "__main__"}
    inside = {path.stem for path in (ROOT / package).glob("*/*.py")}
    assert sorted(there - set(named)) == [], "say in CONTRIBUTING.md what it is for"
    assert sorted(set(named) - there - inside) == []
    folders = {path.parent.name for path in (ROOT / package).glob("*/*") if path.is_file()}
    assert folders - {"__pycache__"} <= set(re.findall(r"`(\w+)/`", section))


def test_every_dependency_is_explained() -> None:
    table = CONTRIBUTING.split("## Why each dependency")[1].split("\n## ")[0]
    explained = set(re.findall(r"^\| ([a-z][\w-]+) \|", table, re.MULTILINE)) - {"package"}
    declared = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    assert explained == {Requirement(text).name for text in declared} - {"ecgscreen"}


def test_the_versions_agree() -> None:
    assert PROJECT["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in changelog


def test_the_limits_are_those_of_the_program() -> None:
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    for row in (
        f"at least {MIN_DURATION_S:g} s",
        f"{MIN_SAMPLING_RATE:g} to {MAX_SAMPLING_RATE:,.0f} Hz",
        f"recording | {MAX_SIGNALS} |",
        f"all signals | 2^{MAX_SAMPLES.bit_length() - 1} |",
        f"in pieces | 2^{MAX_LONG_SAMPLES.bit_length() - 1} |",
        f"{MAX_FILE_BYTES >> 30} GiB, {MEMORY_LIMIT_BYTES >> 30} GiB of memory, {TIME_LIMIT_S:g} s",
        f"{MAX_MEMBERS:,}",
        f"{MAX_ROWS:,} worst",
        f"| {MAX_STRIPS} |",
        f"| {compare_html.MAX_ROWS:,} |",
    ):
        assert row in text, row


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert [path.name for path in pictures] == ["report.png", "terminal.png"]
    for path in pictures:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.stat().st_size < 150_000
