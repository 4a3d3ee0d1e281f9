"""Somebody writes back at what time they want to hear, and hears the next message at that time: a real
worker, real webhooks, a provider that only pretends."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clarion.kit.clock import Clock
from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said

AMINA, SENDER = "254712000001", "100200300"
EARLY = 20  # seconds at least until the time that is written back
LATE = 60.0  # seconds after it that a busy machine may need
ZONES = (
    "Pacific/Auckland", "Asia/Tokyo", "Asia/Kolkata", "Africa/Nairobi", "America/Sao_Paulo",
    "America/Los_Angeles", "Pacific/Honolulu",
)  # fmt: skip


def _text(text: str) -> dict[str, Any]:
    form = {"kind": "template", "name": "notice", "language": "en", "parameters": [text]}
    return {"variants": [{"content": form}]}


def _asking(zone: str) -> dict[str, Any]:
    """It asks when somebody enters, and speaks at the hour that they chose; on that day, and on the next."""
    chosen = {"field": "best_time", "otherwise": "23:59"}
    return {
        "schedule": {
            "zone": zone,
            "steps": [
                {"number": 1, "content": "question"},
                {"number": 2, "content": "reminder", "time": chosen},
                {"number": 3, "days": 1, "content": "reminder", "time": chosen},
            ],
        },
        "contents": {"question": _text("At what time?"), "reminder": _text("It is time")},
        "replies": {"time": {"field": "best_time", "confirm": {"en": "{us}: at {time}."}}},
    }


def _noon(now: datetime) -> ZoneInfo:
    """A zone where it is about noon, so that no midnight comes in between."""
    return min((ZoneInfo(name) for name in ZONES), key=lambda zone: abs(now.astimezone(zone).hour - 12))


def _waits(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def sandbox(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A provider that takes messages of one number, and tells the server that is started here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE")
    with SandboxProcess.start(tmp_path_factory.mktemp("times")) as started:
        made = bare.ok(
            "channel", "create", "staff", "--set", f"base_url={started.url}", "--set", f"sender={SENDER}",
            "--credential", "token=sandbox-token", "--credential", "app_secret=sandbox-secret",
            "--rate", "1000", "--json",
        ).json  # fmt: skip
        started.configure(numbers={SENDER: {"callback_url": f"{base}/hooks/{made['id']}"}})
        process = bare.start("serve", "--port", str(port), CLARION_PUBLIC_URL=base)
        until_said(process, "Clarion listens on")
        yield started
        end(process)


@pytest.mark.nightly  # it waits for the next minute; what leads to it is in tests/flow/test_times_by_reply.py
def test_somebody_writes_a_time_back_and_hears_the_next_message_then(
    bare: Terminal, sandbox: SandboxProcess
) -> None:
    zone = _noon(Clock().now())
    rows = ("id,name,phone,best_time", f"E-1,Amina,+{AMINA},", "E-2,Abebe,+251911000002,23:58", "")
    bare.write("people.csv", "\n".join(rows))
    bare.ok("import", "contacts", "people.csv", "--group", "Nurses", "--create-fields")
    bare.write("ask.json", json.dumps(_asking(zone.key)))
    bare.ok("sequence", "create", "ask.json", "--name", "Ask", "--everyone", "--launch")

    def heard() -> list[str]:
        return [one["text"] for one in sandbox.phone(AMINA) if one["direction"] == "in"]

    assert _waits(lambda: len(heard()) == 1)

    def hears(patience: int) -> bool:
        """The reply comes in a while before its minute; on a machine that is slow the minute may be gone."""
        wanted = (Clock().now() + timedelta(seconds=patience + 60)).replace(second=0, microsecond=0)
        written = f"{wanted.astimezone(zone):%H:%M}"
        sandbox.inbound(AMINA, written, SENDER)
        assert _waits(lambda: heard()[-1] == f"Selam Clinic: at {written}.")
        before = len(heard())
        soon = (wanted - Clock().now()).total_seconds()
        if not _waits(lambda: len(heard()) > before, max(soon, 0) + LATE):
            return False
        assert Clock().now() >= wanted
        return True

    assert any(hears(patience) for patience in (EARLY, 3 * EARLY))
    shown = bare.ok("sequence", "person", "Ask", "E-1", "--json").json
    assert [one["step"] for one in shown["next"]] == [3]
    assert shown["times"] == {"best_time": _due(bare, zone)}

    assert bare.ok("sequence", "steer", "choose", "Ask", "E-1", "--time", "06:15", "--json").json["done"] == 1
    assert _waits(lambda: "06:15" in _due(bare, zone))
    refused = bare.run("sequence", "steer", "choose", "Ask", "E-1", "--time", "6pm")
    assert (refused.code, "Write it as 18:30" in refused.err) == (65, True)
    nobody = bare.run("sequence", "steer", "choose", "Ask", "--time", "18:30")
    assert (nobody.code, "nobody is named" in nobody.err) == (65, True)
    everybody = ("sequence", "steer", "choose", "Ask", "--group", "nurses", "--time", "", "--json")
    assert bare.ok(*everybody).json["done"] == 2
    assert _waits(lambda: "23:59" in _due(bare, zone))


def _due(terminal: Terminal, zone: ZoneInfo) -> str:
    """When Amina hears next, by the sequence's clock."""
    everybody = terminal.ok("sequence", "people", "Ask", "--json").json
    one = next(each for each in everybody if each["external_id"] == "E-1")
    return f"{datetime.fromisoformat(one['next_due']).astimezone(zone):%H:%M}"
