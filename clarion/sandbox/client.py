"""Start and control a sandbox from a test, a benchmark or a script. Standard library only, synchronous."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit


class SandboxRefusal(Exception):
    """The sandbox's control API did not like a request. `problem` is the decoded problem+json."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class SandboxClient:
    """Controls a sandbox that listens at `url`, whoever started it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request to the control API (`path` below /sandbox/), decoded. Raises SandboxRefusal."""
        status, raw = self._request(method, f"/sandbox/{path}", body)
        document = json.loads(raw)
        if status >= 400:
            raise SandboxRefusal(status, document)
        return document

    def address(self, protocol: str = "http") -> str:
        """Where it listens for this protocol: "http", "smtp" or "smpp"."""
        return self.url if protocol == "http" else str(self.call("GET", "addresses")[protocol])

    def configure(self, **changes: object) -> dict[str, Any]:
        """Merge changes into the settings; None brings one back to its default. Gives all settings."""
        return dict(self.call("PATCH", "config", changes))

    def summary(self) -> dict[str, Any]:
        """The counts of the record (docs/sandbox.md tells the keys)."""
        return dict(self.call("GET", "record/summary"))

    def people(self, more_than: int = 0) -> dict[str, int]:
        """Person → number of messages on their phone, for those with more than so many."""
        found = self.call("GET", f"record/people?more_than={more_than}")["people"]
        return {person["to"]: person["shown"] for person in found}

    def accepted(self) -> list[dict[str, Any]]:
        """Every accepted message, in the order of the requests."""
        return self._lines("record/dump")

    def requests(self) -> list[dict[str, Any]]:
        """Every request that reached the sandbox, whatever became of it."""
        return self._lines("record/dump?all")

    def messages(self, *, reference: str | None = None, to: str | None = None) -> list[dict[str, Any]]:
        """Every request with this reference, or for this person."""
        query = {"reference": reference} if reference is not None else {"to": to}
        return list(self.call("GET", f"record/messages?{urlencode(query)}")["messages"])

    def phone(self, person: str) -> list[dict[str, Any]]:
        """What this person's phone shows, oldest first."""
        return list(self.call("GET", f"phone/{quote(person)}")["messages"])

    def fault(
        self,
        name: str,
        parameter: float | None = None,
        *,
        count: int | None = 1,
        to: str | None = None,
        reference: str | None = None,
    ) -> None:
        """Strike the next `count` calls (None: all) that are for `to` and whose reference begins so."""
        self.call(
            "POST",
            "faults",
            {"fault": name, "parameter": parameter, "count": count, "to": to, "reference": reference},
        )

    def clear_faults(self) -> None:
        """Empty the queue of faults."""
        self.call("DELETE", "faults")

    def inbound(self, person: str, text: str, phone_number_id: str | None = None) -> dict[str, Any]:
        """A person writes; opens the service window and posts the webhook."""
        return dict(
            self.call("POST", "inbound", {"from": person, "text": text, "phone_number_id": phone_number_id})
        )

    def tap(self, person: str, which: str, phone_number_id: str | None = None) -> dict[str, Any]:
        """A person taps a choice of the last message that had any, by its title or what it brings back."""
        return dict(
            self.call("POST", "inbound", {"from": person, "tap": which, "phone_number_id": phone_number_id})
        )

    def receipt(
        self, status: str, *, wamid: str | None = None, reference: str | None = None, times: int = 1
    ) -> None:
        """Post a status of accepted messages now, `times` times."""
        self.call(
            "POST", "receipts", {"status": status, "wamid": wamid, "reference": reference, "times": times}
        )

    def verify(self, phone_number_id: str, **fields: str) -> dict[str, Any]:
        """Ask the callback address for its challenge."""
        return dict(self.call("POST", "verify", {"phone_number_id": phone_number_id, **fields}))

    def reset(self, *, config: bool = False) -> None:
        """Empty the record and the queue of faults; with `config`, also take the default settings."""
        self.call("POST", "reset", {"config": config})

    def wait_for_webhooks(self, timeout: float = 30.0) -> dict[str, Any]:
        """Wait until no webhook is waiting any more; gives their counts. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while True:
            webhooks: dict[str, Any] = self.call("GET", "webhooks")
            if webhooks["pending"] == 0:
                return webhooks
            if time.monotonic() > end:
                raise TimeoutError(f"webhooks are still waiting after {timeout} s: {webhooks}")
            time.sleep(0.02)

    def _lines(self, path: str) -> list[dict[str, Any]]:
        _, raw = self._request("GET", f"/sandbox/{path}")
        return [json.loads(line) for line in raw.splitlines()]

    def _request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            raw = None if body is None else json.dumps(body).encode()
            connection.request(method, path, raw, {"Connection": "close"})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


class SandboxProcess(SandboxClient):
    """A sandbox in a process of its own, started by us. Also a context manager that stops it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        super().__init__(url)
        self.process = process
        self.log = log

    @classmethod
    def start(
        cls, folder: Path, *, port: int = 0, record: Path | None = None, roster: Path | None = None,
        timeout: float = 30.0, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None,
        **config: object,
    ) -> SandboxProcess:  # fmt: skip
        """Launch a sandbox with these settings and wait until it listens.

        Its settings, log and ready file are written to `folder`. Raises RuntimeError with the log's end
        when it ends early, TimeoutError when it takes longer than `timeout` seconds.
        """
        folder.mkdir(parents=True, exist_ok=True)
        settings, ready, log = folder / "sandbox.json", folder / "sandbox.ready", folder / "sandbox.log"
        settings.write_text(json.dumps(config))
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "clarion.sandbox", "--port", str(port), "--config", str(settings),
                   "--ready-file", str(ready), "--end-with-stdin"]  # fmt: skip
        command += ["--record", str(record)] if record else []
        command += ["--roster", str(roster)] if roster else []
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*command, *arguments], stdin=subprocess.PIPE, stdout=output, stderr=output,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,  # Ctrl-C is for whoever started it, who stops it in order
            )  # fmt: skip
        return cls(process, _wait_until_ready(process, ready, log, timeout), log)

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, wait, and give the exit code; SIGKILL when it takes longer than `timeout` seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self._ended()

    def kill(self) -> int:
        """SIGKILL: the provider vanishes."""
        self.process.kill()
        return self._ended()

    def _ended(self) -> int:
        if self.process.stdin is not None:
            self.process.stdin.close()
        return self.process.wait()

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _wait_until_ready(process: subprocess.Popen[bytes], ready: Path, log: Path, timeout: float) -> str:
    end = time.monotonic() + timeout
    while True:
        if ready.exists():
            return str(json.loads(ready.read_text())["url"])
        if process.poll() is not None:
            said = log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the sandbox ended with {process.returncode} before it listened: {said}")
        if time.monotonic() > end:
            process.kill()
            process.wait()
            raise TimeoutError(f"the sandbox did not listen within {timeout} s")
        time.sleep(0.01)
