"""SMPP 3.4: SMS straight to an operator's or an aggregator's SMSC, and what it delivers.

Follows the "Short Message Peer to Peer Protocol Specification v3.4": 5.1.3 (command_status), 4.6 and
appendix B (delivery receipts). `binds` tells how a text goes and when its try is marked, `line` keeps the
connection, `pdus` has the octets.

Nothing of ours goes with a message: a receipt names it by the SMSC's identifier, as the answer to the last
part's submit_sm gave it. The two are not always written alike (`id_in_answer`, `id_in_receipt`). Receipts
and what people write come over the bind; whoever calls our hook is not the SMSC, so no call is verified.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from clarion.domain.channel import SMPP
from clarion.domain.limits import Limits
from clarion.errors import Invalid, Misconfigured, Problem
from clarion.kit.http import Http
from clarion.providers import pdus
from clarion.providers.binds import Binds, trust
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Event,
    Evidence,
    Fault,
    Inbound,
    Receipt,
    Sender,
    Told,
)
from clarion.providers.pdus import Delivered, Pdu, Place

PORTS = {"smpp": 2775, "ssmpp": 3550, "smpp+tls": 3550}
_L, _R, _U = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
Means = tuple[Answered, Fault]
_RATE, _PERSON, _ACCOUNT, _CONTENT = (
    (_L, Fault.RATE),
    (_R, Fault.PERSON),
    (_L, Fault.ACCOUNT),
    (_L, Fault.CONTENT),
)
_LATER, _UNKNOWN = (_L, Fault.PROVIDER), (_U, Fault.PROVIDER)

# command_status of an answer to a submit_sm → how it ended, whose fault. What is not here is unknown: an
# SMSC's own codes (from 0x400) too, unless the channel's option `codes` says what they mean.
TABLE: Mapping[int, Means] = {
    0x01: _CONTENT,  # message length
    0x02: _ACCOUNT, 0x03: _ACCOUNT,  # this SMSC speaks another SMPP
    0x04: _LATER, 0x05: _LATER,  # not bound as it should be
    0x06: _ACCOUNT, 0x07: _ACCOUNT,  # priority, registered delivery
    0x08: _LATER,  # system error
    0x0A: _PERSON, 0x0B: _PERSON,  # source address (not allowed towards this person), destination address
    0x0D: _ACCOUNT, 0x0E: _ACCOUNT, 0x0F: _ACCOUNT,  # bind, password, system_id
    0x14: _RATE,  # message queue full
    0x15: _ACCOUNT,  # service type
    0x43: _ACCOUNT,  # esm_class: no concatenation there
    0x45: _LATER,  # submit_sm failed
    0x48: _ACCOUNT, 0x49: _ACCOUNT, 0x50: _ACCOUNT, 0x51: _ACCOUNT,  # type of number, numbering plan
    0x53: _ACCOUNT, 0x54: _ACCOUNT,  # system type, replace_if_present
    0x58: _RATE,  # throttled
    0x61: _ACCOUNT, 0x62: _ACCOUNT, 0x63: _ACCOUNT,  # schedule, validity, canned message
    0xC0: _ACCOUNT, 0xC1: _ACCOUNT, 0xC2: _ACCOUNT, 0xC3: _ACCOUNT, 0xC4: _ACCOUNT,  # optional parameters
}  # fmt: skip
# command_status of an answer to a bind that passes by itself; any other is the account's.
_NOT_NOW = frozenset((0x04, 0x05, 0x08, 0x14, 0x58, 0xFF))
WORDS: Mapping[str, Means] = {
    "rate": _RATE, "later": _LATER, "refused": _PERSON, "opted_out": (_R, Fault.OPTED_OUT),
    "account": _ACCOUNT, "content": _CONTENT, "unknown": _UNKNOWN,
}  # fmt: skip

# Of a receipt's `stat` (appendix B) and message_state (5.2.28). What is not here says nothing.
_STATES = {
    "DELIVRD": Evidence.DELIVERED, "ACCEPTD": Evidence.ACCEPTED, "ENROUTE": Evidence.ACCEPTED,
    "EXPIRED": Evidence.FAILED, "DELETED": Evidence.FAILED, "UNDELIV": Evidence.FAILED,
    "REJECTD": Evidence.FAILED,
}  # fmt: skip
_NUMBERED = {
    1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN",
    8: "REJECTD",
}  # fmt: skip
_FIELD = re.compile(r"\b(id|stat|err):\s*([^\s:]+)", re.IGNORECASE)
_CHOICES = {
    "long": ("udh", "payload"),
    "alphabet": ("gsm", "latin1"),
    "id_in_answer": ("text", "hex", "decimal"),
    "id_in_receipt": ("text", "hex", "decimal"),
}
_SWITCHES = ("receipts", "plaintext")
_NUMBERS = {
    "source_ton": (0, 6), "source_npi": (0, 18), "dest_ton": (0, 6), "dest_npi": (0, 18), "window": (1, 1000),
    "enquire_link": (1, 3600),
}  # fmt: skip
_OPTIONS = ("system_type", "ca", "codes", *_CHOICES, *_SWITCHES, *_NUMBERS)


def told(options: Mapping[str, Any], answer: Pdu) -> Told:
    """What an answer to a submit_sm means, or a generic_nack in its place."""
    if answer.command not in (pdus.SUBMIT_SM | pdus.RESPONSE, pdus.GENERIC_NACK):
        return Told(_U, fault=Fault.PROVIDER, code="unreadable")
    code = f"0x{answer.status:02X}"
    if answer.status:
        own = options.get("codes", {}).get(code)
        answered, fault = WORDS[own] if own else TABLE.get(answer.status, _UNKNOWN)
        return Told(answered, fault=fault, code=code)
    name = pdus.first_text(answer.body)
    if name is None or answer.command == pdus.GENERIC_NACK:
        return Told(_U, fault=Fault.PROVIDER, code="unreadable")
    return Told(Answered.ACCEPTED, provider_id=_name(name, options, "id_in_answer") or None)


def refused(answer: Pdu) -> Told:
    """What an answer means that does not let us in."""
    fault = Fault.NETWORK if answer.status in _NOT_NOW else Fault.ACCOUNT
    return Told(_L, fault=fault, code=f"bind 0x{answer.status:02X}")


def _name(said: str, options: Mapping[str, Any], where: str) -> str:
    """A message's identifier, so that the answer's and the receipt's are alike."""
    form = options.get(where, "text")
    try:
        return said if form == "text" else str(int(said, 16 if form == "hex" else 10))
    except ValueError:
        return said


