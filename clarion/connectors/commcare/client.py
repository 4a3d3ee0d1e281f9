"""A client of CommCare's Case Data API v2: pages of the list of cases. It only reads.

What was not answered is asked again, and where it says *too many* it waits as long as it is told. Of the
link to the next page only the cursor is heeded: our key goes to no other address.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import orjson
from yarl import URL

from clarion.errors import Invalid, Misconfigured, Unavailable
from clarion.kit.http import Answer, Http, NeverSent, Unanswered, prepared

TRIES = 6  # of what was not answered
LONGEST_BACKOFF = 30.0
THROTTLED = 60.0  # seconds, where it does not say
LONGEST_WAIT = 86_400.0
MOST_THROTTLED = 50  # in a row
LARGEST_PAGE = 64 << 20  # bytes of a page of cases: what its Http should read
_BROKEN = (500, 502, 503, 504)
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?", re.ASCII)
_ADDRESS = "Is this CommCare's address? It is https://www.commcarehq.org, or that of your region or server."
Row = dict[str, Any]
Query = Sequence[tuple[str, str]]
"""Names with values; the same name twice asks for either."""


class LostPlace(Exception):
    """It does not know the page where the list was to go on."""


class Refused(Invalid):
    """CommCare does not take this question."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some cases of the list, as they are told; `cursor` leads to the next ones, empty at the end. `left` is
    how many there were, these among them."""

    rows: list[Row]
    cursor: str
    left: int


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks what: the server's address, the project space (what follows /a/ in its addresses), the user
    and their API key."""

    base_url: str
    domain: str
    username: str
    key: str

    @property
    def url(self) -> str:
        return f"{self.base_url.rstrip('/')}/a/{quote(self.domain, safe='')}/api/case/v2/"


class Client:
    """One project space. `waiting` is told of every wait, in seconds, which `sleep` makes."""

    def __init__(
        self, http: Http, account: Account, *, connect_timeout: float = 5.0, total_timeout: float = 120.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        waiting: Callable[[float], None] = lambda seconds: None,
    ) -> None:  # fmt: skip
        self._http, self._account = http, account
        credentials = f"ApiKey {account.username}:{account.key}"
        self._headers = prepared({"Authorization": credentials, "Accept": "application/json"})
        self._timeouts = {"connect_timeout": connect_timeout, "total_timeout": total_timeout}
        self._sleep, self._waiting = sleep, waiting

    async def page(self, query: Query, cursor: str = "") -> Page:
        """The first page of what is asked for, or with a `cursor` the one that it leads to: it holds the
        whole question, and nothing else is asked then.

        Raises LostPlace for a cursor that it does not know, Refused, Misconfigured and Unavailable.
        """
        answer = await self._call([("cursor", cursor)] if cursor else query)
        if cursor and answer.status in (400, 500):
            raise LostPlace
        said = self._read(answer)
        rows = said.get("cases") if isinstance(said, dict) else None
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            raise Unavailable("CommCare's answer is no list of cases", hint=_ADDRESS)
        following = _cursor(said.get("next"))
        if following and (following == cursor or not rows):
            raise Unavailable("CommCare's list of cases does not end", hint="Try again later.")
        left = said.get("matching_records")
        return Page(rows, following, left if isinstance(left, int) else len(rows))

    # --- how

    async def _call(self, query: Query) -> Answer:
        """The answer, whatever it says, but no 429 and no 5xx; a 500 only to a cursor, which is how it says
        that it cannot read one. Raises Unavailable."""
        url = URL(f"{self._account.url}{_encoded(query)}", encoded=True)
        to_cursor = [name for name, _ in query] == ["cursor"]
        failed = throttled = 0
        while True:
            answer = await self._asked(url)
            if isinstance(answer, Answer) and answer.status == 429:
                throttled += 1
                if throttled > MOST_THROTTLED:
                    raise Unavailable("CommCare lets nobody in: too many requests", hint="Try again later.")
                await self._wait(_retry_after(answer))
                continue
            why = _why_again(answer)
            if not why:
                assert isinstance(answer, Answer)
                return answer
            failed += 1
            if failed >= TRIES:
                if to_cursor and isinstance(answer, Answer) and answer.status == 500:
                    return answer
                raise Unavailable(
                    f"CommCare does not answer: {why}", hint="Try again later; it goes on then."
                )
            await self._wait(min(2.0 ** (failed - 1), LONGEST_BACKOFF))

    async def _asked(self, url: URL) -> Answer | NeverSent | Unanswered:
        try:
            return await self._http.call("GET", url, headers=self._headers, body=None, **self._timeouts)
        except (NeverSent, Unanswered) as error:
            return error

    async def _wait(self, seconds: float) -> None:
        self._waiting(seconds)
        await self._sleep(seconds)

    def _read(self, answer: Answer) -> Any:
        """What an answer says. Raises what the other statuses mean."""
        status, account = answer.status, self._account
        if status == 200:
            return _json(answer.body)
        if status == 401:
            hint = "A key is made in CommCare under My Account, API Keys; so is the username told there."
            raise Misconfigured("CommCare does not know this user and key", where="key", hint=hint)
        if status == 403:
            hint = "Their role needs Edit Data and access to APIs, and the key this project and our address."
            what = f"CommCare does not let {account.username} list the cases of {account.domain}"
            raise Misconfigured(what, where="username", hint=hint)
        if status == 404:
            hint = "Its name is what follows /a/ in the addresses of its pages."
            raise Misconfigured(f"CommCare has no project {account.domain}", where="domain", hint=hint)
        if status == 400:
            raise Refused(f"CommCare refuses the question: {_words(answer.body)}")
        raise Unavailable(f"CommCare answers HTTP {status}", where="base_url", hint=_ADDRESS)


def _why_again(answer: Answer | NeverSent | Unanswered) -> str:
    """Why it should be asked once more; empty where it has been answered."""
    if not isinstance(answer, Answer):
        return str(answer)
    return f"HTTP {answer.status}" if answer.status in _BROKEN else ""


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        cut = len(body) >= LARGEST_PAGE
        what = "a page of CommCare's is too large to be read" if cut else "CommCare's answer is no JSON"
        raise Unavailable(what, hint="Ask for fewer cases a page." if cut else _ADDRESS) from None


def _words(body: bytes) -> str:
    try:
        said = orjson.loads(body)
    except ValueError:
        said = None
    error = said.get("error") if isinstance(said, dict) else None
    return error[:300] if isinstance(error, str) and error else "it does not say why"


def _cursor(following: Any) -> str:
    """Of the next page: from its address, or from an object that holds it."""
    if isinstance(following, dict):
        following = following.get("cursor")
        return following if isinstance(following, str) else ""
    return parse_qs(urlsplit(following).query).get("cursor", [""])[0] if isinstance(following, str) else ""


def _encoded(query: Query) -> str:
    return f"?{urlencode(query, quote_via=quote, safe='')}" if query else ""


def _retry_after(answer: Answer) -> float:
    """Seconds of a Retry-After header (the delay form; CommCare writes fractions), at most a day."""
    given = answer.headers.get("Retry-After", "").strip()
    return min(float(given), LONGEST_WAIT) if _SECONDS.fullmatch(given) else THROTTLED
