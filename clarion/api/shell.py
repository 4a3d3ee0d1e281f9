"""Around every request: its id, its size, what it may hold, how long it took, and what we say of it.

Plain ASGI, because FastAPI's own middleware classes read the body and lose context variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clarion.api import problems
from clarion.errors import ClarionError, Invalid, TooLarge
from clarion.flow.services import Services
from clarion.kit.log import correlated, logger

log = logger(__name__)
REQUEST_ID = "X-Request-ID"
MEGABYTE = 1024 * 1024

# Only what is plainly an identifier is taken over: a caller's own words would end up in our logs.
_OURS_TOO = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}|[0-9A-HJKMNP-TV-Z]{26}")
_QUIET = ("/healthz", "/readyz", "/metrics", "/hooks/")


@dataclass(frozen=True)
class Limits:
    """Bytes that a body may have: `usual`, and by beginning of the path where it is more or less."""

    usual: int = 32 * MEGABYTE
    by_prefix: dict[str, int] = field(
        default_factory=lambda: {
            "/api/v1/imports": 1024 * MEGABYTE,
            "/hooks": 4 * MEGABYTE,
            "/inbound": 8 * MEGABYTE,
        }
    )

    def of(self, path: str) -> int:
        return next((most for prefix, most in self.by_prefix.items() if path.startswith(prefix)), self.usual)


class Shell:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, services: Services, limits: Limits) -> None:
        self.app = app
        self.services = services
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send, self.limits.of(scope["path"]))
        began = self.services.clock.monotonic()
        with correlated(request_id=visit.request_id):
            try:
                await self._inside(visit)
            finally:
                self._told(visit, self.services.clock.monotonic() - began)

    async def _inside(self, visit: _Visit) -> None:
        try:
            visit.check()
            await self.app(visit.scope, visit.receive, visit.send)
        except ClarionError as error:
            await visit.answer(problems.reply(error, visit.request_id))
        except Exception:
            log.exception("a request failed unexpectedly", method=visit.scope["method"], route=visit.route)
            await visit.answer(problems.unexpected(visit.request_id))

    def _told(self, visit: _Visit, seconds: float) -> None:
        metrics, method, route = self.services.metrics, visit.scope["method"], visit.route
        metrics.requests.labels(method if method in _METHODS else "other", route, visit.status).inc()
        metrics.request.labels(route).observe(seconds)
        # receipts come by the thousand, and are counted; only those that fail are told
        if visit.status >= 400 or not visit.scope["path"].startswith(_QUIET):
            log.info("request", method=method, route=route, status=visit.status, seconds=round(seconds, 4))


_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


class _Visit:
    """One request on its way in and out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        headers = dict(scope["headers"])
        offered = headers.get(REQUEST_ID.lower().encode(), b"").decode("latin-1")
        self.request_id = offered if _OURS_TOO.fullmatch(offered) else str(uuid4())
        scope.setdefault("state", {})["request_id"] = self.request_id
        self.scope, self._receive, self._send, self.most = scope, receive, send, most
        self.declared = headers.get(b"content-length", b"")
        self.status, self.started, self._taken = 0, False, 0

    @property
    def route(self) -> str:
        """The path's pattern (its values are people's and rows'), "" where there was none."""
        route = self.scope.get("route")
        return str(getattr(route, "path", ""))

    def check(self) -> None:
        """Raises for what no route could take."""
        if b"%00" in self.scope.get("query_string", b"") or "\x00" in self.scope["path"]:
            raise Invalid("an address holds no NUL character", where="address")
        if self.declared.isdigit() and int(self.declared) > self.most:
            raise self._too_large()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            if self._taken > self.most:
                raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.request_id
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def answer(self, response: ASGIApp) -> None:
        """Say it, unless something was said already: then the connection is cut, which says it too."""
        if self.started:
            raise ConnectionAbortedError("the reply had begun when it failed")
        await response(self.scope, self._receive, self.send)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"a request to this address has at most {self.most // MEGABYTE} MB",
            where="body",
            hint="Send less at once; files go to /api/v1/imports.",
            extra={"most_bytes": self.most},
        )