class Smpp:
    """The provider. `sender` is the source address; `options` are told in docs/smpp.md."""

    name: ClassVar[str] = "smpp"
    base_url: ClassVar[str] = ""
    protocols: ClassVar[tuple[str, ...]] = SMPP
    schemes: ClassVar[tuple[str, ...]] = ("tel",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 1530  # ten segments of GSM's alphabet
    kinds: ClassVar[frozenset[str]] = frozenset(("text",))
    credentials: ClassVar[dict[str, str]] = {
        "system_id": "binds at the SMSC",
        "password": "binds at the SMSC",
    }
    speaks_http: ClassVar[bool] = True  # by its own telling: the module says where
    limits: ClassVar[Limits] = Limits(rate=10)  # what a small account is given
    counts_segments: ClassVar[bool] = True
    thanks: ClassVar[tuple[str, str]] = ("", "")
    by_its_own_names: ClassVar[bool] = True
    heard_on_its_connection: ClassVar[bool] = True

    def sender(self, account: Account, http: Http) -> Sender:
        """Raises Misconfigured without an SMSC, a system_id, or a source address."""
        parts = urlsplit(account.base_url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise Misconfigured(
                "an SMPP channel needs base_url", where="config.base_url",
                hint="ssmpp://smsc.example.org:3550, or smpp://10.0.0.7:2775 in a network of your own",
            )  # fmt: skip
        credentials, source = account.credentials, _source(account.sender, account.options)
        if not credentials.get("system_id") or not source.number:
            raise Misconfigured("an SMPP channel needs credentials.system_id and sender", where="channel")
        options = account.options
        try:
            bound = (str(options.get("system_type", "")), credentials.get("password", ""))
            pdus.bind(credentials["system_id"], bound[1], bound[0])
            kind = (int(options.get("dest_ton", 1)), int(options.get("dest_npi", 1)))
            pdus.submissions(
                source, Place("1", *kind), "", number=0, payload=False, latin=False, receipt=True
            )
        except ValueError as error:
            raise Misconfigured(str(error), where="channel") from None
        port = parts.port or PORTS[parts.scheme]
        secure = parts.scheme != "smpp"
        means = partial(told, options)
        return Binds(account, http, secure, parts.hostname, port, source, kind, means, refused)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises Invalid with every problem."""
        found = {name: "SMPP has no such option" for name in options if name not in _OPTIONS}
        found |= _misnumbered(options)
        for name, choices in _CHOICES.items():
            if options.get(name, choices[0]) not in choices:
                found[name] = "one of " + ", ".join(choices)
        for name in _SWITCHES:
            if not isinstance(options.get(name, False), bool):
                found[name] = "write true or false"
        codes = options.get("codes", {})
        if not isinstance(codes, Mapping) or not all(_is_code(key, codes[key]) for key in codes):
            found["codes"] = 'codes as {"0x401": "refused"}; the words are ' + ", ".join(WORDS)
        if options.get("ca") and not _readable(str(options["ca"])):
            found["ca"] = "not certificates in PEM"
        if found:
            problems = tuple(Problem(f"config.options.{name}", what) for name, what in found.items())
            raise Invalid("the channel's options are not right", problems=problems)

    def verified(self, account: Account, call: Call) -> bool:
        """Nobody calls our hook: the SMSC tells over the bind."""
        return False

    def challenge(self, account: Account, call: Call) -> str | None:
        """Nobody asks one."""
        return None

    def read(self, account: Account, call: Call) -> Sequence[Event]:
        """A deliver_sm, or an answer that came late: then `late` is the reference that it answers."""
        said, options = dict(call.query), account.options
        pdu = pdus.parsed(call.body)
        if late := said.get("late"):
            name = pdus.first_text(pdu.body)
            known = _name(name, options, "id_in_answer") if name else None
            return [Receipt(Evidence.ACCEPTED, None, late, known)]
        if pdu.command != pdus.DELIVER_SM:
            raise ValueError("neither a deliver_sm nor a late answer")
        one = pdus.delivered(pdu.body)
        if one.is_receipt:
            return _receipt(one, options)
        # deliver_sm has no identifier; a sequence number is one within its bind
        unique = hashlib.sha256(said.get("bind", "").encode() + call.body).hexdigest()[:40]
        text = pdus.words(one, latin=options.get("alphabet") == "latin1")
        return [Inbound(unique, "tel", _from(one.source), text, None)]


def _receipt(one: Delivered, options: Mapping[str, Any]) -> list[Event]:
    text = pdus.words(one, latin=True)
    said: dict[str, str] = {}
    for name, value in _FIELD.findall(text.partition(" text:")[0].partition(" Text:")[0]):
        said.setdefault(name.lower(), value)
    named = pdus.first_text(one.parameters.get(pdus.RECEIPTED_MESSAGE_ID, b"")) or said.get("id")
    state = one.parameters.get(pdus.MESSAGE_STATE)
    word = _NUMBERED.get(state[0], "") if state else said.get("stat", "").upper()[:7]
    if not named or not word:
        raise ValueError("a receipt that names no message, or does not say what became of it")
    evidence = _STATES.get(word)
    if evidence is None:
        return []
    error = said.get("err", "")
    code = f"{word}/{error}" if error.strip("0") else word
    name = _name(named, options, "id_in_receipt")
    return [Receipt(evidence, None, None, name, code if evidence is Evidence.FAILED else None)]


def _source(sender: str, options: Mapping[str, Any]) -> Place:
    """The source address. What a number is, its spelling says; the SMSC may want it called otherwise."""
    number = sender.lstrip("+")
    if not number.isdigit():
        kind = (5, 0)  # alphanumeric
    elif sender.startswith("+"):
        kind = (1, 1)  # international
    else:
        kind = (0, 1)  # whatever the SMSC takes it for: a short code, mostly
    return Place(number, int(options.get("source_ton", kind[0])), int(options.get("source_npi", kind[1])))


def _from(source: Place) -> str:
    """Who wrote, with a plus where it is a whole number: by its type, or by its length."""
    whole = source.ton == 1 or (len(source.number) > 10 and not source.number.startswith("0"))
    return f"+{source.number}" if whole and source.number.isdigit() else source.number


def _misnumbered(options: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, (least, most) in _NUMBERS.items():
        value = options.get(name, least)
        if type(value) is not int or not least <= value <= most:
            found[name] = f"a number from {least} to {most}"
    return found


def _is_code(code: object, word: object) -> bool:
    return re.fullmatch(r"0x[0-9A-F]{2,8}", str(code)) is not None and word in WORDS


def _readable(authority: str) -> bool:
    try:
        trust(authority)
    except (ssl.SSLError, ValueError):
        return False
    return True


provider = Smpp()
