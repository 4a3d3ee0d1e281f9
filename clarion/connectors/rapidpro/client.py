"""A client of RapidPro's API v2: pages of lists, and single things written.

It keeps to the 3,600 requests an hour that a workspace has, and waits where it is told to come again. What
was not answered is asked once more where it only reads; a write of which nobody knows is told as such.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import orjson
from yarl import URL

from clarion.errors import Conflict, Invalid, Misconfigured, NotFound, Unavailable
from clarion.kit.clock import Clock
from clarion.kit.http import Answer, Http, NeverSent, Unanswered, prepared

REQUESTS, WINDOW = 3600, 3600.0  # of one scope
TRIES = 6  # of what was not answered
LONGEST_BACKOFF = 30.0
THROTTLED = 60.0  # seconds, where it does not say
MOST_THROTTLED = 50  # in a row
LARGEST_PAGE = 32 << 20  # 250 people with all their fields: what its Http should read
_BROKEN = (500, 502, 503, 504)
Row = dict[str, Any]
Query = Mapping[str, str]


class LostPlace(Exception):
    """It does not know the page where a list was to go on."""


class Refused(Invalid):
    """RapidPro does not take this. `body` is what it says, by field."""

    def __init__(self, what: str, body: Any) -> None:
        super().__init__(what)
        self.body = body


class Unsure(Unavailable):
    """A write was sent and not answered: nobody knows whether it was done."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list; `cursor` leads to the next ones, empty at the end."""

    rows: list[Row]
    cursor: str


class Client:
    """One workspace. `waiting` is told of every wait, in seconds; `requests` are those of an hour."""

    def __init__(
        self, http: Http, clock: Clock, base_url: str, token: str, *, connect_timeout: float = 5.0,
        total_timeout: float = 60.0, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        waiting: Callable[[float], None] = lambda seconds: None, requests: int = REQUESTS,
    ) -> None:  # fmt: skip
        self._http, self._base = http, base_url.rstrip("/")
        self._headers = prepared({"Authorization": f"Token {token}", "Content-Type": "application/json"})
        self._timeouts = {"connect_timeout": connect_timeout, "total_timeout": total_timeout}
        self._clock, self._sleep, self._waiting = clock, sleep, waiting
        self._requests = requests
        self._taken: dict[str, deque[float]] = {}

    # --- what it can be asked

    async def page(self, name: str, query: Query, cursor: str = "") -> Page:
        """One page of a list. Raises LostPlace for a cursor that it does not know, Misconfigured and
        Unavailable.

        Of the address of the next page only the cursor is heeded: our token goes nowhere else.
        """
        answer = await self._call("GET", name, {**query, **({"cursor": cursor} if cursor else {})})
        if cursor and answer.status in (400, 404):
            raise LostPlace
        said = _read(answer, name)
        rows = said.get("results") if isinstance(said, dict) else None
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            raise Unavailable(f"RapidPro's answer for {name} is no list", hint=_ADDRESS)
        following = parse_qs(urlsplit(str(said.get("next") or "")).query).get("cursor", [""])[0]
        if following and following == cursor:
            raise Unavailable(f"RapidPro's list of {name} does not end")
        return Page(rows, following)

    async def all(self, name: str, query: Query | None = None) -> list[Row]:
        """All rows of a short list."""
        rows: list[Row] = []
        cursor = ""
        while True:
            page = await self.page(name, query or {}, cursor)
            rows += page.rows
            if not page.cursor:
                return rows
            cursor = page.cursor

    async def post(self, name: str, body: Mapping[str, Any], lookup: Query | None = None) -> Row:
        """Make a thing, or with a `lookup` change it; how it is now. Raises Refused (400), NotFound, Conflict
        (the workspace may have no more of them), Unsure, Misconfigured, Unavailable."""
        said = _read(await self._call("POST", name, lookup or {}, orjson.dumps(body)), name)
        return said if isinstance(said, dict) else {}

    async def delete(self, name: str, lookup: Query) -> None:
        """Take a thing away. Raises as `post`."""
        _read(await self._call("DELETE", name, lookup), name)

    # --- how

    async def _call(self, method: str, name: str, query: Query, body: bytes | None = None) -> Answer:
        """The answer, whatever it says, but no 429, and no 5xx of a read. Raises Unavailable, Unsure."""
        url = URL(f"{self._base}/api/v2/{name}.json{_encoded(query)}", encoded=True)
        failed = throttled = 0
        while True:
            await self._turn("contacts" if name == "contacts" else "")
            answer = await self._asked(method, url, body)
            if isinstance(answer, Answer) and answer.status == 429:
                throttled += 1
                if throttled > MOST_THROTTLED:
                    raise Unavailable("RapidPro lets nobody in: too many requests", hint="Try again later.")
                await self._wait(_retry_after(answer) or THROTTLED)
                continue
            why = _why_again(answer, method)
            if not why:
                assert isinstance(answer, Answer)
                return answer
            failed += 1
            if failed >= TRIES:
                raise Unavailable(
                    f"RapidPro does not answer: {why}", hint="Try again later; it goes on then."
                )
            await self._wait(min(2.0 ** (failed - 1), LONGEST_BACKOFF))

    async def _asked(self, method: str, url: URL, body: bytes | None) -> Answer | NeverSent | Unanswered:
        """One request. Raises Unsure where a write was not answered."""
        try:
            return await self._http.call(method, url, headers=self._headers, body=body, **self._timeouts)
        except NeverSent as error:
            return error
        except Unanswered as error:
            if method != "GET":
                what = f"RapidPro did not answer a change ({error}): nobody knows whether it was made"
                raise Unsure(what, hint="Look there, or do it again where that does no harm.") from error
            return error

    async def _turn(self, scope: str) -> None:
        """Wait for our turn among the requests of an hour."""
        taken = self._taken.setdefault(scope, deque())
        now = self._clock.monotonic()
        while taken and taken[0] <= now - WINDOW:
            taken.popleft()
        if len(taken) >= self._requests:
            await self._wait(taken[0] + WINDOW - now)
        taken.append(self._clock.monotonic())

    async def _wait(self, seconds: float) -> None:
        self._waiting(seconds)
        await self._sleep(seconds)


