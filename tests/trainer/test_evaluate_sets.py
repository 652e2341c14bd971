"""The command ``evaluate`` on every set, from the command line to the JSON file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ecgscreen.errors import ExitCode, UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import LEADS, SkippedRecording, SkipReason
from ecgscreen.simulate import write_dataset
from ecgscreen.vocabulary import load_vocabulary
from tests.command_line import Run
from tests.labelled_sets import write_table
from tests.tiny_bundle import VALIDATION_FOLD
from trainer.datasets import Case, LabelledSet
from trainer.evaluate import _f1_interval
from trainer.lead_subset import only_leads
from trainer.measure import MeasureRequest, measure
from trainer.metrics import confusion_figures, trivial_baselines
from trainer.plots import FILES

KEYS = {
    *("task", "protocol", "n", "macro_auc", "macro_auc_ci", "accuracy", "precision", "recall"),
    *("f1", "per_class", "baselines"),
    *("bundle", "bundle_sha256", "engine", "leads", "dataset", "folds", "n_patients", "n_skipped"),
    "f1_ci",
}
MULTILABEL_KEYS = {
    *("n_classes", "n_thresholds", "n_labelled", "macro_auc_labelled", "macro_auc_labelled_ci"),
    *("calibration", "percentiles"),
}
ARGMAX_KEYS = {
    *("n_no_class", "n_several", "n_rare", "classes", "confusion"),
    *("accuracy_ci", "precision_ci", "recall_ci"),
}
CLASS_KEYS = {"auc", "n_positive", "threshold", "seen"}
ARGMAX_CLASS_KEYS = {*CLASS_KEYS, "n_patients", "precision", "recall", "f1"}
BASELINES = {"nothing flagged", "everything flagged", "majority class", "prevalence", "chance"}
ARGMAX_BASELINES = {"majority class", "prevalence", "chance"}
BASELINE_KEYS = {"accuracy", "precision", "recall", "f1", "macro_auc"}
Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture
def evaluate(bundle_dir: Path, tmp_path: Path, run: Run) -> Evaluate:
    """Runs ``ecgscreen evaluate``; gives the JSON, or what was printed if it failed."""
    out = tmp_path / "figures.json"

    def evaluate(*arguments: object) -> dict[str, Any]:
        options = ("--bundle", bundle_dir, "--precision", "f32", "--json", out)
        outcome = run("evaluate", *arguments, *options)
        if outcome.code:
            return {"exit": outcome.code, "printed": outcome.err}
        return {"printed": outcome.err, **json.loads(out.read_text(encoding="utf-8"))}

    return evaluate


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's table of 48 simulated recordings, two a patient."""
    folder = tmp_path_factory.mktemp("site")
    return write_table(
        folder / "site.csv",
        folder / "records",
        48,
        seed=5,
        rate=250.0,
        patient=lambda number: f"{number // 2}",
    )


@pytest.mark.parametrize(
    ("protocol", "more", "class_keys", "baselines"),
    [
        ("multilabel", MULTILABEL_KEYS, CLASS_KEYS, BASELINES),
        ("argmax", ARGMAX_KEYS, ARGMAX_CLASS_KEYS, ARGMAX_BASELINES),
    ],
)
def test_ptb_xl_has_every_key_and_no_other(
    evaluate: Evaluate,
    simulated_ptbxl: Path,
    protocol: str,
    more: set[str],
    class_keys: set[str],
    baselines: set[str],
) -> None:
    found = evaluate(
        *("ptb-xl", simulated_ptbxl, "--folds", VALIDATION_FOLD),
        *("--task", "rhythm", "--protocol", protocol),
    )
    assert found.keys() - {"printed"} == KEYS | more
    assert (found["task"], found["protocol"]) == ("rhythm", protocol)
    assert found["folds"] == [VALIDATION_FOLD]
    assert found["leads"] == list(LEADS)
    assert 0 < found["n"] <= 72
    assert found["macro_auc_ci"].keys() == {"low", "high"}
    for figures in found["per_class"].values():
        assert figures.keys() == class_keys
    assert found["baselines"].keys() == baselines
    for figures in found["baselines"].values():
        assert figures.keys() == BASELINE_KEYS
        assert figures["macro_auc"] == 0.5


