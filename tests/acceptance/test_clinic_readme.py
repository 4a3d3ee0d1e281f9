"""The README of examples/clinic, typed into a shell as it stands there."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said, waits

ROOT = Path(__file__).parents[2]
README = (ROOT / "examples" / "clinic" / "README.md").read_text(encoding="utf-8")
JOHN, ZEINAB = "254712000004", "254712000010"


def typed(heading: str) -> list[str]:
    """The blocks of a chapter, in their order."""
    chapter = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```\n(.*?)```", chapter, re.DOTALL)


@pytest.fixture
def served(bare: Terminal) -> Iterator[str]:
    """Where the clinic's Clarion listens: the second terminal."""
    _, second, *_ = typed("Set it up")
    create = next(line for line in second.splitlines() if line.startswith("clarion workspace"))
    assert create == 'clarion workspace create "Selam Clinic" --country KE --timezone Africa/Nairobi'
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE", "--timezone", "Africa/Nairobi")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = bare.start("serve", "--port", str(port))
    try:
        until_said(process, "Clarion listens on", timeout=240)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


@pytest.mark.skipif(shutil.which("curl") is None, reason="its reader has curl")
@pytest.mark.timeout(900)
def test_whoever_types_what_it_says_sees_the_clinic_work(
    bare: Terminal, sandbox: SandboxProcess, served: str
) -> None:
    bare.write("clarion", f'#!/bin/sh\nexec {sys.executable} -m clarion.cli "$@"\n').chmod(0o755)
    lines = "".join([*typed("Set it up")[2:], *typed("See it work")])
    lines = lines.replace("http://127.0.0.1:8600", served).replace("http://127.0.0.1:9400", sandbox.url)
    lines = lines.replace("$PWD/.venv/bin", str(bare.folder))
    # the phone is looked at when it has rung
    rung = f"until curl -sS {sandbox.url}/sandbox/phone/{JOHN} | grep -q Amina; do sleep 0.2; done\n"
    place = f"curl -sSf {sandbox.url}/sandbox/phone"
    script = bare.write("typed.sh", lines.replace(place, rung + place, 1))
    said = subprocess.run(
        ["bash", "-euo", "pipefail", str(script)], cwd=ROOT, env=bare._environment({"PYTHONPATH": str(ROOT)}),
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert said.returncode == 0, f"{said.stdout}\n{said.stderr}"
    assert "ana miadi tarehe" in said.stdout, "the phone of John"
    assert "Visits: the patient, an alert about case V-1: is in it" in " ".join(said.stdout.split())
    assert waits(lambda: len(sandbox.messages(to=ZEINAB)) == 1), "of Rosa's date, at the launch"
    shown = bare.ok("case", "show", "V-1", "--json").json
    assert (shown["state"], shown["properties"]["status"]) == ("closed", "done")
    assert sandbox.summary()["people_with_same_text_twice"] == 0
    assert {one["to"] for one in sandbox.accepted()} == {JOHN, ZEINAB}


def test_every_alert_of_the_example_goes_over_a_channel_that_is_named_for_it() -> None:
    files = sorted(path.name for path in (ROOT / "examples" / "clinic").glob("*.json"))
    alerts = [name for name in files if name != "visit.json"]
    told = re.findall(r'sed "s/CHANNEL/\$\w+/" examples/clinic/(\w+\.json)', README)
    assert sorted(told) == alerts
    for name in alerts:
        body = json.loads((ROOT / "examples" / "clinic" / name).read_text(encoding="utf-8"))
        assert (body["channel_id"], body["launch"]) == ("CHANNEL", True)
