"""An address: one place where a message can reach someone, as a URN of scheme and path.

    tel:+254712123456          a telephone, E.164
    whatsapp:+254712123456     the same by WhatsApp; whatsapp:KE.1349… for a user id without a number
    mailto:amina@example.org   lower case
    fcm:dGhpcyBpcyBh…          a device's token, as it was given
    messenger:2458…            a page-scoped user id
    webpush:https://…#p256dh=… a browser: its push service's endpoint and its keys (`browser`)

Two spellings of one place give equal addresses; that is what "nobody twice" is built on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from clarion.domain.browser import read_browser
from clarion.domain.phone import parse_number
from clarion.domain.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Address:
    """One reachable URN in its only spelling. `path` is E.164 with + where the place is a number."""

    scheme: str
    path: str

    @property
    def urn(self) -> str:
        return f"{self.scheme}:{self.path}"

    def __str__(self) -> str:
        return self.urn

    @property
    def number(self) -> str | None:
        """The E.164 number of a telephone or of WhatsApp; None where there is none."""
        return self.path if self.path[:1] == "+" and self.scheme in _NUMBERED else None


_NUMBERED = ("tel", "whatsapp")
_URN = re.compile(r"([A-Za-z][A-Za-z0-9]{1,20}):(?://)?(.*)", re.DOTALL)
# People by a business-scoped id instead of a number: the country's code, a dot, up to 128 characters
# (WhatsApp Cloud API, 2026-04).
_WHATSAPP_USER = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}")
# Some 160 characters today. What is longer than this would not fit into an index of addresses.
_FCM_TOKEN = re.compile(r"[A-Za-z0-9_:\-]{20,2000}")
_MESSENGER_ID = re.compile(r"\d{5,32}")
_MAIL = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f\ud800-\udfff]{1,64}@(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.)+[^\W\d_][\w\-]{0,61}[^\W_]"
)
_LONGEST_MAIL = 254  # RFC 5321 4.5.3.1.3, less the angle brackets

_EMPTY = Refusal("no_address", "no address", "give a number or another address")


def parse_address(raw: str, scheme: str | None = None, country: str | None = None) -> Address | Refusal:
    """The address that `raw` spells.

    `raw` is a URN ("tel:+254…", "mailto:a@b.org") or a bare path; a bare one belongs to `scheme`, or
    else is mail when it has an @, else a telephone. `country` (alpha-2) is where a national number is at
    home: pass the row's country, else the workspace's. Refusals: those of `parse_number`, and
    `no_address`, `unknown_scheme`, `not_mail`, `not_a_token`, `not_an_id`, `not_a_browser`,
    `endpoint_not_public`.
    """
    text = raw.strip()
    if not text:
        return _EMPTY
    explicit = False
    if ":" in text and (urn := _URN.fullmatch(text)) and urn[1].lower() in _PARSERS:
        # fcm tokens contain a colon themselves, so only a scheme that we know is read as one
        scheme, text, explicit = urn[1].lower(), urn[2].strip(), True
    elif scheme is None:
        scheme = "mailto" if "@" in text else "tel"
    parse = _PARSERS.get(scheme)
    if parse is None:
        return Refusal(
            "unknown_scheme", "an address of a kind that we do not know", f"use one of {', '.join(SCHEMES)}"
        )
    path = parse(text, country, explicit)
    return path if isinstance(path, Refusal) else Address(scheme, path)


def address_from_urn(urn: str) -> Address:
    """An address from the URN that `Address.urn` once wrote; it is trusted, not parsed again."""
    scheme, _, path = urn.partition(":")
    return Address(scheme, path)


def consent_key(address: Address) -> str:
    """What an opt-out is kept under: everything that reaches the same place shares one key.

    A number has one key under every scheme ("+254…"), so that STOP by SMS also ends WhatsApp; anything
    else has its URN.
    """
    return address.number or address.urn


def _telephone(text: str, country: str | None, explicit: bool) -> str | Refusal:
    return parse_number(text, country)


def _whatsapp(text: str, country: str | None, explicit: bool) -> str | Refusal:
    if _WHATSAPP_USER.fullmatch(text):
        return text
    if explicit and text.isdigit():
        # WhatsApp's own id of a person is the international number without the plus
        found = parse_number("+" + text, country)
        return found if isinstance(found, str) else parse_number(text, country)
    return parse_number(text, country)


def _mail(text: str, country: str | None, explicit: bool) -> str | Refusal:
    address = unicodedata.normalize("NFC", text.lower())
    if len(address) > _LONGEST_MAIL or ".." in address or not _MAIL.fullmatch(address):
        return Refusal("not_mail", "not a mail address", "write only the address, such as name@example.org")
    return address


def _token(text: str, country: str | None, explicit: bool) -> str | Refusal:
    if not _FCM_TOKEN.fullmatch(text):
        return Refusal("not_a_token", "not a device token", "give the registration token as the app got it")
    return text


def _messenger(text: str, country: str | None, explicit: bool) -> str | Refusal:
    if not (text.isascii() and _MESSENGER_ID.fullmatch(text)):
        return Refusal("not_an_id", "not a page-scoped user id", "give the digits that the webhook gave")
    return text


def _webpush(text: str, country: str | None, explicit: bool) -> str | Refusal:
    found = read_browser(text)
    return found if isinstance(found, Refusal) else found.path


_PARSERS: dict[str, Callable[[str, str | None, bool], str | Refusal]] = {
    "tel": _telephone,
    "whatsapp": _whatsapp,
    "mailto": _mail,
    "fcm": _token,
    "messenger": _messenger,
    "webpush": _webpush,
}
SCHEMES: tuple[str, ...] = tuple(_PARSERS)
"""Every kind of address, in the order in which a person's are listed."""
