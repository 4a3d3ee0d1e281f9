"""The sandbox as a process: how it starts, where it will not listen, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clarion.sandbox.client import SandboxClient, SandboxProcess
from tests.sandbox.ends import AMINA, Caller


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clarion.sandbox", *arguments],
        capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_it_says_where_it_listens_in_one_line(folder: Path) -> None:
    with SandboxProcess.start(folder) as own:
        (line,) = own.log.read_text().splitlines()
        assert json.loads(line)["url"] == own.url
        assert own.call("GET", "health")["status"] == "ok"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_it_refuses_an_address_that_others_may_reach(host: str) -> None:
    ended = run("--host", host)
    assert ended.returncode == 78
    assert "--allow-public" in ended.stderr
    assert ended.stdout == ""


def test_it_tells_a_bad_setting_and_does_not_start(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text('{"windw": "open"}')
    ended = run("--config", str(settings))
    assert ended.returncode == 65
    assert "windw" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_tells_that_a_port_is_taken(sandbox: SandboxProcess) -> None:
    ended = run("--port", sandbox.url.rsplit(":", 1)[1])
    assert ended.returncode == 78
    assert "--port" in ended.stderr


def test_asked_to_end_it_ends_at_once_with_everything_written(folder: Path) -> None:
    own = SandboxProcess.start(folder, record=folder / "record.jsonl", window="open")
    own.fault("answer_late", 60)
    with Caller(own.url, timeout=0.1) as caller, pytest.raises(TimeoutError):
        caller.text(AMINA, reference="m-1")
    with Caller(own.url) as caller:
        caller.text(AMINA, reference="m-2")
        assert own.stop(timeout=5) == 0
    lines = [json.loads(line) for line in (folder / "record.jsonl").read_bytes().splitlines()]
    assert [line["reference"] for line in lines[1:]] == ["m-1", "m-2"]


def test_it_ends_when_whoever_started_it_is_gone(folder: Path) -> None:
    own = SandboxProcess.start(folder)
    assert own.process.stdin is not None
    own.process.stdin.close()
    assert own.process.wait(10) == 0


def test_a_start_that_fails_tells_why(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="windw"):
        SandboxProcess.start(folder, windw="open")


def test_after_a_kill_another_takes_its_port(folder: Path) -> None:
    first = SandboxProcess.start(folder)
    port = int(first.url.rsplit(":", 1)[1])
    first.kill()
    with pytest.raises(OSError):
        SandboxClient(first.url).summary()
    end = time.monotonic() + 20
    with SandboxProcess.start(folder, port=port) as second:
        assert second.url == first.url
        assert second.summary()["requests"] == 0
    assert time.monotonic() < end
