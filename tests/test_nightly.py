"""The nightly jobs of docs/nightly.md and of the README, taken apart as the system reads them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ecgscreen.cli import app
from ecgscreen.errors import ExitCode

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVICE, TIMER = "ecgscreen-night.service", "ecgscreen-night.timer"
PROGRAM = "/opt/ecgscreen/bin/ecgscreen"

NO_ACCESS = {
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateNetwork": "yes",
    "IPAddressDeny": "any",
    "RestrictAddressFamilies": "AF_UNIX",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "LockPersonality": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "RemoveIPC": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
}
"""systemd.exec(5) and systemd.resource-control(5)."""


def unit_text(name: str) -> str:
    (text,) = re.findall(rf"^```ini\n# /etc/systemd/system/{name}\n(.*?)^```", PAGE, re.M | re.S)
    return str(text)


def unit(name: str) -> dict[str, dict[str, str]]:
    """A unit file as systemd.syntax(7) has it: sections of settings, each given once here."""
    sections: dict[str, dict[str, str]] = {}
    for line in unit_text(name).splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if section := re.fullmatch(r"\[(\w+)\]", line):
            settings = sections.setdefault(section[1], {})
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        assert key not in settings, line
        assert not value.endswith("\\"), line
        settings[key] = value
    return sections


def understood(line: str) -> dict[str, Any]:
    """The options of a command line, as the program takes them; raises where it does not."""
    program, command, *arguments = shlex.split(line)
    assert program == PROGRAM
    scan = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]  # it is a group
    context: Any = scan.make_context(command, arguments)
    return dict(context.params)


def cron_lines(text: str) -> list[str]:
    """The entries of the crontabs of a document."""
    tables = re.findall(r"^```crontab\n(.*?)^```", text, re.M | re.S)
    return [line for table in tables for line in table.splitlines()]


def test_the_service_calls_a_scan_that_the_program_takes() -> None:
    given = understood(unit(SERVICE)["Service"]["ExecStart"])
    assert list(given["roots"]) == [Path("/srv/ecg/records")]
    assert given["quiet"]


def test_the_service_does_not_fail_where_the_scan_is_done() -> None:
    service = unit(SERVICE)["Service"]
    assert service["Type"] == "oneshot"
    allowed = {int(code) for code in service["SuccessExitStatus"].split()}
    assert allowed == {ExitCode.SOME_NOT_SCORED, ExitCode.TERMINATED}


def test_the_service_writes_its_own_folder_and_has_no_other_access() -> None:
    service = unit(SERVICE)["Service"]
    given = understood(service["ExecStart"])
    assert given["out"].is_relative_to(Path("/var/lib") / service["StateDirectory"])
    assert service["ReadOnlyPaths"].split() == [str(root) for root in given["roots"]]
    assert unit(SERVICE)["Unit"]["RequiresMountsFor"] == service["ReadOnlyPaths"]
    assert service["User"] not in {"", "root"}
    assert {key: service.get(key) for key in NO_ACCESS} == NO_ACCESS
    # OpenVINO compiles the model into memory that it first writes and then runs.
    assert "MemoryDenyWriteExecute" not in service


def test_the_timer_starts_the_service_every_night() -> None:
    timer = unit(TIMER)
    assert SERVICE.removesuffix(".service") == TIMER.removesuffix(".timer")
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d", timer["Timer"]["OnCalendar"])
    assert timer["Timer"]["Persistent"] == "yes"
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_the_page_shows_one_command_in_all_its_forms() -> None:
    first, *_ = re.findall(r"^ecgscreen scan .*", PAGE, re.M)
    service = unit(SERVICE)["Service"]["ExecStart"]
    assert service == first.replace("ecgscreen", PROGRAM, 1)
    (entry,) = cron_lines(PAGE)
    assert entry.endswith(f" {service}")


@pytest.mark.parametrize("document", [PAGE, README], ids=["docs/nightly.md", "README.md"])
def test_the_line_for_cron_is_one(document: str) -> None:
    (entry,) = cron_lines(document)
    *when, command = entry.split(maxsplit=5)
    # crontab(5): minute, hour, day, month, weekday; a "%" would be a line break.
    assert re.fullmatch(r"\d+ \d+ \* \* \*", " ".join(when))
    assert int(when[0]) < 60
    assert int(when[1]) < 24
    assert "%" not in entry
    given = understood(command)
    assert given["quiet"]
    # cron starts in the user's home: only absolute paths say where.
    assert all(path.is_absolute() for path in (*given["roots"], given["out"]))


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze on this machine")
    for name in (SERVICE, TIMER):
        # It looks for the program, which is not installed there.
        text = unit_text(name).replace(PROGRAM, shutil.which("true") or "/bin/true")
        (tmp_path / name).write_text(text, encoding="utf-8")
    units = [str(tmp_path / name) for name in (SERVICE, TIMER)]
    done = subprocess.run(
        [analyze, "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    # Nothing is said of a unit that is right; what is said of other units is not our matter.
    assert "ecgscreen" not in done.stderr, done.stderr
    (tmp_path / SERVICE).write_text(unit_text(SERVICE).replace("UMask", "Umask"), "utf-8")
    wrong = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / SERVICE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "Umask" in wrong.stderr
