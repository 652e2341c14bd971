"""What to do about an error is said in sentences: a capital, a full stop; or it is a command."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ecgscreen", "engines", "trainer", "bench")
PARAMETER = "advice"
COMMAND = re.compile(r"pip install \S+")
"""On a line of its own, so that it can be copied."""

Ends = tuple[str, str]
"""How a text begins and ends: its first and last constant parts, empty where a value stands."""
HANDED_ON: Ends = ("Seen.", "Seen.")
"""Advice that a function is given is seen where it is called."""


@dataclass
class Code:
    """What the modules define, by name.

    Attributes
    ----------
    positions
        Of the parameter, in calls of each function or class that has it.
    values
        What a module assigns to each name, and what each of its functions returns.
    """

    positions: dict[str, int] = field(default_factory=dict)
    values: dict[tuple[str, str], list[ast.expr]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, trees: dict[str, ast.Module]) -> None:
        """Look through modules."""
        for module, tree in trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    self._learn_function(module, node)
                elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.values[module, node.targets[0].id].append(node.value)
        nodes = [node for tree in trees.values() for node in ast.walk(tree)]
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        with_own = set()
        for each in classes:
            for method in each.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    with_own.add(each.name)
                    if (place := _position(method)) is not None:
                        self.positions[each.name] = place
        for _ in classes:  # a class may stand before the one that it inherits from
            for each in classes:
                for base in map(_name, each.bases):
                    if each.name not in with_own and base in self.positions:
                        self.positions[each.name] = self.positions[base]

    def _learn_function(self, module: str, function: ast.FunctionDef) -> None:
        place = _position(function)
        if place is not None and function.name != "__init__":
            self.positions[function.name] = place
        returned = (node.value for node in ast.walk(function) if isinstance(node, ast.Return))
        self.values[module, f"{function.name}()"] += [value for value in returned if value]

    def ends(self, module: str, node: ast.expr) -> Iterator[Ends]:
        """The texts that an expression may be; none for one that is handed on."""
        if isinstance(node, ast.Constant):
            yield str(node.value), str(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield from self._joined(module, node.values[0], node.values[-1])
        elif isinstance(node, ast.BinOp):
            yield from self._joined(module, node.left, node.right)
        elif isinstance(node, ast.FormattedValue):
            yield from self.ends(module, node.value)
        elif isinstance(node, ast.IfExp):
            yield from self.ends(module, node.body)
            yield from self.ends(module, node.orelse)
        elif (
            isinstance(node, ast.Name)
            and node.id == PARAMETER
            and not self._values(module, node.id)
        ):
            yield HANDED_ON
        elif isinstance(node, ast.Name):
            for value in self._values(module, node.id):
                yield from self.ends(module, value)
        elif isinstance(node, ast.Call):
            for value in self.values.get((module, f"{_name(node.func)}()"), []):
                yield from self.ends(module, value)

    def _joined(self, module: str, left: ast.expr, right: ast.expr) -> Iterator[Ends]:
        for first in list(self.ends(module, left)) or [("", "")]:
            for last in list(self.ends(module, right)) or [("", "")]:
                yield first[0], last[1]

    def _values(self, module: str, name: str) -> list[ast.expr]:
        """Of the module itself, or of whichever it has a constant from."""
        here = self.values.get((module, name), [])
        if here or not name.isupper():
            return here
        return [
            each for (_, other), found in self.values.items() if other == name for each in found
        ]

    def advice_in(self, module: str, tree: ast.Module) -> Iterator[tuple[int, Ends]]:
        """Every piece of advice that a module gives, with its line."""
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or _name(node.func) not in self.positions:
                continue
            place = self.positions[_name(node.func)]
            named = [word.value for word in node.keywords if word.arg == PARAMETER]
            for given in (*node.args[place : place + 1], *named):
                for ends in self.ends(module, given):
                    yield given.lineno, ends


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _position(function: ast.FunctionDef) -> int | None:
    names = [argument.arg for argument in function.args.args if argument.arg != "self"]
    return names.index(PARAMETER) if PARAMETER in names else None


def is_well_put(begin: str, end: str) -> bool:
    """Whether each line of a text with these ends is a sentence, or a command."""
    if COMMAND.match(begin):
        return not end.endswith(".")
    return begin[:1].isupper() and end.endswith(".")


def faults(sources: dict[str, str]) -> tuple[int, list[str]]:
    """How many pieces of advice there are, and those that are not well put."""
    trees = {name: ast.parse(source) for name, source in sources.items()}
    code = Code()
    code.learn(trees)
    found = [(name, *each) for name, tree in trees.items() for each in code.advice_in(name, tree)]
    wrong = [
        f"{name}:{line}: {begin!r} ... {end!r}"
        for name, line, (begin, end) in found
        if not is_well_put(begin, end)
    ]
    return len(found), wrong


def test_advice_is_sentences() -> None:
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    n, wrong = faults({str(path.relative_to(ROOT)): path.read_text("utf-8") for path in files})
    assert n > 200
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("given", "well_put"),
    [
        ("'Name another folder.'", True),
        ("'name another folder.'", False),
        ("'Name another folder'", False),
        ("\"pip install 'ecgscreen[s3]'\"", True),
        ("f'{n} are too many.'", False),
        ("f'Look at {path}.'", True),
        ("f'Look at {path}'", False),
        ("f'Look at {path}, or {way_out}'", False),
        ("'A.' if n else 'b.'", False),
        ("'Look at ' + path", False),
        ("_REMEDY", False),
        ("_GOOD", True),
        ("_advice(path)", False),
        ("f'Give a file. {advice}'", True),
        ("f'give a file. {advice}'", False),
        ("advice='name another.'", False),
        ("advice='Name another.'", True),
    ],
)
def test_the_calls_are_understood(given: str, well_put: bool) -> None:
    """The other test of this file is worth what this function sees."""
    source = f"""
_REMEDY = "restore it"
_GOOD = "Restore it."
class EcgscreenError(Exception):
    def __init__(self, message: str, advice: str = "") -> None: ...
class StoreError(UsageError): ...
class UsageError(EcgscreenError): ...
def _advice(folder):
    return f"Remove {{folder}}"
def check(way_out, path, n, advice):
    raise StoreError("wrong", {given})
"""
    n, wrong = faults({"module.py": source})
    assert n >= 1
    assert (not wrong) is well_put
