"""The head of an HTTP/1.1 request, parsed once for many; and the bytes of a response."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import httptools

if TYPE_CHECKING:
    from clarion.sandbox.server import Exchange

Handler = Callable[["Exchange"], bytes | None]
Route = Callable[["Head"], Handler]

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


def response(
    status: int, body: bytes, content_type: str = "application/json", headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """A whole HTTP/1.1 response, head and body, ready to be written."""
    head = f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\nContent-Type: {content_type}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def basic_login(header: str) -> tuple[str, str]:
    """User and password of an Authorization header of the kind Basic (RFC 7617); empty for any other."""
    kind, _, coded = header.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


class Head:
    """A request's parsed head, with the handler that answers it. Shared by all requests with these bytes."""

    __slots__ = ("chunked", "expects_continue", "handler", "headers", "keep_alive", "length", "method",
                 "path", "query", "upgrade")  # fmt: skip

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        self.query: dict[str, list[str]] = {}
        self.headers: dict[str, str] = {}
        self.length = 0
        self.keep_alive = True
        self.chunked = False
        self.expects_continue = False
        self.upgrade = False
        self.handler: Handler | None = None

    def first(self, name: str) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else None


class Collector:
    """What httptools calls back while it reads one request."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def parse_head(raw: bytes) -> Head:
    """Parse the bytes before the blank line. Raises ValueError when they are no HTTP/1.x request head."""
    collected = Collector()
    parser = httptools.HttpRequestParser(collected)
    try:
        parser.feed_data(raw + b"\r\n\r\n")
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise ValueError(str(error)) from error
    head = Head()
    head.headers = collected.headers
    head.method = parser.get_method().decode("ascii")
    parts = urlsplit(collected.url.decode("latin-1"))
    head.path = unquote(parts.path)
    head.query = parse_qs(parts.query, keep_blank_values=True)
    # The parser knows about keep-alive only when the message has ended, which a head alone may not.
    connection = head.headers.get("connection", "").lower()
    head.keep_alive = "keep-alive" in connection or (
        parser.get_http_version() != "1.0" and "close" not in connection
    )
    head.chunked = "chunked" in head.headers.get("transfer-encoding", "").lower()
    head.expects_continue = head.headers.get("expect", "").lower() == "100-continue"
    head.length = 0 if head.chunked else int(head.headers.get("content-length", "0"))
    return head
