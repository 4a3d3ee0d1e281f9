"""Re-reading RapidPro's lists: what became of messages and flow starts, and what people wrote.

Messages are listed by when they were made, and a status that changes does not move one. So two windows are
read again: the last minutes each time, and the last day (`reread_hours`) now and then. Flow starts are listed
by when they changed. What was told before, unchanged, is left out; whoever begins anew tells it once more,
which comes to the same.

A reading goes on where the last one ended: `cursor` is kept by the caller, together with what was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from yarl import URL

from clarion.domain.content import REFERENCE_PARAM
from clarion.kit.clock import Clock
from clarion.kit.http import Http
from clarion.providers.abilities import Reread
from clarion.providers.calling import asked, encoded, retry_after
from clarion.providers.contract import Account, Call, Evidence, Inbound, Pairs, Receipt, Told

EVERY = 60.0  # seconds between two readings, where the channel does not say
HOURS = 24.0  # of the large window, where the channel does not say
OVERLAP = timedelta(minutes=10)  # of the small one: copies lag, and some things are listed late
LARGE_EVERY = timedelta(minutes=30)
PAGES = 4  # of one list at once, 250 rows each
AT_MOST = 30.0  # seconds of turning pages at once, and for a page
THROTTLED = 60.0  # seconds, where it does not say
MOST_KNOWN = 20_000  # rows of which it is remembered what was told

MESSAGES: Mapping[str, Evidence] = {
    "initializing": Evidence.ACCEPTED,
    "queued": Evidence.ACCEPTED,
    "wired": Evidence.ACCEPTED,
    "sent": Evidence.ACCEPTED,
    "errored": Evidence.ACCEPTED,  # and tried again there
    "resent": Evidence.ACCEPTED,
    "delivered": Evidence.DELIVERED,
    "read": Evidence.READ,
    "failed": Evidence.FAILED,
}
STARTS: Mapping[str, Evidence] = {
    "pending": Evidence.ACCEPTED,
    "queued": Evidence.ACCEPTED,
    "starting": Evidence.ACCEPTED,
    "started": Evidence.ACCEPTED,
    "complete": Evidence.ACCEPTED,  # the person is in the flow, or was left out of it: it does not say
    "completed": Evidence.ACCEPTED,
    "failed": Evidence.FAILED,
}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list; `next` leads to more, "" at the end; `at` is when it was told, by its clock."""

    rows: list[Row]
    next: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Silence:
    """There was no page. `wait` is in seconds, where it is told."""

    why: str
    wait: float | None = None
    lost: bool = False  # it does not know the place where it was to go on


class Lists:
    """The lists of one workspace."""

    def __init__(self, http: Http, account: Account, base: str, headers: Mapping[str, str]) -> None:
        self._account = replace(account, total_timeout=min(account.total_timeout, AT_MOST))
        self._http, self._base, self._headers = http, base, headers

    async def page(self, name: str, query: Pairs, cursor: str = "") -> Page | Silence:
        """One page of a list; of the address of the next one only its cursor is heeded."""
        more = [("cursor", cursor)] if cursor else []
        url = URL(f"{self._base}/api/v2/{name}.json?{encoded([*query, *more])}", encoded=True)
        answer = await asked(self._http, self._account, "GET", url, self._headers)
        if isinstance(answer, Told):
            return Silence(answer.code or "unreachable")
        if answer.status == 429:
            return Silence("throttled", retry_after(answer.headers) or THROTTLED)
        if answer.status != 200:
            return Silence(f"http_{answer.status}", lost=bool(cursor) and answer.status in (400, 404))
        try:
            said = orjson.loads(answer.body)
            rows = [dict(row) for row in said["results"]]
            following = parse_qs(urlsplit(said["next"] or "").query).get("cursor", [""])[0]
        except (ValueError, KeyError, TypeError):
            return Silence("unreadable")
        return Page(rows, following, _told_at(answer.headers))


