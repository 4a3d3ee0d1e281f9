"""SMTP: mail over a company's own server or a mail service, with bounces and one-click unsubscribing.

Follows RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 3461 (DSN), 3463 (enhanced codes), 6531 (UTF-8
addresses), 2369 and 8058 (List-Unsubscribe). `transactions` tells how a letter goes, and when its try is
marked.
"""

from __future__ import annotations

import hmac
import ssl
from base64 import b64decode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, ClassVar
from urllib.parse import urlsplit

from clarion.domain.channel import SMTP
from clarion.domain.limits import Limits
from clarion.errors import Invalid, Misconfigured, Problem
from clarion.kit.http import Http
from clarion.providers import bounces
from clarion.providers.contract import Account, Call, Event, OptOut, Sender
from clarion.providers.letters import UNSUBSCRIBE, leaves, on_the_wire, who_leaves
from clarion.providers.transactions import CONNECTIONS, Transactions, trust

PORTS = {"smtps": 465, "smtp": 587}
_OPTIONS = ("from_name", "reply_to", "bounces", "starttls", "ca", "connections", "receipts")


class Smtp:
    """The provider: mail, and nothing else."""

    name: ClassVar[str] = "smtp"
    base_url: ClassVar[str] = ""
    protocols: ClassVar[tuple[str, ...]] = SMTP
    schemes: ClassVar[tuple[str, ...]] = ("mailto",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 64_000
    kinds: ClassVar[frozenset[str]] = frozenset(("email",))
    credentials: ClassVar[dict[str, str]] = {
        "username": "logs in at the mail server",
        "password": "logs in at the mail server",
        "hook_key": "proves bounces that are posted to us, and signs the links to unsubscribe",
    }
    speaks_http: ClassVar[bool] = True  # by its own telling: the module says where
    # What a company's server or a small plan of a service takes without a word.
    limits: ClassVar[Limits] = Limits(rate=10)
    counts_segments: ClassVar[bool] = False
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def sender(self, account: Account, http: Http) -> Sender:
        """Raises Misconfigured without a server, or a sender that is a mail address."""
        parts = urlsplit(account.base_url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise Misconfigured(
                "an SMTP channel needs base_url",
                where="config.base_url",
                hint="smtps://mail.example.org, or smtp://mail.example.org:587 for STARTTLS",
            )
        for where, address in (("sender", account.sender), *_places(account.options)):
            try:
                on_the_wire(address)
            except ValueError as error:
                raise Misconfigured(str(error), where=f"config.{where}") from None
        port = parts.port or PORTS[parts.scheme]
        return Transactions(account, http, parts.scheme == "smtps", parts.hostname, port)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem."""
        problems = [
            Problem(f"config.options.{name}", "SMTP has no such option", "It has: " + ", ".join(_OPTIONS))
            for name in options
            if name not in _OPTIONS
        ]
        for where, address in _places(options):
            try:
                on_the_wire(address)
            except ValueError as error:
                problems.append(Problem(f"config.{where}", str(error)))
        problems += [
            Problem(f"config.options.{name}", "write true or false")
            for name in ("starttls", "receipts")
            if not isinstance(options.get(name, False), bool)
        ]
        name = options.get("from_name", "")
        if not isinstance(name, str) or not name.isprintable() or len(name) > 200:
            problems.append(Problem("config.options.from_name", "a name is one line of text"))
        connections = options.get("connections", CONNECTIONS)
        if type(connections) is not int or not 1 <= connections <= 100:
            problems.append(Problem("config.options.connections", "a number from 1 to 100"))
        if (authority := options.get("ca", "")) and not _readable(authority):
            problems.append(Problem("config.options.ca", "not certificates in PEM"))
        if problems:
            raise Invalid("the channel's options are not right", problems=tuple(problems))

    def verified(self, account: Account, call: Call) -> bool:
        """Whether who calls has the hook's key (as a bearer, or as the password of a Basic login), or
        follows a link that we gave out."""
        if UNSUBSCRIBE in dict(call.query):
            return leaves(account, call)
        key = account.credentials.get("hook_key", "")
        given = _secret(call.headers.get("authorization", ""))
        return bool(key) and hmac.compare_digest(key.encode(), given.encode(errors="replace"))

    def challenge(self, account: Account, call: Call) -> str | None:
        """Nobody asks one."""
        return None

    def page(self, account: Account, call: Call) -> str | None:
        """A button for who follows the link with a browser: programs that only look at links must not
        unsubscribe anybody (RFC 8058 1). What is posted is the same that a mail program posts."""
        if not leaves(account, call):
            return None
        try:
            address = who_leaves(call)
        except ValueError:
            return None
        return (_BUTTON if call.method == "GET" else _DONE).replace("{address}", escape(address or ""))

    def read(self, account: Account, call: Call) -> Sequence[Event]:
        """A person who leaves, or bounces."""
        address = who_leaves(call)
        return bounces.read(call) if address is None else [OptOut("mailto", address)]


def _places(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f"options.{n}", str(options[n])) for n in ("reply_to", "bounces") if options.get(n)]


def _readable(authority: object) -> bool:
    try:
        trust(str(authority))
    except (ssl.SSLError, ValueError):
        return False
    return True


def _secret(header: str) -> str:
    kind, _, given = header.partition(" ")
    if kind.lower() != "basic":
        return given if kind.lower() == "bearer" else ""
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>Unsubscribe</title></head>
<body style="font: 1.1rem/1.5 sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem">
{body}
</body></html>
"""
_BUTTON = _PAGE.replace(
    "{body}",
    """<h1>Unsubscribe?</h1><p>No more messages will be sent to <b>{address}</b>.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button style="font: inherit; padding: .5rem 1.5rem">Unsubscribe</button></form>""",
)
_DONE = _PAGE.replace(
    "{body}", "<h1>Unsubscribed</h1><p>No more messages will be sent to <b>{address}</b>.</p>"
)


provider = Smtp()