def test_curves_and_percentiles(evaluate: Evaluate, simulated_ptbxl: Path, tmp_path: Path) -> None:
    measured = ("ptb-xl", simulated_ptbxl, "--folds", VALIDATION_FOLD, "--task", "rhythm")
    found = evaluate(*measured, "--plots", tmp_path / "plots")
    assert {path.name for path in (tmp_path / "plots").iterdir()} <= set(FILES)
    assert (tmp_path / "plots" / "roc.svg").is_file()
    assert "drawn: " in found["printed"]
    check = found["percentiles"]
    assert check.keys() == {"n_reference", "by_chance", "median", "per_concept"}
    assert check["n_reference"] > 0
    assert check["per_concept"].keys() == found["per_class"].keys()
    for each in check["per_concept"].values():
        assert each.keys() == {"ks", "ks_ci", "mean"}
        assert 0 <= each["ks_ci"]["low"] <= each["ks_ci"]["high"] <= 1
    assert "distance from uniform" in found["printed"]
    refused = evaluate(*measured, "--plots", tmp_path / "more", "--protocol", "argmax")
    assert refused["exit"] == ExitCode.USAGE
    assert not (tmp_path / "more").exists()


def test_table_multilabel(evaluate: Evaluate, site: Path) -> None:
    found = evaluate("table", site)
    assert found.keys() >= KEYS
    assert (found["n"], found["n_patients"], found["n_skipped"]) == (48, 24, 0)
    assert found["task"] == "all"
    assert found["per_class"]["AFIB"]["n_positive"] == 6
    thresholds = {name: figures["threshold"] for name, figures in found["per_class"].items()}
    assert isinstance(thresholds["SR"], float)  # the bundle has one, from its own fold
    assert thresholds["AFIB"] is None
    assert found["n_thresholds"] >= 1
    assert 0 <= found["f1"] <= 1
    assert "macro AUC" in found["printed"]


def test_table_argmax(evaluate: Evaluate, site: Path) -> None:
    found = evaluate("table", site, "--task", "rhythm", "--protocol", "argmax")
    assert found.keys() >= KEYS
    n = sum(sum(row) for row in found["confusion"])
    assert n == found["n"]
    assert found["n"] + found["n_no_class"] + found["n_several"] + found["n_rare"] == 48
    hits = sum(row[k] for k, row in enumerate(found["confusion"]))
    assert found["accuracy"] == hits / n
    assert found["f1_ci"]["low"] <= found["f1"] <= found["f1_ci"]["high"]
    assert "nearest prompt" in found["printed"]


def test_cinc(evaluate: Evaluate, site: Path, tmp_path: Path) -> None:
    vocabulary = load_vocabulary()
    truth = write_dataset(tmp_path / "challenge", 24, seed=5, sampling_rate=250.0)
    n_sinus = 0
    with truth.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            statements = row["statements"].split(";")
            n_sinus += "SR" in statements
            snomed = [vocabulary.by_id[name].snomed[:1] for name in statements]
            codes = ",".join(code for found in snomed for code in found)
            header = tmp_path / "challenge" / row["path"]
            header.write_text(f"{header.read_text()}# Dx: {codes}\n", encoding="ascii")
    found = evaluate("cinc", tmp_path / "challenge", "--task", "rhythm")
    assert found["n"] == 24
    assert found["per_class"]["SR"]["n_positive"] == n_sinus


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--protocol", "both"), "'both' is not one of multilabel, argmax"),
        (("--task", "nonsense"), "'nonsense' is not one of"),
        (("--engine", "abacus"), "abacus"),
        (("--leads", "I,IV"), "'IV' is none of I, II"),
        (("--concepts", "AFIX"), "The nearest are AFIB"),
        (("--concepts", "LVH"), "table does not speak of LVH"),
        (("--concepts", "AFIB", "--task", "rhythm"), "Give --task or --concepts"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    evaluate: Evaluate, site: Path, arguments: tuple[str, ...], says: str
) -> None:
    found = evaluate("table", site, *arguments)
    assert found["exit"] in {ExitCode.USAGE, ExitCode.FAILED}
    assert says in found["printed"]


def test_figures_without_a_place_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    request = MeasureRequest(
        dataset="table",
        paths=(tmp_path / "none.csv",),
        task=None,
        protocol="multilabel",
        json_file=tmp_path / "none" / "figures.json",
        bundle=None,
        engine="openvino",
        precision="auto",
    )
    with pytest.raises(UsageError, match="there is no folder"):
        measure(request, Console(stderr=True))


@pytest.mark.parametrize("dataset", ["mit-bih", "ludb", "cinc", "table"])
def test_a_folder_of_something_else_is_a_sentence(
    evaluate: Evaluate, site: Path, dataset: str
) -> None:
    found = evaluate(dataset, site.parent)
    assert found["exit"] == ExitCode.USAGE
    assert "  Name a folder" in found["printed"] or "  Give a CSV file." in found["printed"]


