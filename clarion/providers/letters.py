"""Letters: a mail as it goes over the wire, and the address in it by which its reader leaves.

A letter is a pure function of its parcel and its account: its Message-ID is made from our reference, its
Date from the moment in it. RFC 5322 and 2045 to 2049 by the standard library; RFC 2369 and 8058 for
List-Unsubscribe; RFC 3834 so that nobody's absence is answered to us.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from clarion.domain.address import parse_address
from clarion.domain.message import parse_reference
from clarion.domain.refusal import Refusal
from clarion.providers.calling import called_back, proof
from clarion.providers.contract import Account, Call, Mail, Parcel

_LINE = re.compile(rb"\r\n|\r|\n")
_DOT = re.compile(rb"(?m)^\.")
_MESSAGE_ID = re.compile(r"<?([^<>@\s]+)@([^<>@\s]+)>?")
UNSUBSCRIBE = "unsubscribe"  # in the query of our hook: whose wish it is


@dataclass(frozen=True, slots=True)
class Letter:
    """`recipient` and `sender` are of the envelope; `body` ends its lines as the wire does, its leading
    dots doubled (RFC 5321 4.5.2), without the dot that ends it. `utf8`: an address is not ASCII."""

    reference: str
    message_id: str
    sender: str
    recipient: str
    body: bytes
    utf8: bool


def written(account: Account, parcel: Parcel, mail: Mail) -> Letter:
    """The letter of a parcel. The account's addresses were checked when its sender was made."""
    sender, recipient = on_the_wire(account.sender), on_the_wire(parcel.address)
    utf8 = not (sender + recipient).isascii()
    # Everything else is kept within ASCII: not every server on the way takes more.
    message = EmailMessage(policy=(SMTPUTF8 if utf8 else SMTP).clone(cte_type="7bit"))
    message["From"] = _named(str(account.options.get("from_name", "")), sender)
    message["To"] = _named("", recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(_made_at(parcel.reference))
    if reply_to := str(account.options.get("reply_to", "")):
        message["Reply-To"] = _named("", on_the_wire(reply_to))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    message_id = f"{parcel.reference}@{sender.rpartition('@')[2]}"
    # Beside the library: it would fold or encode what is long, and these must stay whole.
    lines = [f"Message-ID: <{message_id}>"]
    if link := unsubscribing(account, parcel.address):
        lines += [f"List-Unsubscribe: <{link}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    body = "".join(f"{line}\r\n" for line in lines).encode() + _LINE.sub(b"\r\n", message.as_bytes())
    bounces = on_the_wire(str(account.options.get("bounces", "") or account.sender))
    return Letter(
        parcel.reference, message_id, bounces, recipient, _DOT.sub(b"..", body.rstrip(b"\r\n") + b"\r\n"),
        utf8 or not bounces.isascii(),
    )  # fmt: skip


def on_the_wire(address: str) -> str:
    """An address as it travels: its domain in ASCII (RFC 5891). Raises ValueError where it is none."""
    read = parse_address(address, "mailto")
    if isinstance(read, Refusal) or read.scheme != "mailto":
        raise ValueError(f"not a mail address: {address[:80]!r}")
    local, _, domain = read.path.rpartition("@")
    return f"{local}@{domain.encode('idna').decode('ascii')}"


def reference_in(message_id: str | None) -> str | None:
    """Our reference in a Message-ID that `written` made; None where there is none. Others' may look alike:
    what it names is looked up."""
    found = _MESSAGE_ID.search(message_id or "")
    return found[1] if found else None


def unsubscribing(account: Account, address: str) -> str:
    """Where whoever has this address leaves; "" where our hook or its key is not set. It holds the address,
    so that it works as long as the mail is kept, and a proof that we gave it out."""
    key = account.credentials.get("hook_key", "")
    if not account.hook or not key:
        return ""
    who = base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")
    return called_back(account.hook, **{UNSUBSCRIBE: who, "proof": _proof(key, who)})


def leaves(account: Account, call: Call) -> bool:
    """Whether a call is of an address that `unsubscribing` gave out. In constant time."""
    query, key = dict(call.query), account.credentials.get("hook_key", "")
    who, given = query.get(UNSUBSCRIBE, ""), query.get("proof", "")
    genuine = hmac.compare_digest(_proof(key, who).encode(), given.encode(errors="replace"))
    return bool(key) and bool(who) and genuine


def who_leaves(call: Call) -> str | None:
    """The address in a genuine call of somebody who leaves; None for any other call. Raises ValueError."""
    who = dict(call.query).get(UNSUBSCRIBE)
    if who is None:
        return None
    try:
        return base64.urlsafe_b64decode(who + "=" * (-len(who) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("an address to unsubscribe that cannot be read") from error


def _proof(key: str, who: str) -> str:
    return proof(key, f"{UNSUBSCRIBE} {who}")  # the blank: no reference is proven by it


def _named(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _made_at(reference: str) -> datetime:
    """When the try was intended: its identifier (UUID version 7, RFC 9562) begins with it."""
    _, attempt_id = parse_reference(reference)
    return datetime.fromtimestamp((attempt_id.int >> 80) // 1000, UTC)