_ADDRESS = "Is the channel's base_url that of a RapidPro? `clarion channel show NAME` tells it."


def _why_again(answer: Answer | NeverSent | Unanswered, method: str) -> str:
    """Why it should be asked once more; empty where it has been answered."""
    if not isinstance(answer, Answer):
        return str(answer)
    return f"HTTP {answer.status}" if answer.status in _BROKEN and method == "GET" else ""


def _read(answer: Answer, name: str) -> Any:
    """What an answer says. Raises what the other statuses mean."""
    try:
        said = orjson.loads(answer.body) if answer.body else None
    except ValueError:
        said = None
    status = answer.status
    if status in (200, 201, 204):
        if said is None and status != 204:
            raise Unavailable(f"RapidPro's answer for {name} is no JSON", hint=_ADDRESS)
        return said
    if status in (401, 403):
        hint = "`clarion channel set NAME --credential token=@FILE` gives it another."
        raise Misconfigured(
            "RapidPro does not know the channel's token", where="credentials.token", hint=hint
        )
    if status == 404:
        raise NotFound(f"RapidPro has no such {name}", hint=_ADDRESS)
    if status == 409:
        raise Conflict(f"RapidPro allows no more {name}: {words(said)}")
    if status == 400:
        raise Refused(f"RapidPro refuses it: {words(said)}", said)
    if status >= 500:
        raise Unsure(f"RapidPro broke down over a change (HTTP {status}): nobody knows whether it was made")
    raise Unavailable(f"RapidPro answers HTTP {status} for {name}", hint=_ADDRESS)


def words(said: Any) -> str:
    """The first words of a complaint, however deep they stand, and of which field."""
    field = ""
    while isinstance(said, list | dict) and said:
        if isinstance(said, dict):
            key, said = next(iter(said.items()))
            field = field or (key if key not in ("non_field_errors", "detail") else "")
        else:
            said = said[0]
    text = said[:300] if isinstance(said, str) else "it does not say why"
    return f"{field}: {text}" if field else text


def _encoded(query: Query) -> str:
    return f"?{urlencode(query, quote_via=quote, safe='')}" if query else ""


def _retry_after(answer: Answer) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 10.2.3, the delay form), at most a day."""
    given = answer.headers.get("Retry-After", "").strip()
    return min(float(given), 86_400.0) if given.isdigit() else None
