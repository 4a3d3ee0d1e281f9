"""The two ends that a sandbox has: who calls it, and who receives its webhooks. And the people."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import http.server
import json
import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

AMINA = "251911000001"
BEKELE = "251911000002"
CHALTU = "251911000003"
NUMBER = "100200300"
SECRET = b"sandbox-secret"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> int:
        """The provider's code of an error."""
        return int(self.json["error"]["code"])

    @property
    def wamid(self) -> str:
        return str(self.json["messages"][0]["id"])


def text_to(
    person: str, text: str = "The office is closed on Monday.", reference: str = ""
) -> dict[str, Any]:
    body = {"messaging_product": "whatsapp", "to": person, "type": "text", "text": {"body": text}}
    return body | ({"biz_opaque_callback_data": reference} if reference else {})


def template_to(
    person: str, name: str, *values: str, language: str = "en", reference: str = ""
) -> dict[str, Any]:
    parameters = [{"type": "text", "text": value} for value in values]
    template = {
        "name": name,
        "language": {"code": language},
        "components": [{"type": "body", "parameters": parameters}] if values else [],
    }
    body = {"messaging_product": "whatsapp", "to": person, "type": "template", "template": template}
    return body | ({"biz_opaque_callback_data": reference} if reference else {})


class Caller:
    """Sends one request at a time on a kept connection, and never one twice by itself."""

    def __init__(
        self, url: str, token: str = "sandbox-token", number: str = NUMBER, timeout: float = 10.0
    ) -> None:
        self.address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.path = f"/v21.0/{number}/messages"
        self.connection = http.client.HTTPConnection(*self.address, timeout=timeout)

    def send(self, body: object) -> Answer:
        """POST a message. Raises what http.client raises when there is no whole answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", self.path, raw)

    def text(self, person: str, text: str = "The office is closed on Monday.", reference: str = "") -> Answer:
        return self.send(text_to(person, text, reference))

    def look_up(self, reference: str) -> Answer:
        return self.request("GET", f"{self.path}?reference={reference}")

    def request(self, method: str, path: str, raw: bytes | None = None) -> Answer:
        try:
            self.connection.request(method, path, raw, self.headers)
            reply = self.connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def raw(self, body: object) -> bytes:
        """The bytes of such a request, for a socket of one's own."""
        raw = json.dumps(body).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: sandbox\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw

    def socket(self, timeout: float = 10.0) -> socket.socket:
        return socket.create_connection(self.address, timeout)

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()


@dataclass(slots=True)
class Webhook:
    body: Any
    genuine: bool

    @property
    def value(self) -> Any:
        return self.body["entry"][0]["changes"][0]["value"]


@dataclass
class Inbox:
    """What a receiver took, and how it behaves."""

    webhooks: list[Webhook] = field(default_factory=list)
    refuse: int = 0
    refused: int = 0
    challenge_with: str | None = None
    news: threading.Condition = field(default_factory=threading.Condition)


class Receiver:
    """Our side of the webhooks: takes them on a thread, keeps them in order, checks their signatures."""

    def __init__(self) -> None:
        self.inbox = inbox = Inbox()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                with inbox.news:
                    if inbox.refuse:
                        inbox.refuse -= 1
                        inbox.refused += 1
                        self._reply(503, b"")
                        return
                    wanted = "sha256=" + hmac.new(SECRET, raw, hashlib.sha256).hexdigest()
                    genuine = hmac.compare_digest(self.headers["X-Hub-Signature-256"], wanted)
                    inbox.webhooks.append(Webhook(json.loads(raw), genuine))
                    inbox.news.notify_all()
                self._reply(200, b"")

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                good = query["hub.mode"] == ["subscribe"] and query["hub.verify_token"] == ["sandbox-verify"]
                self._reply(200 if good else 403, query["hub.challenge"][0].encode() if good else b"no")

            def _reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/sandbox"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def statuses(self) -> list[dict[str, Any]]:
        """All statuses in the order in which they came."""
        with self.inbox.news:
            return [s for webhook in self.inbox.webhooks for s in webhook.value.get("statuses", [])]

    def names(self, reference: str) -> list[str]:
        """The statuses of one reference, in the order in which they came."""
        return [s["status"] for s in self.statuses() if s.get("biz_opaque_callback_data") == reference]

    def wait_for_statuses(self, count: int) -> list[dict[str, Any]]:
        with self.inbox.news:
            self.inbox.news.wait_for(
                lambda: sum(len(w.value.get("statuses", [])) for w in self.inbox.webhooks) >= count, 20
            )
        return self.statuses()

    def wait_for_message(self) -> dict[str, Any]:
        """The first message that a person wrote."""

        def said() -> list[dict[str, Any]]:
            return [m for webhook in self.inbox.webhooks for m in webhook.value.get("messages", [])]

        with self.inbox.news:
            assert self.inbox.news.wait_for(said, 20)
            return said()[0]

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
