"""What a server logs of those who call it: what was asked and how it ended, and never of whom."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Listener, Terminal, until_said

AMINA = "254712345801"
WORDS = "The clinic closes at noon"
SECRET = "a-secret-of-the-hook"


@dataclass
class Caller:
    """A program with a key, at a server."""

    base: str
    key: str

    def call(self, method: str, path: str, body: Any = None) -> int:
        """The status of the answer."""
        request = urllib.request.Request(
            self.base + path, None if body is None else json.dumps(body).encode(), method=method,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code


def inbound(words: str) -> dict[str, Any]:
    """What a provider tells of a message of Amina's."""
    said = {
        "from": AMINA,
        "id": "wamid.1",
        "timestamp": "1772400000",
        "type": "text",
        "text": {"body": words},
    }
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "nurses"}, "messages": [said]}
    changes = [{"field": "messages", "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}


def test_a_servers_log_at_its_most_talkative_names_nobody(selam: Terminal, sandbox: SandboxProcess) -> None:
    scopes = ("--scope", "contacts:write", "--scope", "announcements:write")
    key = selam.ok("key", "create", "portal", *scopes, "--json").json["key"]
    [channel] = [one["id"] for one in selam.ok("channel", "list", "--json").json]
    process = selam.start("serve", "--port", "0", CLARION_LOG_LEVEL="DEBUG", CLARION_LOG_FORMAT="json")
    found = re.search(r"http://127\.0\.0\.1:\d+", until_said(process, "Clarion listens on")[-1])
    assert found is not None
    listener, portal = Listener(process), Caller(found[0], key)
    amina = {"name": "Amina", "addresses": [f"+{AMINA}", f"whatsapp:{AMINA}00000000000"]}
    notice = {
        "name": "Noon", "channel_id": channel, "audience": {"include": {"everyone": True}}, "text": WORDS,
    }  # fmt: skip
    statuses = [
        portal.call("POST", "/api/v1/contacts", {"contacts": [amina]}),
        portal.call("POST", "/api/v1/contacts", {"contacts": [{**amina, "shoe": WORDS}]}),
        portal.call("GET", f"/api/v1/contacts/search?q=%2B{AMINA}"),
        portal.call("POST", "/api/v1/announcements", notice),
        portal.call("POST", "/api/v1/announcements", {**notice, "text": WORDS + " {{ contact.nam }}"}),
        portal.call("POST", f"/hooks/{channel}", inbound(WORDS)),
        portal.call("GET", f"/hooks/{channel}?hub.mode=subscribe&hub.verify_token={SECRET}&hub.challenge=1"),
        portal.call("GET", f"/nowhere/{AMINA}/{WORDS.replace(' ', '-')}"),
        Caller(portal.base, SECRET).call("GET", "/api/v1/contacts"),
    ]
    logged = listener.end()

    assert statuses == [200, 422, 200, 201, 422, 401, 403, 404, 401]
    assert logged.count('"event":"request"') >= len(statuses)
    assert '"level":"debug"' in logged
    for canary in ("Amina", AMINA[3:], WORDS, "clinic-closes", "Noon", "Selam", SECRET, key, key[-20:]):
        assert canary not in logged
