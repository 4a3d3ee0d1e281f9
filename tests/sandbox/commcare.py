"""A project of CommCare's in the sandbox: what happens there, and its API as a program asks it."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from clarion.sandbox.client import SandboxClient
from tests.sandbox.rapidpro import Answered

DOMAIN, USERNAME, KEY = "selam", "amina@example.org", "sandbox-token"
AMINA, BABY = "case-amina", "case-baby"


@dataclass
class Project:
    """One project space. A save shows case_id, version, and both documents, `listed` and `forwarded`."""

    sandbox: SandboxClient
    username: str = USERNAME
    key: str = KEY
    domain: str = DOMAIN

    # --- what happens there

    def save(self, case_id: str | None = AMINA, /, **what: Any) -> dict[str, Any]:
        """Open a case, or save it; a pregnancy, where no other type is said."""
        shown = self.sandbox.call(
            "POST", "commcare/cases", {"case_id": case_id, "case_type": "pregnancy"} | what
        )
        return dict(shown)

    def delete(self, case_id: str) -> None:
        self.sandbox.call("DELETE", f"commcare/cases?case_id={case_id}")

    def index_anew(self) -> int:
        return int(self.sandbox.call("POST", "commcare/index")["cases"])

    def truth(self) -> dict[str, dict[str, Any]]:
        """Every case as it is, by its id."""
        return {one["case_id"]: one for one in self.sandbox.call("GET", "commcare/cases")["cases"]}

    # --- forwarding

    def forward(self, url: str, **settings: Any) -> None:
        self.sandbox.configure(commcare={"forward": {"url": url, "backoff": 0.02, **settings}})

    def again(self, case_id: str, version: int | None = None, times: int = 1) -> None:
        body = {"case_id": case_id, "version": version, "times": times}
        self.sandbox.call("POST", "commcare/forward", body)

    def release(self) -> int:
        return int(self.sandbox.call("POST", "commcare/forward")["versions"])

    def posts(self) -> dict[str, Any]:
        return dict(self.sandbox.call("GET", "commcare/posts"))

    async def settled(self, timeout: float = 30.0) -> dict[str, Any]:
        """The record, when nothing waits to be posted. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while (told := await asyncio.to_thread(self.posts))["waiting"]:
            if time.monotonic() > end:
                raise TimeoutError(f"still waiting: {told}")
            await asyncio.sleep(0.02)
        return told

    # --- its API

    def get(self, **query: Any) -> Answered:
        """The list; names may have a dot as `indexed_on__gte`."""
        asked = {name.replace("__", "."): value for name, value in query.items()}
        url = f"{self.sandbox.url}/a/{self.domain}/api/case/v2/"
        return self.ask(f"{url}?{urlencode(asked, doseq=True)}" if asked else url)

    def ask(self, url: str, method: str = "GET") -> Answered:
        headers = {"Authorization": f"ApiKey {self.username}:{self.key}"}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, None, headers, method=method)) as reply:
                return Answered(reply.status, json.loads(reply.read()), dict(reply.headers))
        except urllib.error.HTTPError as error:
            raw = error.read()
            told = json.loads(raw) if "json" in error.headers["Content-Type"] else None
            return Answered(error.code, told, dict(error.headers))

    def found(self, **query: Any) -> list[str]:
        """The ids of the cases on the first page."""
        return ids(self.get(**query))


def ids(answered: Answered) -> list[str]:
    assert answered.status == 200, answered
    return [one["case_id"] for one in answered.body["cases"]]
