"""The API as a stranger meets it: a real server on loopback, spoken to over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import uvicorn
from fastapi import FastAPI


@dataclass
class Reply:
    """What came back. `json` is the body where it is JSON."""

    status: int
    headers: dict[str, str]
    body: bytes
    json: Any = None


@dataclass
class Api:
    """Somebody with a key (or without), at a server."""

    base: str
    key: str | None = None
    workspace_id: UUID | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        headers = {**self.headers, **options.pop("headers", {})}
        if self.key:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.base + path, headers=headers, **options) as response,
        ):
            body = await response.read()
            lowered = {name.lower(): value for name, value in response.headers.items()}
            is_json = "json" in lowered.get("content-type", "")
            return Reply(
                response.status, lowered, body, await response.json(content_type=None) if is_json else None
            )

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.send("GET", path, **options)

    async def post(self, path: str, json: Any = None, once: str | None = None, **options: Any) -> Reply:
        """`once` is the Idempotency-Key."""
        headers = {**options.pop("headers", {}), **({"Idempotency-Key": once} if once else {})}
        return await self.send("POST", path, json=json, headers=headers, **options)

    async def patch(self, path: str, json: Any) -> Reply:
        return await self.send("PATCH", path, json=json)


class _Server(uvicorn.Server):
    """It leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The application on a free port of loopback; its address."""
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            task.result()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
