"""Forwarding: each save is posted to the address of the settings, well or badly, and written down.

CommCare makes the document when it posts it. Here each save keeps its own, so that an old one can come after
a newer one, and again, however late.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from clarion.sandbox.commcare.project import Case
from clarion.sandbox.commcare.shapes import forwarded
from clarion.sandbox.rapidpro.workspace import spelled
from clarion.sandbox.world import World

if TYPE_CHECKING:
    import aiohttp

    from clarion.sandbox.commcare.settings import CommCareSettings


@dataclass(slots=True)
class Post:
    """A document that is to be posted, and how often that was tried."""

    case: Case
    tries: int = 0


class Forwarder:
    """Posts one after another. `posts` is the record: every try, with the status that was answered (None:
    no answer)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._empty()

    def _empty(self) -> None:
        self._held: list[Case] = []
        self._queue: deque[Post] = deque()
        self._later: set[asyncio.TimerHandle] = set()
        self.posts: list[dict[str, Any]] = []
        self.given_up = 0

    @property
    def _settings(self) -> CommCareSettings:
        return self._world.config.commcare

    def told(self) -> dict[str, Any]:
        """The record, and what still waits: `held` for others to be saved, `waiting` to be posted."""
        posting = self._task is not None and not self._task.done()
        waiting = len(self._queue) + len(self._later) + posting
        return {
            "posts": self.posts, "held": len(self._held), "waiting": waiting, "given_up": self.given_up,
        }  # fmt: skip

    def saved(self, case: Case) -> None:
        """Post this version, when as many as are to be mixed up are there."""
        if self._settings.forward.url is None:
            return
        self._held.append(case)
        if len(self._held) >= self._settings.forward.reorder:
            self.release()

    def release(self) -> int:
        """Post what is held, the last first where they are to be mixed up; how many versions."""
        held, self._held = self._held, []
        forward = self._settings.forward
        for case in reversed(held) if forward.reorder > 1 else held:
            self.again(case, 1 + forward.duplicates)
        return len(held)

    def again(self, case: Case, times: int = 1) -> None:
        """Post this version so many times."""
        self._queue.extend(Post(case) for _ in range(times))
        self._start()

    def reset(self) -> None:
        """Forget all that has not been posted, and the record."""
        for handle in self._later:
            handle.cancel()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._empty()

    async def close(self) -> None:
        self.reset()
        if self._session is not None:
            await self._session.close()

    # --- posting

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._work())

    async def _work(self) -> None:
        while self._queue:
            await self._post(self._queue.popleft())

    async def _post(self, post: Post) -> None:
        forward = self._settings.forward
        if forward.url is None:
            return
        post.tries += 1
        status = await self._try(forward.url, post.case)
        case = post.case
        self.posts.append(
            {"case_id": case.case_id, "version": case.version, "try": post.tries, "status": status}
        )
        if status is not None and 200 <= status < 300:
            return
        if post.tries > forward.retries:
            self.given_up += 1
            return
        self._put_off(post, forward.backoff * 2 ** (post.tries - 1))

    def _put_off(self, post: Post, seconds: float) -> None:
        def due() -> None:
            self._later.discard(handle)
            self._queue.append(post)
            self._start()

        handle = self._loop.call_later(seconds, due)
        self._later.add(handle)

    async def _try(self, url: str, case: Case) -> int | None:
        import aiohttp  # only a sandbox that forwards pays for this import

        settings = self._settings
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"User-Agent": "clarion-sandbox"})
        headers = {
            "Content-Type": "application/json", "server-modified-on": spelled(case.server_modified_on),
            **settings.forward.headers,
        }  # fmt: skip
        body = orjson.dumps(forwarded(case, settings.domain))
        limit = aiohttp.ClientTimeout(total=settings.forward.timeout)
        try:
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False, timeout=limit
            ) as reply:
                await reply.read()
                return reply.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
