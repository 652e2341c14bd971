"""``summary.json`` (what came out, for machines) and ``run.json`` (how it was made)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC

from ecgscreen.publish import JsonValue
from ecgscreen.reports.notices import notices
from ecgscreen.reports.provenance import Provenance, RowsOfRun, software_versions
from ecgscreen.reports.tally import DiagnosisSummary, RunSummary

FORMAT_VERSION = 1


def summary_document(
    summary: RunSummary, provenance: Provenance, reports: Sequence[str]
) -> dict[str, JsonValue]:
    """Return the content of ``summary.json``.

    Parameters
    ----------
    summary
        The run in numbers.
    provenance
        For the time it took and the files ignored.
    reports
        Names of the other reports, in the same folder.
    """
    seconds = provenance.duration_s
    return {
        "format_version": FORMAT_VERSION,
        "ecgscreen_version": provenance.version,
        "exit_code": int(summary.exit_code),
        "n_records": summary.n_records,
        "n_scored": summary.n_scored,
        "n_not_scored": summary.n_not_scored,
        "n_flagged": summary.n_flagged,
        "n_ignored": provenance.n_ignored,
        "n_new": summary.n_new,
        "n_new_scored": summary.n_new_scored,
        "by_status": {str(status): count for status, count in summary.by_status.items()},
        "by_reason": dict(summary.by_reason),
        "notices": list(notices([each.diagnosis for each in summary.diagnoses])),
        "diagnoses": [_diagnosis(each) for each in summary.diagnoses],
        "duration_s": seconds,
        "records_per_s": summary.n_records / seconds if seconds > 0 else None,
        "reports": list(reports),
    }


def run_document(
    provenance: Provenance, inputs: Mapping[str, JsonValue], reports: Mapping[str, str]
) -> dict[str, JsonValue]:
    """Return the content of ``run.json``.

    Parameters
    ----------
    provenance
        How the run was made.
    inputs
        `ecgscreen.reports.inputs.InputsDigest.to_json` of its recordings.
    reports
        Names of the reports, and the SHA-256 of each file.
    """
    return {
        "format_version": FORMAT_VERSION,
        "command": provenance.command,
        "arguments": dict(provenance.arguments),
        "started_utc": provenance.started.astimezone(UTC).isoformat(),
        "ended_utc": provenance.ended.astimezone(UTC).isoformat(),
        "versions": {"ecgscreen": provenance.version, **software_versions()},
        "engine": {**asdict(provenance.engine), "reason": provenance.engine_reason},
        "bundle": {"name": provenance.bundle_name, "sha256": provenance.bundle_sha256},
        "list": {"name": provenance.list_name, "sha256": provenance.list_sha256},
        "calibration": None if provenance.calibration is None else dict(provenance.calibration),
        "preprocessing": dict(provenance.preprocessing),
        "n_ignored": provenance.n_ignored,
        "run": provenance.run,
        "rescored": provenance.rescored,
        "embeddings_from": [_rows(each) for each in provenance.rows],
        "engines": [
            {**asdict(engine), "n_scored": count} for engine, count in provenance.engines.items()
        ],
        "pseudonymised": provenance.pseudonymised,
        "inputs": dict(inputs),
        "reports": {name: {"sha256": sha256} for name, sha256 in reports.items()},
    }


def _rows(each: RowsOfRun) -> dict[str, JsonValue]:
    return {
        "run": each.number,
        "started_utc": each.started.astimezone(UTC).isoformat(),
        "engine": each.engine.name,
        "precision": each.engine.precision,
        "n_records": each.n_records,
        "n_scored": each.n_scored,
    }


def _diagnosis(each: DiagnosisSummary) -> dict[str, JsonValue]:
    row = each.diagnosis
    return {
        "name": row.name,
        "code": row.code,
        "severity": row.severity,
        "threshold": row.threshold,
        "criterion": row.criterion,
        "group": row.group,
        "seen": row.seen,
        "note": row.note,
        "n_flagged": each.n_flagged if row.threshold == row.threshold else None,
    }
