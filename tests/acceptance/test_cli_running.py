"""The processes that stay: they say where they are, do their work, and end in order."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.request

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said


def test_serve_answers_sends_and_ends_in_order(selam: Terminal, sandbox: SandboxProcess) -> None:
    selam.write("night.csv", "name,phone\nWanjiru,+254712000777\n")
    process = selam.start("serve", "--port", "0")
    said = until_said(process, "Clarion listens on")
    found = re.search(r"http://127\.0\.0\.1:\d+", said[-1])
    assert found is not None

    with urllib.request.urlopen(found[0] + "/readyz") as reply:
        ready = json.load(reply)
    sent = selam.ok("send", "--to", "night.csv", "--template", "by_the_server", "--json")
    workers = selam.ok("workers", "--json").json
    doctor = selam.run("doctor", "--json").json
    ended = end(process)

    assert ready["ready"]
    assert "No worker is running" not in sent.err
    assert sandbox.people()["254712000777"] == 1
    assert [one["state"] for one in workers] == ["alive"]
    assert {one["check"]: one["level"] for one in doctor["checks"]}["workers"] == "ok"
    assert ended.code == 0
    assert selam.ok("workers", "--json").json == []


def test_a_port_that_is_taken_is_told_and_another_is_offered(selam: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = selam.run("serve", "--port", str(taken.getsockname()[1]))

    assert ended.code == 78
    assert "--port" in ended.err


def test_a_worker_whose_starter_dies_ends_too_where_that_was_asked_for(selam: Terminal) -> None:
    process = selam.start("worker", "--end-with-stdin")

    process.communicate(timeout=60)  # closes its standard input, as the death of its starter would

    assert process.returncode == 0


def test_a_worker_drains_at_sigterm(selam: Terminal) -> None:
    process = selam.start("worker", CLARION_LOG_FORMAT="json", CLARION_LOG_LEVEL="DEBUG")
    until_said(process, "Starting worker")

    ended = end(process, signal.SIGTERM)

    assert ended.code == 0
