"""Our hook without the rest of us: it keeps the calls as they came, and takes the genuine ones."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aiohttp import web

from clarion.providers.contract import Account, Call, Event, Provider, Receipt


class Hook:
    """Listens on loopback while it is open. Calls are judged once `provider` and `account` are set."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.forged = 0
        self.url = ""
        self.provider: Provider | None = None
        self.account: Account | None = None
        self._runner: web.AppRunner | None = None

    def heard(self) -> list[Event]:
        """What the genuine calls said, in the order in which they came."""
        assert self.provider is not None
        assert self.account is not None
        return [event for call in self.calls for event in self.provider.read(self.account, call)]

    def receipts(self) -> list[Receipt]:
        return [one for one in self.heard() if isinstance(one, Receipt)]

    async def hear(self, call: Call) -> None:
        """What a provider told over its sender's own connection."""
        self.calls.append(call)

    async def _take(self, request: web.Request) -> web.Response:
        assert self.provider is not None
        assert self.account is not None
        query = request.rel_url.raw_query_string
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(
            request.method, f"{self.url}?{query}" if query else self.url, headers, await request.read()
        )
        if not self.provider.verified(self.account, call):
            self.forged += 1
            return web.Response(status=401)
        self.calls.append(call)
        kind, text = self.provider.thanks
        return web.Response(body=text.encode(), headers={"Content-Type": kind} if text else {})

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/hooks/1", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/hooks/1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
