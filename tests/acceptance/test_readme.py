"""The README's first steps, typed as they stand there: by command, and by API."""

from __future__ import annotations

import json
import re
import shlex
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal, end, until_said
from tests.house import House

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
PEOPLE = """name,phone,groups
Amina Wanjiru,0712 123 001,Nurses
Abebe Bikila,+254712123002,Nurses
Amina Wanjiru,+254 712 123 001,Ward 3
"""


def typed(heading: str) -> list[str]:
    """What a chapter of the README tells the reader to type, without comments."""
    chapter = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = "\n".join(re.findall(r"```\n(.*?)```", chapter, re.DOTALL))
    return [re.sub(r"\s+# .*", "", one) for one in re.split(r"\n(?=\w)", lines.strip())]


@pytest.fixture
def newcomer(house: House, tmp_path: Path) -> Terminal:
    """A terminal of somebody who has just cloned the project."""
    url = house.url(house.new_database())
    return Terminal(tmp_path, {"CLARION_DATABASE_URL": url, "CLARION_ALLOW_PRIVATE_ADDRESSES": "true"})


def test_the_first_steps_by_command(newcomer: Terminal, sandbox: SandboxProcess) -> None:
    sandbox.reset()
    newcomer.write("people.csv", PEOPLE)
    said = {}
    for line in typed("First steps with your own list"):
        words = shlex.split(line.replace("http://127.0.0.1:9400", sandbox.url))
        if words[0] == "clarion" and words[1] != "sandbox":
            said[words[1]] = newcomer.ok(*words[1:])
    assert sandbox.summary()["people"] == 2
    assert sandbox.summary()["people_with_two"] == 0
    assert (newcomer.folder / "who-got-it.xlsx").exists()
    assert "Closed on Friday" in said["explain"].out
    assert set(said) == {"workspace", "channel", "send", "announcement", "explain", "doctor"}


@pytest.fixture
def api(selam: Terminal) -> Iterator[str]:
    """Where `clarion serve` listens."""
    serving = selam.start("serve", "--port", "0")
    try:
        said = until_said(serving, "Clarion listens on ")[-1]
        yield said.partition("listens on ")[2].split()[0]
    finally:
        end(serving)


def test_the_first_steps_by_api(selam: Terminal, sandbox: SandboxProcess, api: str) -> None:
    sandbox.reset()
    key = selam.ok("key", "create", "portal", "--scope", "admin", "--json").json["key"]
    channel = selam.ok("channel", "show", "staff", "--json").json["id"]
    values = {"KEY": key, "CHANNEL": channel, "ID": ""}
    answers: dict[str, Any] = {}
    for line in typed("By API"):
        line = line.replace("http://127.0.0.1:8600", api).replace("\\\n", " ")
        for name, value in values.items():
            line = line.replace(f"${name}", value)
        url, answer = call(shlex.split(line))
        answers[url.rpartition("/")[2]] = answer
        if url.endswith("/announcements"):
            values["ID"] = answer["id"]
        if url.endswith("/launch"):
            until_done(api, key, values["ID"])
    assert answers["contacts"]["created"] == 1
    assert answers["preview"]["counts"]["reachable"] == 1
    assert answers["progress"]["counts"] == {"accepted": 1}
    assert "Abeba Tesfaye" in answers["results"]
    assert (sandbox.summary()["people"], sandbox.summary()["people_with_two"]) == (1, 0)


def until_done(api: str, key: str, announcement: str) -> None:
    """Wait until the announcement has ended."""
    words = [
        "curl",
        f"{api}/api/v1/announcements/{announcement}/progress",
        "-H",
        f"Authorization: Bearer {key}",
    ]
    deadline = time.monotonic() + 60
    while call(words)[1]["state"] != "completed":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def call(words: list[str]) -> tuple[str, Any]:
    """What curl would do with these words: the address, and the answer (parsed where it is JSON)."""
    assert words[0] == "curl"
    given: dict[str, list[str]] = {"-X": [], "-H": [], "-d": []}
    url = ""
    rest = iter(words[1:])
    for word in rest:
        if word in given:
            given[word].append(next(rest))
        else:
            url = word
    request = urllib.request.Request(
        url, method=(given["-X"] or ["GET"])[0], data=given["-d"][0].encode() if given["-d"] else None
    )
    for header in given["-H"]:
        name, _, value = header.partition(": ")
        request.add_header(name, value)
    with urllib.request.urlopen(request, timeout=30) as reply:
        text = reply.read().decode()
        return url, json.loads(text) if "json" in reply.headers["Content-Type"] else text