class Rereader:
    """Of one account. It remembers what it told; what the caller did not keep is told again."""

    def __init__(self, lists: Lists, clock: Clock, options: Mapping[str, Any]) -> None:
        self._lists, self._clock = lists, clock
        self._every = float(options.get("poll_every", EVERY))
        self._window = timedelta(hours=float(options.get("reread_hours", HOURS)))
        self._known: dict[str, str] = {}
        self._telling: dict[str, str] = {}
        self._cursor: str | None = None

    async def poll(self, cursor: str) -> Reread:
        """What is news since; a few pages at once."""
        state, until = self._taken_up(cursor), self._clock.monotonic() + AT_MOST
        calls: list[Call] = []
        ends = [
            await self._walk("messages", state, calls, until),
            await self._walk("flow_starts", state, calls, until),
        ]
        state["name"] = token_hex(8)  # no two cursors are equal
        self._cursor = orjson.dumps(state, option=orjson.OPT_SORT_KEYS).decode()
        silent = [end for end in ends if isinstance(end, Silence)]
        if silent:
            waits = [one.wait for one in silent if one.wait is not None]
            return Reread(tuple(calls), self._cursor, max(waits, default=None), silent[0].why)
        return Reread(tuple(calls), self._cursor, self._every if all(ends) else 0.0)

    def _taken_up(self, cursor: str) -> Row:
        """Where to go on. That the caller comes with our last cursor says that it kept what we told."""
        if cursor == self._cursor:
            self._known |= self._telling
            for one in list(self._known)[: max(0, len(self._known) - MOST_KNOWN)]:
                del self._known[one]
        # until this question has an end, no cursor says that anything of it was kept
        self._telling, self._cursor = {}, None
        if cursor:
            state: Row = orjson.loads(cursor)
            return state
        now = spelled(self._clock.now())
        return {"began": now, "messages": {"since": now, "large": now}, "flow_starts": {"since": now}}

    async def _walk(self, name: str, state: Row, calls: list[Call], until: float) -> bool | Silence:
        """Read on in a list, one page at least; whether its end was reached."""
        part = state[name]
        walk = part.setdefault("walk", None) or self._beginning(name, state)
        query = [("after", walk["after"]), *([("reverse", "true")] if name == "flow_starts" else [])]
        for _ in range(PAGES):
            page = await self._lists.page(name, query, walk["page"])
            if isinstance(page, Silence):
                part["walk"] = None if page.lost else walk
                return page
            walk["began"] = walk["began"] or spelled(page.at or self._clock.now())
            if news := [row for row in page.rows if self._is_news(name, row)]:
                body = orjson.dumps({name: news})
                calls.append(Call("GET", "", {"content-type": "application/json"}, body))
            walk["page"] = page.next
            if not page.next:
                part |= {"walk": None, "since": walk["began"]}
                if walk["large"]:
                    part["large"] = walk["began"]
                return True
            if self._clock.monotonic() > until:
                break
        part["walk"] = walk
        return False

    def _beginning(self, name: str, state: Row) -> Row:
        part, now = state[name], self._clock.now()
        after = moment(part["since"]) - OVERLAP
        large = name == "messages" and now - moment(part["large"]) >= LARGE_EVERY
        if large:
            after = min(after, max(now - self._window, moment(state["began"]) - OVERLAP))
        return {"after": spelled(after), "page": "", "began": "", "large": large}

    def _is_news(self, name: str, row: Row) -> bool:
        """Whether it is of ours, or of a person, and was not told as it is."""
        if name == "flow_starts":
            key, tells = f"f{row.get('uuid')}", reference_of(row) is not None
        else:
            key = f"m{row.get('id')}"
            tells = row.get("direction") == "in" or row.get("broadcast") is not None
        status = str(row.get("status"))
        if not tells or self._known.get(key) == status or self._telling.get(key) == status:
            return False
        self._telling[key] = status
        return True


def read(call: Call) -> list[Receipt | Inbound]:
    """What a reading brought. Raises ValueError for what none did."""
    said = orjson.loads(call.body)
    if not isinstance(said, dict) or not said.keys() & {"messages", "flow_starts"}:
        raise ValueError("this is nothing that was read of RapidPro's lists")
    told = [_of_message(row) for row in said.get("messages", ())]
    told += [_of_start(row) for row in said.get("flow_starts", ())]
    return [one for one in told if one is not None]


def _of_message(row: Row) -> Receipt | Inbound | None:
    if row["direction"] == "in":
        return _written(row)
    evidence = MESSAGES.get(str(row["status"]))
    if evidence is None or row["broadcast"] is None:
        return None
    failed = evidence is Evidence.FAILED
    when = row.get("sent_on") if evidence is Evidence.ACCEPTED else row.get("modified_on")
    return Receipt(evidence, told_moment(when), None, str(row["broadcast"]), "failed" if failed else None)


def _written(row: Row) -> Inbound | None:
    """A message of a person; None where the workspace hides who it is, or it is of a kind that we have no
    addresses for. A URN may go on with what is shown (`#`) and more (`?`)."""
    scheme, _, path = str(row.get("urn") or "").partition("#")[0].partition("?")[0].partition(":")
    if scheme not in ("tel", "whatsapp") or not path:
        return None
    address = f"+{path}" if scheme == "whatsapp" and path.isdigit() else path
    return Inbound(
        str(row["id"]), scheme, address, str(row.get("text") or ""), told_moment(row.get("created_on"))
    )


def _of_start(row: Row) -> Receipt | None:
    evidence = STARTS.get(str(row["status"]))
    if evidence is None:
        return None
    code = "failed" if evidence is Evidence.FAILED else None
    return Receipt(evidence, told_moment(row.get("modified_on")), reference_of(row), str(row["uuid"]), code)


def reference_of(row: Row) -> str | None:
    """What a flow start keeps of ours, if it is one of ours."""
    params = row.get("params")
    found = params.get(REFERENCE_PARAM) if isinstance(params, dict) else None
    return found if isinstance(found, str) else None


def moment(text: str) -> datetime:
    """A moment in the API's spelling. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)


def told_moment(text: Any) -> datetime | None:
    """The same of a row; None where it tells none that can be read."""
    try:
        return moment(str(text))
    except ValueError:
        return None


def spelled(at: datetime) -> str:
    """The same in its own spelling: UTC, to the microsecond."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _told_at(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
