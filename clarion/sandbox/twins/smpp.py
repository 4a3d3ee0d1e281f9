"""The twin of an SMSC: it lets in who binds as a transceiver, takes SMS, and delivers what became of them.

Follows the SMPP specification v3.4; what it reads of a submit_sm and writes of a deliver_sm is made by the
library aiosmpplib. It listens at an address of its own, without encryption. The system is `selam`, its
password one of the sandbox's tokens; a sending number is the source address. No message carries a reference.
A text in several parts is one message, submitted with the part that makes it whole; the others are only
acknowledged. Receipts, and what people write, come over the bind that last sent from their number, or else
any.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Sequence
from typing import ClassVar

from aiosmpplib import NPI, TON, DeliverSm, PhoneNumber, SubmitSm
from aiosmpplib.state import RECEIPTED_MESSAGE_ID, OptionalParam

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head
from clarion.sandbox.record import STATUSES
from clarion.sandbox.smsc import RESPONSE, SUBMIT, Asked, Conversation, pdu
from clarion.sandbox.world import Inbound, Number, World

SYSTEM = "selam"
_ALPHABET = "gsm0338"  # of data_coding 0
_STATES = {"delivered": ("DELIVRD", "000"), "failed": ("UNDELIV", "011")}
_THROTTLED, _FULL, _SYSTEM_ERROR, _NO_ERROR_THAT_WE_KNOW = 0x58, 0x14, 0x08, 0xFF
_WRONG_PASSWORD, _WRONG_SYSTEM, _WRONG_SOURCE, _WRONG_DESTINATION = 0x0E, 0x0F, 0x0A, 0x0B
_UNREADABLE = 0x45
_Whole = tuple[str, str, int, int]  # source, destination, the text's number, how many parts


class Smpp:
    """Speaks for one world. Implements dialect.Twin, dialect.Listening and dialect.Pushing."""

    batches: ClassVar[bool] = False
    protocol: ClassVar[str] = "smpp"
    example: ClassVar[Example] = Example(
        "8000",
        {"system_id": SYSTEM, "password": "sandbox-token"},
        never=frozenset(("call", "reference", "settle")),
        protocol="smpp",
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None
        self._bound: list[Conversation] = []
        self._last: dict[str, Conversation] = {}  # who sent last, by number
        self._parts: dict[_Whole, dict[int, str]] = {}

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    def route(self, head: Head) -> Handler | None:
        """Nothing of it is HTTP."""
        return None

    def connection(self) -> asyncio.Protocol:
        """For one more connection."""
        return Conversation(self)

    # --- smsc.Host

    def let_in(self, conversation: Conversation, system_id: str, password: str) -> int:
        """The command_status that answers a bind."""
        if system_id != SYSTEM:
            return _WRONG_SYSTEM
        if password not in self._world.config.tokens:
            return _WRONG_PASSWORD
        self._bound.append(conversation)
        return 0

    def gone(self, conversation: Conversation) -> None:
        """A bind has ended."""
        self._bound = [one for one in self._bound if one is not conversation]

    def take(self, asked: Asked, raw: bytes) -> bytes | None:
        """A whole submit_sm; its answer, where there is one now."""
        assert self._calls is not None
        try:
            submit = SubmitSm.from_pdu(raw, SubmitSm.parse_header(raw[:16]), _ALPHABET)
        except (ValueError, IndexError, UnicodeError, struct.error):
            return self._calls.invalid(self, Refusal(_UNREADABLE))
        assert isinstance(submit, SubmitSm)
        to = submit.destination.number
        number = self._world.number(submit.source.number, "smpp")
        if number is None:
            return self._calls.invalid(self, Refusal(_WRONG_SOURCE), to)
        if not to.isdigit():
            return self._calls.invalid(self, Refusal(_WRONG_DESTINATION), to)
        self._last[number.id] = asked.conversation
        text, whole = self._joined(submit)
        if text is None:
            return pdu(SUBMIT | RESPONSE, 0, 0, f"part-{asked.sequence}\0".encode())
        answer = self._calls.submit(asked, self, Submission(number, to, "", 0, text, to))
        if whole is not None and not (answer is not None and struct.unpack_from("!I", answer, 8)[0]):
            del self._parts[whole]  # what was refused may be offered again, and is still whole then
        return answer

    def _joined(self, submit: SubmitSm) -> tuple[str | None, _Whole | None]:
        """The text, once all of it is here; and where it waited, of a text in parts."""
        said = submit.short_message or submit.message_payload
        if not submit.esm_class & 0x40:
            return said, None
        number, part, total = submit.get_segmentation_data()
        whole = (submit.source.number, submit.destination.number, number, total)
        parts = self._parts.setdefault(whole, {})
        parts[part] = said
        return "".join(parts[one] for one in sorted(parts)) if len(parts) == total else None, whole

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        """Its rate, if it has one."""
        bucket = submission.number.bucket
        return None if bucket is None or bucket.take(mono) else Refusal(_THROTTLED)

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(_FULL if retry_after is None else _THROTTLED)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(_SYSTEM_ERROR)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        return pdu(SUBMIT | RESPONSE, 0, 0, _named(wamid) + b"\0")

    def refused(self, refusal: Refusal) -> bytes:
        code = refusal.code if refusal.code <= 0x4FF else _WRONG_DESTINATION
        return pdu(SUBMIT | RESPONSE, code, 0)

    def broken(self) -> bytes:
        """An error that says nothing."""
        return pdu(SUBMIT | RESPONSE, _NO_ERROR_THAT_WE_KNOW, 0)

    def malformed(self) -> bytes:
        """An identifier that does not end."""
        return pdu(SUBMIT | RESPONSE, 0, 0, b"0a1b")

    # --- what is delivered

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        """The receipt of one message (appendix B)."""
        (one,) = told
        state = _STATES.get(STATUSES[one.status])
        if state is None:
            return None
        name = _named(self._world.record.wamid(one.row)).decode()
        entry = self._world.record.entry(one.row)
        done = time.strftime("%y%m%d%H%M", time.gmtime(one.at))
        text = (
            f"id:{name} sub:001 dlvrd:{int(state[0] == 'DELIVRD'):03} submit date:{done} done date:{done} "
            f"stat:{state[0]} err:{state[1]} text:"
        )
        return self._delivery(number, entry.to, text, receipt=name)

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        """What a person wrote."""
        (one,) = messages
        return self._delivery(number, one.person.lstrip("+"), one.text)

    async def push(self, number: Number, webhook: Webhook) -> bool:
        """Deliver it over a bind; false where there is none, or it is not acknowledged."""
        conversation = self._last.get(number.id)
        if conversation is None or not conversation.bound:
            conversation = self._bound[-1] if self._bound else None
        if conversation is None:
            return False
        return await conversation.deliver(webhook.body, self._world.config.receipts.timeout)

    def _delivery(self, number: Number, person: str, text: str, receipt: str = "") -> Webhook:
        delivery = DeliverSm(
            sequence_num=1,
            short_message=text,
            source=PhoneNumber(person, TON.INTERNATIONAL, NPI.ISDN),
            destination=PhoneNumber(number.id, TON.UNKNOWN, NPI.ISDN),
            esm_class=0x04 if receipt else 0,
            optional_params=[OptionalParam(RECEIPTED_MESSAGE_ID, receipt)] if receipt else [],
        )
        return Webhook("", {}, delivery.pdu())


def _named(wamid: str) -> bytes:
    """The SMSC's own name of a message, of at most 64 characters."""
    return wamid.removeprefix("wamid.").encode()[-32:]


TWIN = Smpp
