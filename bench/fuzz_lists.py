"""Spoiled lists of diagnoses, as text and as TOML."""

from __future__ import annotations

from pathlib import Path
from random import Random

from bench.fuzz_bundle import whole_bundle
from bench.fuzz_mutate import fragment, number, spoil_text
from bench.fuzz_target import Target, refused
from ecgscreen.errors import EcgscreenError, MissingExtraError
from ecgscreen.prompts import read_prompts
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import load_vocabulary

_WORDS = (
    *("atrial fibrillation", "AFIB", "sinus rhythm", "left bundle branch block", "Vorhofflimmern"),
    *("ischämie", "T-wave inversion", "164889003", "SNOMED CT 164889003", "AHA 22", "MI", "normal"),
    *("banana bread", "ABC", "ﬁbrillation", "İ", "straße" * 20, "x" * 499, "12345678901234567890"),
)
_N_KNOWN = 10
"""Of these words, the vocabulary knows the first."""
_SEVERITIES = ('"info"', '"attention"', '"critical"', '"Critical"', "3", "[]", "true", '""')
_THRESHOLDS = (
    *("0.5", "-1", "2", "nan", "inf", "1e400", "0x" + "f" * 300, "9" * 5000, "9" * 400, "1e-400"),
    *('"sensitivity 0.95"', '"top 2 %"', '"top 100 %"', '"largest F1"', '"youden"', '"top 0 %"'),
    *("1979-05-27", "07:32:00", "[0.5]", "{a = 1}", "true", '"sensitivity .0"', '"top 1e3 %"'),
    *('"top ' + "9" * 400 + ' %"', '"sensitivity 0.' + "9" * 400 + '"', "0b1", "0o7", "1_0.0"),
)
_BLOW_UPS = (
    "a" + ".a" * 1500 + " = 1\n",
    "[" + "a." * 1500 + "a]\n",
    "x = " + "[" * 3000 + "\n",
    "x = " + "{a = " * 900 + "\n",
    "[[diagnosis]]\nname = 'a'\n" * 4000,
    "[[diagnosis]]\n" * 9000,
    "x = '''" + "\n" * 50_000 + "'''\n",
    "\n".join(f"k{index} = {index}" for index in range(9000)) + "\n",
    '"' * 60_000,
)


def _no_language_model(name: str) -> TextEncoder:
    """As on a machine that has the core alone: free text is refused, with its way out."""
    raise MissingExtraError(f"no language model {name} here", "pip install 'ecgscreen[text]'")


def run_list(folder: Path) -> bool:
    """Read the list, resolve its lines, and give each its direction and threshold."""
    (path,) = folder.iterdir()
    try:
        read_prompts(str(path), whole_bundle(), load_vocabulary(), _no_language_model)
    except EcgscreenError as error:
        return refused(error)
    return True


def _phrase(rng: Random) -> str:
    if rng.random() < 0.6:
        return rng.choice(_WORDS[:_N_KNOWN])
    return rng.choice((*_WORDS, rng.choice(_WORDS) + rng.choice((" ", "-", "\u00ad", "\t")) + "x"))


def write_text(rng: Random, folder: Path) -> None:
    """Lines, synonyms, groups and comments, with pieces of grammar at the wrong places."""
    whole_bundle()  # made before the process is watched
    lines = []
    for _ in range(rng.choice((1, 2, 5, 12, 60))):
        line = " | ".join(_phrase(rng) for _ in range(rng.choice((1, 1, 2, 3, 40))))
        line = rng.choice((line, line, line, f"[{line}]", f"# {line}", f"{line} # {line}"))
        lines.append(line)
    known = rng.random() < 0.4
    content = "\n".join([rng.choice(_WORDS[:_N_KNOWN])] * 3 if known else lines).encode()
    if rng.random() < 0.75:
        content = spoil_text(rng, content)
    if rng.random() < 0.02:
        content *= 400
    (folder / "list.txt").write_bytes(content)


def _text(rng: Random) -> str:
    quoted = rng.choice(('"{}"', '"{}"', "'{}'", '"""{}"""', '"\\u00e9{}"', '"{}\\n"'))
    return quoted.format(_phrase(rng))


def _texts(rng: Random) -> str:
    count = rng.choice((0, 1, 2, 50, 51))
    return "[" + ", ".join(_text(rng) for _ in range(count)) + rng.choice(("]", ",]", ", 1]"))


def _entry(rng: Random) -> str:
    fields = {"name": _text(rng)}
    if rng.random() < 0.3:
        fields["severity"] = rng.choice(_SEVERITIES)
    if rng.random() < 0.5:
        fields["threshold"] = rng.choice((*_THRESHOLDS, number(rng)))
    for key in ("synonyms", "counter_prompts"):
        if rng.random() < 0.25:
            fields[key] = _texts(rng)
    for key in ("code", "group", "Name", "diagnosis"):
        if rng.random() < 0.1:
            fields[key] = _text(rng)
    heads = ("[[diagnosis]]", "[[diagnosis]]", "[[ diagnosis ]]", "[diagnosis]", "[[diagnosi]]")
    head = rng.choice(heads) if rng.random() < 0.2 else heads[0]
    return "\n".join([head, *(f"{key} = {value}" for key, value in fields.items())])


def write_toml(rng: Random, folder: Path) -> None:
    """Entries with odd values and keys, tables of other kinds, and what makes parsers slow."""
    whole_bundle()
    entries = [_entry(rng) for _ in range(rng.choice((1, 1, 2, 8)))]
    if rng.random() < 0.15:
        entries.insert(rng.randrange(len(entries) + 1), rng.choice(_BLOW_UPS))
    if rng.random() < 0.05:
        entries.append(f"diagnosis = {rng.choice(_THRESHOLDS)}")
    content = "\n".join(entries).encode()
    if rng.random() < 0.4:
        content = spoil_text(rng, content)
    elif rng.random() < 0.1:
        place = rng.randrange(len(content))
        content = content[:place] + fragment(rng) + content[place:]
    (folder / "list.toml").write_bytes(content)


TARGETS = (
    Target("list.txt", 90, write_text, run_list),
    Target("list.toml", 90, write_toml, run_list),
)
