"""Telling the operator: what needs a person is told once a cause, by mail or by a web call.

A notice that cannot be delivered is tried again, ever more rarely; it is on the operator's list and in
the log in any case. One process tells at a time, and it notes what it told when that was taken over
there: only a process that dies in between tells a notice twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from uuid import UUID

import orjson
from yarl import URL

from clarion.domain.address import parse_address
from clarion.domain.refusal import Refusal
from clarion.errors import ClarionError, Misconfigured, Unavailable
from clarion.flow.services import Services
from clarion.kit import mail
from clarion.kit.db import Row
from clarion.kit.http import Http, NeverSent, Unanswered
from clarion.kit.log import logger
from clarion.store import notice
from clarion.store import workspace as workspaces

FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0  # seconds between tries that failed, doubled each time
log = logger(__name__)


@dataclass(slots=True)
class _Rest:
    """How long a workspace's operator is left alone after deliveries that failed."""

    wait: float
    until: float


_resting: dict[UUID, _Rest] = {}


async def notify(services: Services, http: Http, workspace_id: UUID) -> int:
    """Tell what nobody was told yet; how many notices were delivered.

    A web call is a POST of JSON: {id, workspace, cause, level, text, first_at, last_at, times}; anything
    but a 2xx counts as not delivered. Whether it may go to a private address is `http`'s to say.
    """
    ticks = services.clock.monotonic()
    rest = _resting.get(workspace_id)
    if rest is not None and rest.until > ticks:
        return 0
    delivered = 0
    try:
        while await _next(services, http, workspace_id):
            delivered += 1
    except ClarionError as error:
        _tire(workspace_id, ticks, rest)
        log.error("an operator could not be told", workspace=str(workspace_id), why=error.what)
    else:
        _resting.pop(workspace_id, None)
    return delivered


async def _next(services: Services, http: Http, workspace_id: UUID) -> bool:
    """Tell the oldest notice that is untold; False when there is none, or another process is at it."""
    async with services.db.tenant(workspace_id) as connection:
        if not await notice.untold(connection, 1) or not await notice.take_turn(connection):
            return False
        for one in await notice.untold(connection, 1):  # as it is now that it is our turn
            await _tell(services, http, await workspaces.get(connection), one)
            await notice.told(connection, one["id"], services.clock.now())
            return True
        return False


def _tire(workspace_id: UUID, ticks: float, rest: _Rest | None) -> None:
    wait = FIRST_WAIT if rest is None else min(rest.wait * 2, LONGEST_WAIT)
    _resting[workspace_id] = _Rest(wait, ticks + wait)


async def _tell(services: Services, http: Http, home: Row, one: Row) -> None:
    address = home["operator_address"]
    if not address:
        log.warning("somebody should know, and no operator's address is set", cause=one["cause"])
    elif address.startswith("mailto:"):
        await _mail(services, address, home, one)
    else:
        await _call(http, address, home, one)


async def _mail(services: Services, address: str, home: Row, one: Row) -> None:
    url = services.settings.smtp_url
    if url is None:
        raise Misconfigured(
            "an operator is to be told by mail, and there is no mail server", where="CLARION_SMTP_URL"
        )
    to = parse_address(address.partition("?")[0])
    if isinstance(to, Refusal):
        raise to.error("operator_address")
    message = EmailMessage()
    message["From"] = services.settings.smtp_from
    message["To"] = to.path
    message["Subject"] = f"Clarion, {' '.join(home['name'].split())}: {one['level']}"
    # the same for every try, so that a second copy is recognised as one
    message["Message-ID"] = f"<{one['id']}@clarion>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's autoresponder answers
    message.set_content(
        f"{one['text']}\n\nWorkspace: {home['name']}\nCause: {one['cause']}\n"
        f"Since: {one['first_at']:%Y-%m-%d %H:%M:%S} UTC\n"
    )
    await mail.send(url.get_secret_value(), message)


async def _call(http: Http, address: str, home: Row, one: Row) -> None:
    body = {key: one[key] for key in ("id", "cause", "level", "text", "first_at", "last_at", "times")}
    body["workspace"] = home["name"]
    try:
        answer = await http.call(
            "POST",
            URL(address),
            headers={"Content-Type": "application/json"},
            body=orjson.dumps(body),
            total_timeout=10.0,
        )
    except (NeverSent, Unanswered) as error:
        raise Unavailable(f"the operator's address does not answer: {error}") from error
    if not 200 <= answer.status < 300:
        raise Unavailable(f"the operator's address answered {answer.status}")
