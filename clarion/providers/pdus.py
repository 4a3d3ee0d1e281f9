"""The PDUs of SMPP 3.4, as bytes: what of them Clarion writes, and what of them it reads. Pure.

Follows "Short Message Peer to Peer Protocol Specification v3.4", 3.2 (header), 4.1 (bind), 4.4 (submit_sm),
4.6 (deliver_sm), 5.2 and 5.3 (fields, optional parameters), and 3GPP TS 23.038 (alphabet) and 23.040,
9.2.3.24 (concatenation). All numbers are big-endian; text ends with a zero octet.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from clarion.domain.segment import cut, segments

BIND_TRANSCEIVER, SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x09, 0x04, 0x05, 0x06, 0x15
RESPONSE, GENERIC_NACK = 0x80000000, 0x80000000
MESSAGE_PAYLOAD, RECEIPTED_MESSAGE_ID, MESSAGE_STATE = 0x0424, 0x001E, 0x0427
HEADER = 16
LARGEST = 1 << 17  # octets of a PDU; more than a message_payload's can be
_HEADER = struct.Struct("!IIII")
_VERSION = 0x34
_CONCATENATED = 0x40  # esm_class: the text begins with a header of its own (UDHI)

# 3GPP TS 23.038, 6.2.1: the place of a character is its code; then the extension table's.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
    0x65: "€",
}  # fmt: skip
_CODES = {character: bytes((code,)) for code, character in enumerate(_BASIC) if character != "\x1b"} | {
    character: bytes((0x1B, code)) for code, character in _EXTENDED.items()
}


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU: its header's fields, and its body as it came."""

    command: int
    status: int
    sequence: int
    body: bytes = b""

    @property
    def raw(self) -> bytes:
        """As it goes over the wire."""
        return _HEADER.pack(HEADER + len(self.body), self.command, self.status, self.sequence) + self.body

    def answer(self, status: int = 0, body: bytes = b"") -> Pdu:
        """The response to this request."""
        return Pdu(self.command | RESPONSE, status, self.sequence, body)


@dataclass(frozen=True, slots=True)
class Place:
    """An address with its type of number and numbering plan (5.2.5, 5.2.6)."""

    number: str
    ton: int
    npi: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """A deliver_sm: who wrote, and what. `parameters` are the optional ones, by tag."""

    source: Place
    destination: Place
    esm_class: int
    coding: int
    text: bytes
    parameters: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def is_receipt(self) -> bool:
        """Whether it tells what became of a message (5.2.12: delivery receipt, intermediate notification)."""
        return self.esm_class & 0x3C in (0x04, 0x20)


def parsed(raw: bytes) -> Pdu:
    """One whole PDU. Raises ValueError."""
    if len(raw) < HEADER:
        raise ValueError("shorter than a PDU's header")
    length, command, status, sequence = _HEADER.unpack_from(raw)
    if length != len(raw):
        raise ValueError("not as long as it says")
    return Pdu(command, status, sequence, raw[HEADER:])


def length(header: bytes) -> int:
    """How many octets a PDU with this header has. Raises ValueError for what cannot be one."""
    (said,) = struct.unpack_from("!I", header)
    if not HEADER <= said <= LARGEST:
        raise ValueError("no PDU is so long")
    return int(said)


def bind(system_id: str, password: str, system_type: str) -> bytes:
    """The body of a bind_transceiver. Raises ValueError for what has no place there."""
    # Of a password the specification takes 8 characters; there are SMSCs that give out longer ones.
    return (
        _text(system_id, 15, "system_id") + _text(password, 64, "password")
        + _text(system_type, 12, "system_type") + bytes((_VERSION, 0, 0)) + b"\0"
    )  # fmt: skip


def submissions(
    source: Place, destination: Place, text: str, *, number: int, payload: bool, latin: bool, receipt: bool
) -> list[bytes]:
    """The bodies of the submit_sm that carry this text: one, or one for each of its segments, in order.

    `number` (0 to 255) is what the parts of one text have in common. With `payload` it is always one, and a
    long text is its optional parameter, which the SMSC cuts. `latin`: the SMSC takes data_coding 0 for
    Latin 1. Only the last asks for a receipt: its way is the whole text's. Raises ValueError for addresses
    with no place there.
    """
    begin = b"\0" + _placed(source) + _placed(destination)
    coding, parts = coded(text, latin=latin)
    if payload or len(parts) == 1:
        whole, long = b"".join(parts), len(parts) > 1
        return [_submission(begin, 0, int(receipt), coding, whole, payload=long)]
    return [
        _submission(
            begin, _CONCATENATED, int(receipt and at == len(parts)), coding,
            bytes((5, 0, 3, number, len(parts), at)) + part,
        )
        for at, part in enumerate(parts, 1)
    ]  # fmt: skip