def test_a_set_that_was_trained_on_is_refused(
    evaluate: Evaluate, site: Path, bundle_dir: Path
) -> None:
    manifest = json.loads((bundle_dir / "manifest.json").read_text(encoding="utf-8"))
    (trained_on,) = manifest["training"]["dataset"]
    same_name = site.with_name(trained_on)
    same_name.write_bytes(site.read_bytes())
    found = evaluate("table", same_name)
    same_name.unlink()
    assert found["exit"] == ExitCode.USAGE
    assert "was trained on" in found["printed"]


def test_the_interval_of_f1_leaves_out_classes_that_were_not_drawn() -> None:
    """Two classes, each told without error, each of one patient: F1 is 1 in every replicate."""
    positive = np.repeat(np.eye(2, dtype=np.bool_), 5, axis=0)
    interval = _f1_interval(
        scores=positive.astype(np.float32),
        thresholds=np.array([0.5, 0.5]),
        positive=positive,
        columns=np.array([True, True]),
        patients=np.repeat(["a", "b"], 5),
    )
    assert interval is not None
    assert (interval.low, interval.high) == (1.0, 1.0)


def test_trivial_baselines_are_what_doing_so_gives() -> None:
    rng = np.random.default_rng(0)
    often = np.array([0.6, 0.1])
    positive = rng.random((20_000, 2)) < often
    baselines = trivial_baselines(positive)
    done = {
        "nothing flagged": np.zeros_like(positive),
        "everything flagged": np.ones_like(positive),
        "majority class": np.broadcast_to(often > 0.5, positive.shape),
        "prevalence": rng.random((20_000, 2)) < often,
        "chance": rng.random((20_000, 2)) < 0.5,
    }
    assert list(baselines) == list(done)
    for name, flagged in done.items():
        found = confusion_figures(flagged, positive)
        for figure in ("accuracy", "precision", "recall", "f1"):
            expected = getattr(baselines[name], figure)
            assert getattr(found, figure) == pytest.approx(expected, abs=0.02), (name, figure)


def test_only_the_leads_named_are_seen(evaluate: Evaluate, site: Path, tmp_path: Path) -> None:
    """The same figures as on recordings that never had the other leads, but for the quality."""
    two = evaluate("table", site, "--leads", "mlii, I")
    assert two["leads"] == ["I", "II"]
    assert "leads I, II; the others masked" in two["printed"]
    full = evaluate("table", site)
    assert (two["n"], full["n"]) == (48, 48)
    assert two["per_class"]["AFIB"]["auc"] != full["per_class"]["AFIB"]["auc"]


def test_masked_leads_are_zeros_and_a_recording_without_any_lead_is_skipped() -> None:
    windows = np.ones((2, 12, 1000), dtype=np.float32)
    without_ii = np.array([lead != "II" for lead in LEADS])
    cases = (
        Case(Path("all"), windows, np.ones(12, dtype=np.bool_), "a", frozenset()),
        Case(Path("without"), windows, without_ii, "b", frozenset()),
    )
    labelled = LabelledSet("test", ("AFIB",), lambda _config: iter(cases))
    seen, skipped = only_leads(labelled, ("II",)).cases(PreprocessConfig())
    assert isinstance(seen, Case)
    assert isinstance(skipped, SkippedRecording)
    assert [LEADS[k] for k in np.flatnonzero(seen.lead_mask)] == ["II"]
    assert [LEADS[k] for k in np.flatnonzero(seen.windows.any(axis=(0, 2)))] == ["II"]
    assert skipped.reason is SkipReason.NO_USABLE_LEAD
    assert only_leads(labelled, LEADS) is labelled


def test_single_concepts(evaluate: Evaluate, simulated_ptbxl: Path, site: Path) -> None:
    found = evaluate("table", site, "--concepts", "Vorhofflimmern, SR")
    assert found["task"] == "concepts"
    assert list(found["per_class"]) == ["AFIB", "SR"]
    ptbxl = ("ptb-xl", simulated_ptbxl, "--folds", VALIDATION_FOLD)
    assert list(evaluate(*ptbxl, "--concepts", "SR")["per_class"]) == ["SR"]
    refused = evaluate(*ptbxl, "--concepts", "snomed:251173003")
    assert "ptb-xl does not speak of snomed:251173003" in refused["printed"]
