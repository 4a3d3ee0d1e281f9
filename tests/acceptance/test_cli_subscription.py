"""Somebody subscribes by the command line, and hears from a real worker what became of an announcement."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.acceptance.command import Listener, Terminal

PATIENCE = 60.0
AMINA, JUMA = "254712000001", "254712000004"


@dataclass
class Portal:
    """A server that takes everything."""

    url: str = ""
    told: list[dict[str, Any]] = field(default_factory=list)

    def types(self) -> Counter[str]:
        return Counter(one["type"] for one in self.told)


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = Portal()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/clarion"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_worker_tells_what_became_of_an_announcement(selam: Terminal, portal: Portal) -> None:
    types = ("message.accepted", "campaign.completed")
    asked = [word for kind in types for word in ("--type", kind)]
    secret = selam.ok("subscription", "create", "portal", portal.url, *asked, "--json").json["secret"]
    worker = selam.start("worker")
    listener = Listener(worker)
    selam.ok("subscription", "test", "portal")
    wait_for(portal, {"subscription.test": 1})
    selam.write("people.csv", f"name,phone\nAmina,+{AMINA}\nJuma,+{JUMA}\n")
    words = ("--channel", "staff", "--name", "closed", "--no-wait")
    selam.ok("send", "--to", "people.csv", "--template", "clinic", "--param", "Closed on Monday", *words)
    wait_for(portal, {"subscription.test": 1, "message.accepted": 2, "campaign.completed": 1})
    logged = listener.end()

    assert not any(word in json.dumps(portal.told) for word in (AMINA, JUMA, "Amina"))
    assert secret.removeprefix("whsec_") not in logged
    assert portal.url not in logged
    (listed,) = selam.ok("subscription", "list", "--json").json
    assert (listed["state"], listed["waiting"], listed["given_up"]) == ("active", 0, 0)


def wait_for(portal: Portal, types: dict[str, int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while portal.types() != types:
        assert time.monotonic() < deadline, portal.types()
        time.sleep(0.05)


def test_a_subscription_is_steered_by_its_name(selam: Terminal) -> None:
    address = "http://127.0.0.1:9/"
    made = selam.ok("subscription", "create", "archive", address, "--type", "channel.paused", "--json").json
    rotated = selam.ok("subscription", "rotate", "archive", "--json").json
    paused = selam.ok("subscription", "pause", "archive", "--reason", "being moved")
    again = selam.ok("subscription", "pause", made["id"])
    table = selam.ok("subscription", "list")
    refused = selam.run("subscription", "test", "archive")
    selam.ok("subscription", "resume", "archive")
    told = selam.ok("subscription", "again", "archive")
    selam.ok("subscription", "remove", "archive")
    gone = selam.run("subscription", "pause", "archive")

    assert made["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert "Paused" in paused.err
    assert "being moved" in again.err
    assert "paused: being moved" in table.out
    assert made["secret"] not in table.out
    assert refused.code == 75
    assert "0 events" in told.err
    assert gone.code == 66
