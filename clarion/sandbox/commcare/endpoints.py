"""What the project answers: its list of cases to whoever has the key, and the control of all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from clarion.errors import Invalid
from clarion.sandbox.bodies import decoded
from clarion.sandbox.commcare.forwarding import Forwarder
from clarion.sandbox.commcare.listing import BadQuestion, page
from clarion.sandbox.commcare.project import Case, Indexed, Project, Save
from clarion.sandbox.commcare.settings import CommCareSettings
from clarion.sandbox.commcare.shapes import forwarded, listed
from clarion.sandbox.config import checked
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.rapidpro.throttle import Throttle
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import World

_PATH = re.compile(r"/a/([^/]+)/api/case/v2/")
_SECOND = 1_000_000


class Again(BaseModel):
    """`POST /sandbox/commcare/forward`: post this version of a case (the newest) once more, or so many times;
    without a case, post what is held."""

    model_config = ConfigDict(extra="forbid")

    case_id: str | None = None
    version: int | None = Field(default=None, ge=1)
    times: int = Field(default=1, ge=1, le=1000)


class CommCare:
    """Serves one project; emptied with the sandbox's record."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._forwarder = Forwarder(world)
        self._run = ""
        self._cut, self._cut_of = 0, world.config.commcare
        self._same_record()
        self.controls: dict[tuple[str, str], Callable[[Exchange], object]] = {
            ("POST", "commcare/cases"): self._save,
            ("DELETE", "commcare/cases"): self._delete,
            ("GET", "commcare/cases"): lambda _: self._truth(),
            ("POST", "commcare/index"): lambda _: {"cases": self._here().indexed_again()},
            ("GET", "commcare/posts"): lambda _: self._posts(),
            ("POST", "commcare/forward"): self._forward,
        }

    async def close(self) -> None:
        await self._forwarder.close()

    def _same_record(self) -> None:
        if self._run != self._world.record.run:
            self._run = self._world.record.run
            self._project = Project(self._world.clock.now)
            self._throttle = Throttle()
            self._forwarder.reset()

    def _here(self) -> Project:
        self._same_record()
        return self._project

    @property
    def _settings(self) -> CommCareSettings:
        return self._world.config.commcare

    @property
    def _lag(self) -> int:
        return round(self._settings.index_lag * _SECOND)

    # --- what CommCare answers

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is that of a list of cases."""
        match = _PATH.fullmatch(head.path)
        return None if match is None else lambda exchange: self._whole(exchange, match[1])

    def _whole(self, exchange: Exchange, domain: str) -> bytes | None:
        """The answer, but for lists that are to be cut."""
        answer, settings = self._list(exchange.head, domain), self._settings
        if settings is not self._cut_of:
            self._cut_of, self._cut = settings, settings.cut
        if not self._cut or not answer.startswith(b"HTTP/1.1 200"):
            return answer
        self._cut -= 1
        if exchange.transport is not None:
            exchange.transport.write(answer[: len(answer) // 2])
        exchange.hang_up()
        return None

    def _list(self, head: Head, domain: str) -> bytes:
        settings = self._settings
        if not self._known(head):
            return response(401, b"", "text/html", headers=[("WWW-Authenticate", 'Basic realm="Restricted"')])
        if domain != settings.domain:
            return response(404, b"Not Found", "text/html")
        if head.method != "GET":
            return response(405, orjson.dumps({"error": "Request method not allowed"}))
        project, now = self._here(), self._world.clock.now()
        wait = self._throttle.wait("cases", now, settings.requests, settings.window)
        if wait is not None:
            return response(429, b"", "text/html", headers=[("Retry-After", f"{wait:.1f}")])
        pairs = [(name, value) for name, values in head.query.items() for value in values]
        address = f"http://{head.headers.get('host', '')}{head.path}"
        try:
            return response(200, orjson.dumps(page(project.listed(), pairs, address, domain)))
        except BadQuestion as question:
            return response(400, orjson.dumps({"error": str(question)}))
        except ValueError:  # a cursor that is none: it breaks down over it
            return response(500, b"<h1>500</h1>", "text/html")

    def _known(self, head: Head) -> bool:
        kind, _, given = head.headers.get("authorization", "").partition(" ")
        username, _, key = given.partition(":")
        known = username == self._settings.username and key in self._world.config.tokens
        return kind.lower() == "apikey" and known

    # --- what people do there, and the truth

    def _save(self, exchange: Exchange) -> object:
        project = self._here()
        case = project.save(checked(Save, decoded(exchange.body)), self._lag)
        self._forwarder.saved(case)
        return self._shown(case)

    def _delete(self, exchange: Exchange) -> object:
        case_id = exchange.head.first("case_id")
        if not case_id:
            raise Invalid("say which case", where="case_id", hint="DELETE /sandbox/commcare/cases?case_id=…")
        return self._shown(self._here().delete(case_id, self._lag))

    def _truth(self) -> object:
        newest = [versions[-1] for versions in self._here().versions.values()]
        return {"cases": [self._shown(case) for case in newest]}

    def _shown(self, case: Case) -> dict[str, Any]:
        """Both documents of a version, as if it had been indexed at once."""
        domain = self._settings.domain
        return {
            "case_id": case.case_id, "version": case.version, "deleted": case.deleted,
            "listed": listed(Indexed(case, case.server_modified_on), domain),
            "forwarded": forwarded(case, domain),
        }  # fmt: skip

    def _posts(self) -> object:
        self._same_record()
        return self._forwarder.told()

    def _forward(self, exchange: Exchange) -> object:
        project = self._here()
        again = checked(Again, decoded(exchange.body) if exchange.body else {})
        if again.case_id is None:
            return {"versions": self._forwarder.release()}
        if self._settings.forward.url is None:
            raise Invalid("nothing is forwarded", where="commcare.forward.url", hint="set the address first")
        self._forwarder.again(project.case(again.case_id, again.version), again.times)
        return {"versions": 1}
