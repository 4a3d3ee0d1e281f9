"""Apprise: whatever its hundred services reach, by an Apprise URL (docs/apprise.md).

Apprise answers True or False. What False means is read off what it logs about that call; what is not clear
there is unknown. It follows no redirect and repeats nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote, urlsplit

from clarion.domain.limits import Limits
from clarion.errors import Misconfigured
from clarion.kit.http import Answer, Http
from clarion.providers.calling import by_status, text_only
from clarion.providers.contract import Account, Answered, Call, Fault, Found, Parcel, Sender, Text, Told
from clarion.providers.threads import Overheard, Threads

_STATUS, _FAILED = re.compile(r"\berror=([1-5]\d\d)\b"), "Socket Exception"
_NEVER = re.compile("NewConnectionError|NameResolutionError|ConnectTimeoutError|CERTIFICATE_VERIFY_FAILED")
_LOCAL = {"dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}  # of the machine itself
_logged = Overheard("apprise", lambda record, words: record.levelno >= 30 or words.startswith(_FAILED))


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        self._account, self._http, self._threads = account, http, Threads("apprise", 8)
        self._title = str(account.options.get("title", ""))
        if self._service("0") is None:
            raise Misconfigured("credentials.url names no service that may be used", where="channel")

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text):
            return text_only("Apprise")
        service, said = self._service(parcel.address), (self._title, parcel.content.body)
        if service is None:
            return Told(Answered.REFUSED, fault=Fault.PERSON, code="not_writable")
        return await self._threads.run(lambda: told(service, *said), self._account.total_timeout)

    async def look_up(self, reference: str) -> Found | None:
        return None

    def _service(self, address: str) -> Any:
        """The service that the URL names, for this address; None where there is none, or none it may use."""
        from apprise import Apprise, AppriseAsset, OverflowMode  # slow, and for who has such a channel only

        to, host = quote(address, safe=""), urlsplit(self._account.base_url).netloc
        url = self._account.credentials.get("url", "").replace("{address}", to).replace("{host}", host)
        service: Any = Apprise.instantiate(url, asset=AppriseAsset(http_redirects=False))
        if service is None or service.schema in _LOCAL:
            return None
        # where the URL names the host, nobody could keep the connection to public places
        if "host" in service.template_tokens and not self._http.allow_private:
            return None
        service.redirects, service.overflow_mode = False, OverflowMode.UPSTREAM  # one request, as it is
        service.socket_connect_timeout = self._account.connect_timeout
        service.socket_read_timeout = self._account.total_timeout
        return service


def told(service: Any, title: str, body: str) -> Told:
    """One notification, and what became of it: what was logged last counts. Of a URL with several targets
    nothing is believed: some of them may have it."""
    words = _logged.listen()
    if service.notify(body=body, title=title):
        return Told(Answered.ACCEPTED)
    last = words[-1] if words and len(service) == 1 else ""
    if _NEVER.search(last):
        return Told(Answered.LATER, fault=Fault.NETWORK, code="unreachable")
    if last.startswith(_FAILED):
        return Told(Answered.UNKNOWN, fault=Fault.NETWORK, code="unanswered")
    if not (status := _STATUS.search(last)):
        return Told(Answered.UNKNOWN, fault=Fault.PROVIDER, code="failed")
    end = by_status(Answer(int(status[1]), {}, b""))
    return replace(end, fault=Fault.PERSON) if end.answered is Answered.REFUSED else end


class Apprise:
    name: ClassVar[str] = "apprise"
    base_url: ClassVar[str] = ""
    schemes: ClassVar[tuple[str, ...]] = ("tel", "mailto")
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 2000
    kinds: ClassVar[frozenset[str]] = frozenset(("text",))
    credentials: ClassVar[dict[str, str]] = {"url": "the Apprise URL of the service"}
    speaks_http: ClassVar[bool] = True  # by its own telling: `threads` does
    limits: ClassVar[Limits] = Limits(rate=1)
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        return False  # nothing comes back

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> NoReturn:
        raise ValueError("Apprise tells nothing of its messages")


provider = Apprise()