def coded(text: str, *, latin: bool = False) -> tuple[int, list[bytes]]:
    """data_coding, and the text's segments in it: the SMSC's own alphabet where it has all characters."""
    if segments(text).encoding == "gsm":
        try:
            if latin:
                return 0, [part.encode("latin-1") for part in cut(text)]
            return 0, [b"".join(_CODES[character] for character in part) for part in cut(text)]
        except UnicodeEncodeError:
            return 8, [part.encode("utf-16-be") for part in cut(text, gsm=False)]
    return 8, [part.encode("utf-16-be", "replace") for part in cut(text)]


def delivered(body: bytes) -> Delivered:
    """A deliver_sm's body. Raises ValueError when it cannot be read."""
    try:
        at = body.index(0) + 1  # service_type
        source, at = _place(body, at)
        destination, at = _place(body, at)
        esm_class = body[at]
        at = body.index(0, body.index(0, at + 3) + 1) + 1  # protocol_id, priority, schedule, validity
        coding, size = body[at + 2], body[at + 4]
        text, at = body[at + 5 : at + 5 + size], at + 5 + size
        if at > len(body):
            raise ValueError("its text breaks off")
        return Delivered(source, destination, esm_class, coding, text, _parameters(body[at:]))
    except IndexError as error:
        raise ValueError("it breaks off") from error


def words(one: Delivered, *, latin: bool = False) -> str:
    """What a deliver_sm says; what its coding has no character for is shown as such."""
    raw = one.parameters.get(MESSAGE_PAYLOAD) or one.text
    if one.esm_class & _CONCATENATED and raw:
        raw = raw[1 + raw[0] :]
    if one.coding in (8, 0x18):
        return raw.decode("utf-16-be", "replace")
    if one.coding in (1, 3) or (latin and one.coding == 0):
        return raw.decode("latin-1")
    if one.coding in (2, 4):  # octets, of which nobody says what they are
        return raw.decode("utf-8", "replace")
    return _from_gsm(raw)


def first_text(body: bytes) -> str | None:
    """The text that a body begins with (a message's id, in an answer), or None where it does not end."""
    end = body.find(0)
    return None if end < 0 else body[:end].decode("latin-1")


def _from_gsm(raw: bytes) -> str:
    said: list[str] = []
    escaped = False
    for code in raw:
        if code == 0x1B and not escaped:
            escaped = True
            continue
        plain = _BASIC[code] if code < 0x80 else "\ufffd"
        said.append(_EXTENDED.get(code, plain) if escaped else plain)
        escaped = False
    return "".join(said)


def _submission(
    begin: bytes, esm_class: int, receipt: int, coding: int, text: bytes, *, payload: bool = False
) -> bytes:
    # protocol_id and priority; no schedule, the SMSC's own validity; nothing is replaced; no canned message
    head = begin + bytes((esm_class, 0, 0)) + b"\0\0" + bytes((receipt, 0, coding, 0))
    if payload:
        return head + b"\0" + struct.pack("!HH", MESSAGE_PAYLOAD, len(text)) + text
    return head + bytes((len(text),)) + text


def _text(value: str, longest: int, name: str) -> bytes:
    try:
        raw = value.encode("ascii")
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not ASCII") from None
    if len(raw) > longest or 0 in raw:
        raise ValueError(f"{name} has at most {longest} characters")
    return raw + b"\0"


def _placed(place: Place) -> bytes:
    return bytes((place.ton, place.npi)) + _text(place.number, 20, "an address")


def _place(body: bytes, at: int) -> tuple[Place, int]:
    end = body.index(0, at + 2)
    return Place(body[at + 2 : end].decode("latin-1"), body[at], body[at + 1]), end + 1


def _parameters(raw: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(raw) >= 4:
        tag, size = struct.unpack_from("!HH", raw)
        found[tag] = raw[4 : 4 + size]
        raw = raw[4 + size :]
    return found
