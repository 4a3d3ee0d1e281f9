"""A worker that tells how it is: health and metrics on a port of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Listener, Terminal, end, until_said

AMINA, JUMA, BARAKA = "254712345701", "254712345702", "254712345703"
TEXT = "The clinic closes at noon"
CANARIES = ("Amina", "Juma", "Baraka", AMINA, JUMA[3:], BARAKA[3:], TEXT, "nurses", "Selam", "sandbox-token")
PATIENCE = 60.0

Figures = dict[str, float]


def listening(process: subprocess.Popen[str]) -> str:
    """Where a worker that was just started is asked."""
    found = re.search(r"(http://127\.0\.0\.1:\d+)/metrics", until_said(process, "health and metrics")[-1])
    assert found is not None
    return found[1]


def asked(base: str, path: str) -> str:
    with urllib.request.urlopen(base + path, timeout=30) as reply:
        return str(reply.read().decode())


def refused(base: str, path: str) -> int:
    """With which status an address is refused; 0 when it is not."""
    try:
        asked(base, path)
    except urllib.error.HTTPError as error:
        return error.code
    return 0


def figures(text: str, channel: str) -> Figures:
    """What is said of a channel: {name, or name and the other label's value: number}."""
    found = re.findall(rf'^clarion_(\w+){{channel="{channel}"(?:,\w+="(\w+)")?}} (\S+)$', text, re.M)
    return {f"{name} {other}".strip(): float(value) for name, other, value in found}


def until(base: str, channel: str, name: str, value: float | None) -> str:
    """Ask until a figure is this (None: until it is gone); the whole answer."""
    deadline = time.monotonic() + PATIENCE
    while figures(text := asked(base, "/metrics"), channel).get(name) != value:
        assert time.monotonic() < deadline, text
        time.sleep(0.2)
    return text


def new_channel(selam: Terminal, sandbox: SandboxProcess, name: str) -> str:
    """A channel for one test; its identifier."""
    selam.ok(
        "channel", "create", name, "--set", f"base_url={sandbox.url}", "--set", f"sender={name}",
        "--credential", "token=sandbox-token", "--rate", "1000",
    )  # fmt: skip
    return str({one["name"]: one for one in selam.ok("channel", "list", "--json").json}[name]["id"])


def send(selam: Terminal, channel: str, people: str) -> None:
    """An announcement that has ended when this returns."""
    selam.write(f"{channel}.csv", people)
    words = ("--channel", channel, "--name", channel, "--confirm-similar", "--no-wait")
    selam.ok("send", "--to", f"{channel}.csv", "--template", "clinic", "--param", TEXT, *words)
    deadline = time.monotonic() + PATIENCE
    while (shown := selam.ok("announcement", "show", channel, "--json").json)["state"] != "completed":
        assert time.monotonic() < deadline, f"it never ended: {shown}"


def test_a_workers_metrics_and_log_tell_what_became_of_an_announcement_and_of_nobody_in_it(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    channel = new_channel(selam, sandbox, "nurses")
    sandbox.fault("drop_after_accept", to=JUMA)
    worker = selam.start("worker", "--health-port", "0", CLARION_LOG_LEVEL="DEBUG", CLARION_LOG_FORMAT="json")
    base = listening(worker)
    listener = Listener(worker)
    send(selam, "nurses", f"name,phone\nAmina,+{AMINA}\nJuma,+{JUMA}\nBaraka,+{BARAKA}\n")
    selam.ok("channel", "pause", "nurses")
    text = asked(base, "/metrics")
    logged = listener.end()

    said = figures(text, channel)
    assert (said["attempts_total accepted"], said["attempts_total unknown"]) == (2, 1)
    assert said["attempts_total refused"] == 0
    assert said["message_lateness_seconds_count"] == said["provider_call_seconds_count"] == 3
    assert (said["messages_queued"], said["messages_due"], said["messages_unknown"]) == (0, 0, 1)
    assert said["unknown_oldest_seconds"] > 0
    assert (said["channel_paused"], said["channel_rate_limit"]) == (1, 1000)
    assert 'clarion_jobs_total{outcome="done",task="fire"}' in text
    assert "clarion_clock_suspect 0.0" in text
    assert channel in logged, "the log of what was done is what is looked at"
    assert '"level":"debug"' in logged
    for canary in CANARIES:
        assert canary not in text
        assert canary not in logged


def test_a_channel_taken_from_the_dead_is_counted_and_what_is_given_up_is_forgotten(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    channel = new_channel(selam, sandbox, "drivers")
    first = selam.start("worker")
    until_said(first, "Starting worker")
    send(selam, "drivers", f"name,phone\nAmina,+{AMINA}\n")
    second = selam.start("worker", "--health-port", "0")
    base = listening(second)
    end(first, signal.SIGKILL)
    owned = figures(until(base, channel, "messages_in_flight", 0), channel)
    selam.ok("channel", "pause", "drivers")
    left = figures(until(base, channel, "messages_in_flight", None), channel)
    end(second)

    assert owned["takeovers_total"] == 1
    assert "attempts_total accepted" in owned
    assert left["takeovers_total"] == 1, "what was counted stays counted"


def test_a_worker_answers_for_its_health_and_for_nothing_else(selam: Terminal) -> None:
    worker = selam.start("worker", CLARION_HEALTH_PORT="0")
    base = listening(worker)

    assert json.loads(asked(base, "/healthz")) == {"status": "alive"}
    assert json.loads(asked(base, "/readyz"))["ready"]
    assert [refused(base, path) for path in ("/docs", "/api/v1/openapi.json", "/hooks/x")] == [404] * 3
    assert end(worker).code == 0


def test_a_worker_that_ends_is_not_ready_while_a_call_is_still_under_way(
    selam: Terminal, sandbox: SandboxProcess
) -> None:
    channel = new_channel(selam, sandbox, "porters")
    sandbox.fault("slow", 8, to=AMINA)
    worker = selam.start("worker", "--health-port", "0")
    base = listening(worker)
    selam.write("porters.csv", f"name,phone\nAmina,+{AMINA}\n")
    words = ("--channel", "porters", "--name", "porters", "--confirm-similar", "--no-wait")
    selam.ok("send", "--to", "porters.csv", "--template", "clinic", "--param", TEXT, *words)
    until(base, channel, "messages_in_flight", 1)
    ready = refused(base, "/readyz")
    worker.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 5
    while (draining := refused(base, "/readyz")) == 0:
        assert time.monotonic() < deadline
    worker.communicate(timeout=PATIENCE)

    assert (ready, draining, worker.returncode) == (0, 503, 0)
    assert "porters: was taken by the provider" in selam.ok("explain", AMINA).out


def test_a_workers_port_that_is_taken_is_told(selam: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = selam.run("worker", "--health-port", str(taken.getsockname()[1]))

    assert ended.code == 78
    assert "--health-port" in ended.err
