"""RapidPro's API as a program asks it, with nothing between."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.rapidpro import WORKSPACE

TOKEN = "sandbox-token"
NUMBERS = {WORKSPACE: {"provider": "rapidpro"}}


@dataclass
class Answered:
    """A whole answer; `body` is its JSON, None where there is none."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class There:
    """One workspace of RapidPro."""

    sandbox: SandboxProcess
    token: str = TOKEN

    def ask(self, method: str, url: str, body: object = None) -> Answered:
        raw = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, raw, headers, method=method)
        try:
            with urllib.request.urlopen(request) as reply:
                return _answered(reply.status, reply.read(), reply.headers)
        except urllib.error.HTTPError as error:
            return _answered(error.code, error.read(), error.headers)

    def url(self, name: str, /, **query: object) -> str:
        return f"{self.sandbox.url}/api/v2/{name}.json" + (f"?{urlencode(query)}" if query else "")

    def get(self, name: str, /, **query: object) -> Answered:
        return self.ask("GET", self.url(name, **query))

    def post(self, name: str, body: object, **query: object) -> Answered:
        return self.ask("POST", self.url(name, **query), body)

    def delete(self, name: str, /, **query: object) -> Answered:
        return self.ask("DELETE", self.url(name, **query))

    def made(self, name: str, /, **body: object) -> dict[str, Any]:
        """What was made of this, which must be right."""
        answered = self.post(name, body)
        assert answered.status == 201, answered
        return dict(answered.body)

    def changed(self, name: str, by: str, /, **body: object) -> dict[str, Any]:
        """How the thing of this UUID is after that."""
        answered = self.post(name, body, uuid=by)
        assert answered.status == 200, answered
        return dict(answered.body)

    def act(self, action: str, *contacts: str, **more: object) -> None:
        answered = self.post("contact_actions", {"contacts": list(contacts), "action": action, **more})
        assert answered.status == 204, answered

    def listed(self, name: str, /, **query: object) -> list[dict[str, Any]]:
        """All rows, page by page."""
        rows: list[dict[str, Any]] = []
        following: str | None = self.url(name, **query)
        while following:
            body = self.ask("GET", following).body
            rows += body["results"]
            following = body["next"]
        return rows

    def by_hand(self, what: str, contact: str) -> None:
        """Stop, archive or restore somebody, as a person at its screen does."""
        assert self.ask("POST", f"{self.sandbox.url}/rapidpro/{what}/{contact}").status == 200


def _answered(status: int, raw: bytes, headers: Any) -> Answered:
    return Answered(status, json.loads(raw) if raw else None, dict(headers))
