"""Google's service accounts: an access token for many calls, in exchange for a signed assertion.

RFC 7523 as Google's OAuth 2.0 documentation for server-to-server applications has it: a JWT of the account,
signed with its key (RS256), is exchanged at its `token_uri` for a bearer token of about an hour. The library
signs; the call is ours. Whatever goes wrong here, nothing of a message was sent: no end of it is unknown.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import orjson
from yarl import URL

from clarion.errors import Misconfigured
from clarion.kit.clock import Clock
from clarion.kit.http import Answer, Http, prepared
from clarion.providers.calling import FORM, asked, encoded, retry_after
from clarion.providers.contract import Account, Answered, Fault, Told

if TYPE_CHECKING:  # slow to load, and for who has such a channel only
    from google.auth import crypt

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTED = timedelta(minutes=60)  # the longest that Google takes
_LONGEST = 3600.0
_EARLY = 300.0  # seconds before its end at which a token is renewed
# Errors that say nothing of the account: the token server could not answer now.
_PASSING = frozenset(("internal_failure", "server_error", "temporarily_unavailable"))
_HEADERS = prepared({"Content-Type": FORM, "Accept": "application/json"})


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What Google's JSON file of a service account says. `token_uri` is an https address."""

    project: str
    email: str
    token_uri: str
    signer: crypt.RSASigner = field(repr=False)


def service_account(text: str) -> ServiceAccount:
    """Raises Misconfigured, which repeats nothing of it."""
    from google.auth import crypt

    try:
        said: dict[str, Any] = orjson.loads(text)
        email, token_uri = str(said["client_email"]), str(said["token_uri"])
        signer = crypt.RSASigner.from_service_account_info(said)
        signer.sign(b"")  # a key of another kind is told now, and not by the first message
        if not token_uri.startswith("https://") or URL(token_uri).host is None:
            raise ValueError("token_uri")
        return ServiceAccount(str(said.get("project_id", "")), email, token_uri, signer)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Misconfigured(
            "credentials.service_account is not the JSON file of a Google service account",
            where="channel",
            hint="In Google's console: the project's service accounts, Keys, Add key, JSON. Give the whole "
            "file: `--credential service_account=@FILE`.",
        ) from None


@dataclass(slots=True)
class Tokens:
    """The account's present access token, shared by all calls of a sender. `stand_in`: an address that
    stands in for Google's, token server included; the assertion is meant for the real one all the same."""

    http: Http
    account: Account
    who: ServiceAccount
    scope: str
    clock: Clock
    stand_in: str = ""
    _token: str = ""
    _good: bool = False  # whether a call with the present token was taken
    _renewed_at: datetime | None = None
    _asking: asyncio.Task[str | Told] | None = None

    async def token(self) -> str | Told:
        """A token that is good for some minutes; or why there is none. Who waits for one waits for the same
        exchange."""
        if self._token and self._renewed_at is not None and self.clock.now() < self._renewed_at:
            return self._token
        if self._asking is None or self._asking.done():
            # In a context of its own: this call is no message's, so that none is marked as begun by it.
            self._asking = asyncio.create_task(self._exchange(), context=Context())
        return await asyncio.shield(self._asking)  # whoever gives up takes it from nobody else

    def took(self, token: str) -> None:
        """A call with this one was taken."""
        self._good = self._good or token == self._token

    def drop(self, token: str) -> bool:
        """A call with this one was refused; the next asks for another. Whether that may help: it was good a
        moment ago (Google withdrew it early, perhaps), or is not the present one any more."""
        if token != self._token:
            return True
        self._token = ""
        return self._good

    async def _exchange(self) -> str | Told:
        now = self.clock.now()
        claims = {
            "iss": self.who.email, "scope": self.scope, "aud": self.who.token_uri,
            "iat": int(now.timestamp()), "exp": int((now + ASSERTED).timestamp()),
        }  # fmt: skip
        from google.auth import jwt

        assertion = cast(bytes, jwt.encode(self.who.signer, claims)).decode()
        url = URL(self.who.token_uri)
        if self.stand_in:
            url = URL(self.stand_in.rstrip("/") + url.raw_path_qs, encoded=True)
        body = encoded([("grant_type", GRANT), ("assertion", assertion)]).encode()
        answer = await asked(self.http, self.account, "POST", url, _HEADERS, body)
        if isinstance(answer, Told):
            return Told(
                Answered.LATER, fault=Fault.NETWORK, code=f"token_{answer.code}", detail=answer.detail
            )
        if answer.status != 200:
            return _refused(answer)
        return self._keep(answer, now)

    def _keep(self, answer: Answer, now: datetime) -> str | Told:
        try:
            said = orjson.loads(answer.body)
            token, lasts = said["access_token"], min(float(said["expires_in"]), _LONGEST)
            if not isinstance(token, str) or not token.isascii() or not token.isprintable() or lasts <= 0:
                raise ValueError("no token")
        except (ValueError, KeyError, TypeError):
            return Told(Answered.LATER, fault=Fault.NETWORK, code="token_unreadable")
        self._token, self._good = token, False
        self._renewed_at = now + timedelta(seconds=lasts - min(_EARLY, lasts / 2))
        return token


def _refused(answer: Answer) -> Told:
    """No token: the account's fault where the answer is about the account, else it could not be reached."""
    try:
        said = orjson.loads(answer.body)
        word, detail = str(said["error"])[:60], str(said.get("error_description") or "")[:200] or None
    except (ValueError, KeyError, TypeError, AttributeError):
        word, detail = f"http_{answer.status}", None
    fault = Fault.NETWORK
    if answer.status == 429:
        fault = Fault.RATE
    elif 400 <= answer.status < 500 and word not in _PASSING:
        fault = Fault.ACCOUNT
    wait = None if fault is Fault.ACCOUNT else retry_after(answer.headers)
    return Told(Answered.LATER, fault=fault, code=f"token_{word}", detail=detail, retry_after=wait)
