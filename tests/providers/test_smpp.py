"""SMPP: what goes out, what each answer means, how far a long text came, what is heard over the bind."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiosmpplib import SubmitSm

from clarion.errors import Invalid, Misconfigured, Unavailable
from clarion.kit.http import Http, departing
from clarion.providers import registry
from clarion.providers.abilities import Choosy, Hearing
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Evidence,
    Fault,
    Inbound,
    Mail,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)
from clarion.providers.pdus import Pdu
from tests.providers.smsc import (
    BIND,
    DELIVER,
    ENQUIRE,
    RESPONSE,
    SUBMIT,
    UNBIND,
    Got,
    Smsc,
    in_turn,
    pdu,
    smsc,
)
from tests.providers.test_pdus import delivery
from tests.providers.test_smtp import certificate

SMPP = registry.get("smpp")
REFERENCE = "202603.0199c0de000070008000000000000001"
HELLO = Parcel(REFERENCE, "tel", "+254712000001", Text("Habari, Amina"))
LONG = replace(HELLO, content=Text("a" * 400))  # three parts
LOGIN = {"system_id": "selam", "password": "secret"}


def account(base_url: str, **more: Any) -> Account:
    return replace(Account(base_url, "8000", LOGIN, connect_timeout=10.0, total_timeout=10.0), **more)


def sender(server: Smsc, http: Http, **more: Any) -> Sender:
    return SMPP.sender(account(server.url, **more), http)


async def send(server: Smsc, http: Http, parcel: Parcel = HELLO, **more: Any) -> Told:
    return await sender(server, http, **more).send(parcel)


# --- what goes out


async def test_it_binds_once_and_submits_what_is_to_be_said(http: Http) -> None:
    async with smsc() as server:
        one = sender(server, http, options={"system_type": "VMA"})
        told = [await one.send(HELLO) for _ in range(2)]
    assert [one.body for one in server.of(BIND)] == [b"selam\0secret\0VMA\0\x34\0\0\0"]
    first, second = server.of(SUBMIT)
    read = SubmitSm.from_pdu(raw := pdu(SUBMIT, 0, 1, first.body), SubmitSm.parse_header(raw[:16]), "gsm0338")
    assert (read.source.number, read.destination.number) == ("8000", "254712000001")
    assert (read.short_message, read.registered_delivery) == ("Habari, Amina", 1)
    assert second.body == first.body
    assert told == [Told(Answered.ACCEPTED, provider_id=f"m{n}") for n in (1, 2)]


SOURCES = {
    "a short code": ("8000", {}, b"\x00\x018000\0"),
    "a whole number": ("+254700000001", {}, b"\x01\x01254700000001\0"),
    "a name": ("SELAM", {}, b"\x05\x00SELAM\0"),
    "as the SMSC wants it": ("8000", {"source_ton": 3, "source_npi": 0}, b"\x03\x008000\0"),
}


@pytest.mark.parametrize("label", SOURCES)
async def test_who_writes_is_called_what_it_is(http: Http, label: str) -> None:
    name, options, octets = SOURCES[label]
    async with smsc() as server:
        await send(server, http, sender=name, options=options)
    assert server.of(SUBMIT)[0].body.startswith(b"\0" + octets)


async def test_at_most_a_window_of_submissions_is_without_an_answer(http: Http) -> None:
    async def slowly(got: Got, server: Smsc) -> bytes | None:
        await asyncio.sleep(0.02)
        return got.named("m")

    async with smsc(slowly) as server:
        one = sender(server, http, options={"window": 3})
        told = await asyncio.gather(*(one.send(HELLO) for _ in range(20)))
    assert {one.answered for one in told} == {Answered.ACCEPTED}
    assert (server.most_open, len(server.of(SUBMIT)), len(server.of(BIND))) == (3, 20, 1)


async def test_answers_find_who_asked_whatever_their_order(http: Http) -> None:
    both = asyncio.Event()
    kept: list[bytes] = []

    async def reversed_order(got: Got, server: Smsc) -> bytes | None:
        kept.append(got.named(f"for {got.sequence}"))
        if len(kept) == 2:
            server.say(kept[1])
            server.say(kept[0])
            both.set()
        return None

    async with smsc(reversed_order) as server:
        one = sender(server, http)
        told = await asyncio.gather(one.send(HELLO), one.send(HELLO))
    assert [one.provider_id for one in told] == [f"for {got.sequence}" for got in server.of(SUBMIT)]


# --- what an answer means

L, R, U = Answered.LATER, Answered.REFUSED, Answered.UNKNOWN
STATUSES: dict[int, tuple[Answered, Fault]] = {
    0x01: (L, Fault.CONTENT),
    0x02: (L, Fault.ACCOUNT),
    0x03: (L, Fault.ACCOUNT),
    0x04: (L, Fault.PROVIDER),
    0x05: (L, Fault.PROVIDER),
    0x06: (L, Fault.ACCOUNT),
    0x07: (L, Fault.ACCOUNT),
    0x08: (L, Fault.PROVIDER),
    0x0A: (R, Fault.PERSON),
    0x0B: (R, Fault.PERSON),
    0x0C: (U, Fault.PROVIDER),
    0x0D: (L, Fault.ACCOUNT),
    0x0E: (L, Fault.ACCOUNT),
    0x0F: (L, Fault.ACCOUNT),
    0x14: (L, Fault.RATE),
    0x15: (L, Fault.ACCOUNT),
    0x43: (L, Fault.ACCOUNT),
    0x45: (L, Fault.PROVIDER),
    0x48: (L, Fault.ACCOUNT),
    0x49: (L, Fault.ACCOUNT),
    0x50: (L, Fault.ACCOUNT),
    0x51: (L, Fault.ACCOUNT),
    0x53: (L, Fault.ACCOUNT),
    0x54: (L, Fault.ACCOUNT),
    0x58: (L, Fault.RATE),
    0x61: (L, Fault.ACCOUNT),
    0x62: (L, Fault.ACCOUNT),
    0x63: (L, Fault.ACCOUNT),
    0x64: (U, Fault.PROVIDER),
    0xC0: (L, Fault.ACCOUNT),
    0xC1: (L, Fault.ACCOUNT),
    0xC2: (L, Fault.ACCOUNT),
    0xC3: (L, Fault.ACCOUNT),
    0xC4: (L, Fault.ACCOUNT),
    0xFE: (U, Fault.PROVIDER),
    0xFF: (U, Fault.PROVIDER),
    0x0401: (U, Fault.PROVIDER),  # of the SMSC's own
}


@pytest.mark.parametrize("status", STATUSES, ids=hex)
async def test_every_status_means_this(http: Http, status: int) -> None:
    async with smsc(in_turn(status)) as server:
        told = await send(server, http)
    assert (told.answered, told.fault) == STATUSES[status]
    assert told.code == f"0x{status:02X}"
    assert len(server.of(SUBMIT)) == 1, "and nothing is repeated"


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("rate", (L, Fault.RATE)),
        ("refused", (R, Fault.PERSON)),
        ("opted_out", (R, Fault.OPTED_OUT)),
        ("later", (L, Fault.PROVIDER)),
    ],
)
async def test_a_channel_says_what_its_smscs_own_codes_mean(
    http: Http, word: str, means: tuple[Answered, Fault]
) -> None:
    async with smsc(in_turn(0x0401)) as server:
        told = await send(server, http, options={"codes": {"0x401": word}})
    assert (told.answered, told.fault) == means


ANSWERS: dict[str, tuple[Pdu, Answered, Fault | None]] = {
    "no identifier at all": (Pdu(SUBMIT | RESPONSE, 0, 0, b""), U, Fault.PROVIDER),
    "an identifier that does not end": (Pdu(SUBMIT | RESPONSE, 0, 0, b"abc"), U, Fault.PROVIDER),
    "an empty identifier": (Pdu(SUBMIT | RESPONSE, 0, 0, b"\0"), Answered.ACCEPTED, None),
    "a negative acknowledgement": (Pdu(RESPONSE, 0x03, 0), L, Fault.ACCOUNT),
    "one that says that all is well": (Pdu(RESPONSE, 0, 0), U, Fault.PROVIDER),
    "the answer to something else": (Pdu(ENQUIRE | RESPONSE, 0, 0), U, Fault.PROVIDER),
}


@pytest.mark.parametrize("label", ANSWERS)
async def test_an_answer_of_another_kind_means_this(http: Http, label: str) -> None:
    answer, answered, fault = ANSWERS[label]

    async def reply(got: Got, server: Smsc) -> bytes | None:
        return replace(answer, sequence=got.sequence).raw

    async with smsc(reply) as server:
        told = await send(server, http)
    assert (told.answered, told.fault, told.provider_id) == (answered, fault, None)


BINDS = dict.fromkeys((13, 14, 15, 83, 69), Fault.ACCOUNT) | dict.fromkeys(
    (4, 5, 8, 20, 88, 255), Fault.NETWORK
)


@pytest.mark.parametrize("status", BINDS, ids=hex)
async def test_a_bind_that_is_refused_sends_nothing(http: Http, status: int) -> None:
    async with smsc(bind=[status] * 9) as server:
        told = await send(server, http)
    assert (told.answered, told.fault) == (L, BINDS[status])
    assert (told.code, server.of(SUBMIT)) == (f"bind 0x{status:02X}", [])


async def test_an_smsc_that_refuses_is_not_asked_by_everybody_at_once(http: Http) -> None:
    async with smsc(bind=[0x08]) as server:
        one = sender(server, http)
        told = await asyncio.gather(*(one.send(HELLO) for _ in range(50)))
        again = await one.send(HELLO)
    assert {one.code for one in [*told, again]} == {"bind 0x08"}
    assert len(server.of(BIND)) == 1


async def test_mail_is_not_what_it_carries(http: Http) -> None:
    async with smsc() as server:
        told = await send(server, http, replace(HELLO, content=Mail("a", "b")))
    assert (told.answered, told.fault, server.got) == (L, Fault.CONTENT, [])


# --- a text in parts


async def test_a_long_text_goes_part_after_part_and_is_called_by_its_last(http: Http) -> None:
    async with smsc() as server:
        told = await send(server, http, LONG)
    assert told == Told(Answered.ACCEPTED, provider_id="m3")
    assert len(server.of(SUBMIT)) == 3


PARTS: dict[str, tuple[tuple[int | bytes | None, ...], Answered, Fault, str, int]] = {
    # the answers in turn; how the try ends, whose fault, its code, how many submissions there were
    "the first is throttled": ((0x58,), L, Fault.RATE, "0x58", 1),
    "the first is refused": ((0x0B,), R, Fault.PERSON, "0x0B", 1),
    "the second is refused": ((0, 0x0B), U, Fault.PERSON, "incomplete", 2),
    "the third meets an error": ((0, 0, 0x08), U, Fault.PROVIDER, "incomplete", 3),
    "the third cannot be told": ((0, 0, 0xFF), U, Fault.PROVIDER, "incomplete", 3),
    "the second is not answered": ((0, None), U, Fault.NETWORK, "incomplete", 2),
    "the first is not answered": ((None,), U, Fault.NETWORK, "unanswered", 1),
    "the third is throttled for ever": ((0, 0, *[0x58] * 9), U, Fault.NETWORK, "incomplete", 0),
}


@pytest.mark.parametrize("label", PARTS)
async def test_once_a_part_was_taken_the_text_is_never_begun_again(http: Http, label: str) -> None:
    answers, answered, fault, code, submissions = PARTS[label]
    async with smsc(in_turn(*answers)) as server:
        told = await send(server, http, LONG, total_timeout=0.8)
    assert (told.answered, told.fault, told.code) == (answered, fault, code)
    assert len(server.of(SUBMIT)) == submissions or not submissions


@pytest.mark.parametrize("busy", [0x58, 0x14])
async def test_a_part_that_is_throttled_is_offered_again_until_the_text_is_whole(
    http: Http, busy: int
) -> None:
    async with smsc(in_turn(0, 0, busy, busy, b"whole\0")) as server:
        told = await send(server, http, LONG, total_timeout=10.0)
    assert told == Told(Answered.ACCEPTED, provider_id="whole")
    bodies = [one.body for one in server.of(SUBMIT)]
    assert len(set(bodies)) == 3
    assert bodies[2] == bodies[3] == bodies[4], "the very same part"


async def test_as_one_payload_it_is_one_submission(http: Http) -> None:
    async with smsc() as server:
        await send(server, http, LONG, options={"long": "payload"})
    assert len(server.of(SUBMIT)) == 1


# --- the first byte, and what breaks


@dataclass
class Departure:
    """Notes when a call leaves, and may refuse."""

    server: Smsc
    refuse: bool = False
    seen: list[tuple[str, int, int]] = field(default_factory=list)

    def check(self) -> None:
        self._note("check")
        if self.refuse:
            raise LookupError("too late")

    def leave(self) -> None:
        self._note("leave")

    def _note(self, what: str) -> None:
        self.seen.append((what, len(self.server.of(BIND)), len(self.server.of(SUBMIT))))

    @contextmanager
    def watching(self) -> Iterator[None]:
        token = departing.set(self)
        yield
        departing.reset(token)


async def test_the_first_byte_is_told_of_once_there_is_a_bind_and_before_a_submission(http: Http) -> None:
    async with smsc() as server:
        departure = Departure(server)
        with departure.watching():
            await send(server, http, LONG)
    assert departure.seen == [("check", 1, 0), ("leave", 1, 0)]


async def test_who_is_too_late_leaves_the_bind_and_its_window_as_they_were(http: Http) -> None:
    async with smsc() as server:
        one = sender(server, http, options={"window": 1})
        with Departure(server, refuse=True).watching(), pytest.raises(LookupError):
            await one.send(HELLO)
        told = await one.send(HELLO)
    assert (told.answered, len(server.of(SUBMIT)), len(server.of(BIND))) == (Answered.ACCEPTED, 1, 1)


async def test_without_a_bind_nothing_is_said_to_have_left(http: Http) -> None:
    async with smsc(bind=[0x0E]) as server:
        departure = Departure(server)
        with departure.watching():
            await send(server, http)
    assert departure.seen == []


async def test_everything_without_an_answer_is_unknown_when_the_line_breaks_and_the_next_binds_anew(
    http: Http,
) -> None:
    async with smsc(in_turn(None, None)) as server:
        one = sender(server, http)
        both = [asyncio.create_task(one.send(HELLO)) for _ in range(2)]
        await server.until(SUBMIT, 2)
        server.hang_up()
        told = await asyncio.gather(*both)
        after = await one.send(HELLO)
    assert {(t.answered, t.fault, t.code) for t in told} == {(U, Fault.NETWORK, "unanswered")}
    assert (after.answered, len(server.of(BIND)), len(server.of(SUBMIT))) == (Answered.ACCEPTED, 2, 3)


async def test_an_smsc_that_gives_no_sign_of_life_is_left(http: Http) -> None:
    async with smsc(in_turn(None), enquire=False) as server:
        told = await send(server, http, options={"enquire_link": 1}, connect_timeout=0.2, total_timeout=20.0)
    assert (told.answered, told.code) == (U, "unanswered")
    assert len(server.of(ENQUIRE)) == 1


@pytest.mark.parametrize(
    "rubbish", [b"\0\0\0\x08\0\0\0\x04" + b"\0" * 8, b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_what_is_no_smpp_ends_the_line(http: Http, rubbish: bytes) -> None:
    async def reply(got: Got, server: Smsc) -> bytes | None:
        return rubbish

    async with smsc(reply) as server:
        told = await send(server, http)
    assert (told.answered, told.fault) == (U, Fault.NETWORK)


async def test_what_the_smsc_asks_is_answered(http: Http) -> None:
    async with smsc() as server:
        await (one := sender(server, http)).send(HELLO)
        server.say(pdu(ENQUIRE, 0, 70))
        server.say(pdu(0x103, 0, 71))
        server.say(pdu(UNBIND, 0, 72))
        (enquired,) = await server.until(ENQUIRE | RESPONSE)
        (refused,) = await server.until(RESPONSE)
        (left,) = await server.until(UNBIND | RESPONSE)
        await one.send(HELLO)
    assert [(got.sequence, got.status) for got in (enquired, refused, left)] == [(70, 0), (71, 3), (72, 0)]
    assert len(server.of(BIND)) == 2, "who was sent away binds anew"


@pytest.mark.parametrize(
    ("options", "why"), [({}, "unencrypted"), ({"plaintext": True}, "a loopback or private address")]
)
async def test_unencrypted_it_speaks_within_a_network_of_ones_own_unless_it_is_meant(
    options: dict[str, Any], why: str
) -> None:
    async with smsc() as server, Http(allow_private=False) as http:
        told = await send(server, http, options=options)
    assert (told.answered, told.fault, server.got) == (L, Fault.NETWORK, [])
    assert why in (told.detail or "")


@pytest.mark.parametrize("scheme", ["ssmpp", "smpp+tls"])
async def test_encrypted_it_speaks_to_whom_somebody_vouches_for(
    http: Http, tmp_path: Path, scheme: str
) -> None:
    authority = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    async with smsc(tls=context) as server:
        server.url = server.url.replace("smpp", scheme)
        taken = await send(server, http, options={"ca": authority})
        untrusted = await send(server, http)
        binds = len(server.of(BIND))
    assert (taken.answered, binds) == (Answered.ACCEPTED, 1)
    assert (untrusted.answered, untrusted.fault) == (L, Fault.NETWORK)


# --- what is heard


@asynccontextmanager
async def listening(one: Sender, heard: list[Call], *, away: bool = False) -> AsyncIterator[None]:
    """As a desk listens; with `away` its database is."""

    async def hear(call: Call) -> None:
        if away:
            raise Unavailable("away")
        heard.append(call)

    assert isinstance(one, Hearing)
    task = asyncio.create_task(one.listen(hear))
    yield
    task.cancel()
    await asyncio.wait({task})


async def test_what_is_delivered_is_kept_before_it_is_acknowledged_and_then_read(http: Http) -> None:
    heard: list[Call] = []
    async with smsc() as server:
        one = sender(server, http)
        async with listening(one, heard):
            await server.until(BIND)
            server.say(pdu(DELIVER, 0, 5, delivery("STOP ሰላም")))
            (answer,) = await server.until(DELIVER | RESPONSE)
        await server.until(UNBIND)
    assert (answer.status, answer.sequence, answer.body) == (0, 5, b"\0")
    (event,) = SMPP.read(account(""), heard[0])
    assert isinstance(event, Inbound)
    assert (event.scheme, event.address, event.text, event.at) == ("tel", "+254712000001", "STOP ሰላም", None)


@pytest.mark.parametrize("away", [True, False])
async def test_what_cannot_be_kept_is_to_be_delivered_again(http: Http, away: bool) -> None:
    """The database is away; or it sends over a bind to which nobody listens."""
    async with smsc() as server:
        one = sender(server, http)
        if not away:
            await one.send(HELLO)
            server.say(pdu(DELIVER, 0, 5, delivery("STOP")))
            (answer,) = await server.until(DELIVER | RESPONSE)
        else:
            async with listening(one, [], away=True):
                await server.until(BIND)
                server.say(pdu(DELIVER, 0, 5, delivery("STOP")))
                (answer,) = await server.until(DELIVER | RESPONSE)
    assert answer.status == 0x64


async def test_a_listener_stays_bound_whatever_happens(http: Http) -> None:
    async with smsc(bind=[0x05, 0]) as server, listening(sender(server, http), []):
        await server.until(BIND, 2)
        server.hang_up()
        await server.until(BIND, 3)


async def test_an_answer_that_comes_too_late_settles_its_try(http: Http) -> None:
    heard: list[Call] = []
    late = asyncio.Event()

    async def reply(got: Got, server: Smsc) -> bytes | None:
        await late.wait()
        return got.named("0A1B")

    async with smsc(reply) as server:
        one = sender(server, http, total_timeout=0.3)
        async with listening(one, heard):
            told = await one.send(HELLO)
            late.set()
            server.say(pdu(DELIVER, 0, 5, delivery("yes")))
            await server.until(DELIVER | RESPONSE)
    assert (told.answered, told.code) == (U, "unanswered")
    events = [
        event for call in heard for event in SMPP.read(account("", options={"id_in_answer": "hex"}), call)
    ]
    assert Receipt(Evidence.ACCEPTED, None, REFERENCE, str(0x0A1B)) in events


async def test_two_messages_with_the_same_words_are_two_also_in_another_bind() -> None:
    raw = [pdu(DELIVER, 0, sequence, delivery("yes")) for sequence in (1, 2, 1, 1)]
    binds = ["a", "a", "b", "b"]
    calls = [Call("SMPP", f"?bind={bind}", {}, body) for bind, body in zip(binds, raw, strict=True)]
    names = [event.provider_id for call in calls for event in SMPP.read(account(""), call)
             if isinstance(event, Inbound)]  # fmt: skip
    assert (len(names), len(set(names)), names[2]) == (4, 3, names[3])


RECEIPTS: dict[str, tuple[str, dict[str, Any], list[Receipt]]] = {
    "delivered": (
        "id:0a1b sub:001 dlvrd:001 submit date:2603020630 done date:2603020631 stat:DELIVRD err:000 "
        "text:id:9 stat:UNDELIV",
        {}, [Receipt(Evidence.DELIVERED, None, None, "0a1b")]),
    "in hexadecimal": (
        "id:0a1b stat:DELIVRD err:000", {"id_in_receipt": "hex"},
        [Receipt(Evidence.DELIVERED, None, None, "2587")]),
    "in decimal, with zeros": (
        "id:0000002587 stat:DELIVRD err:000", {"id_in_receipt": "decimal"},
        [Receipt(Evidence.DELIVERED, None, None, "2587")]),
    "not delivered": (
        "id:1 sub:001 stat:UNDELIV err:011 text:", {},
        [Receipt(Evidence.FAILED, None, None, "1", "UNDELIV/011")]),
    "expired": ("id:1 stat:EXPIRED err:000", {}, [Receipt(Evidence.FAILED, None, None, "1", "EXPIRED")]),
    "deleted": ("id:1 stat:DELETED", {}, [Receipt(Evidence.FAILED, None, None, "1", "DELETED")]),
    "rejected": ("id:1 stat:REJECTD err:5", {}, [Receipt(Evidence.FAILED, None, None, "1", "REJECTD/5")]),
    "taken": ("id:1 stat:ACCEPTD", {}, [Receipt(Evidence.ACCEPTED, None, None, "1")]),
    "on its way": ("id:1 stat:ENROUTE", {}, [Receipt(Evidence.ACCEPTED, None, None, "1")]),
    "spelt out": ("id: 1 stat: delivered", {}, []),
    "nobody knows": ("id:1 stat:UNKNOWN", {}, []),
}  # fmt: skip


@pytest.mark.parametrize("label", RECEIPTS)
def test_every_receipt_is_read(label: str) -> None:
    text, options, expected = RECEIPTS[label]
    call = Call("SMPP", "?bind=a", {}, pdu(DELIVER, 0, 1, delivery(text, esm_class=4)))
    assert SMPP.read(account("", options=options), call) == expected


def test_what_parameters_say_of_a_receipt_goes_before_its_words() -> None:
    body = delivery("id:9 stat:UNDELIV", esm_class=4) + b"\0\x1e\0\x04abc\0" + b"\x04\x27\0\x01\x02"
    call = Call("SMPP", "?bind=a", {}, pdu(DELIVER, 0, 1, body))
    assert SMPP.read(account(""), call) == [Receipt(Evidence.DELIVERED, None, None, "abc")]


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 40, pdu(SUBMIT, 0, 1), pdu(DELIVER, 0, 1, b"\0"), pdu(DELIVER, 0, 1, delivery("hello", 4))],
    ids=["nothing", "zeros", "a request of ours", "cut off", "a receipt of nothing"],
)
def test_what_cannot_be_read_is_set_aside(raw: bytes) -> None:
    with pytest.raises(ValueError):
        SMPP.read(account(""), Call("SMPP", "?bind=a", {}, raw))


def test_nobody_calls_our_hook_in_its_name() -> None:
    call = Call("POST", "https://clarion.example/hooks/1?bind=a", {}, pdu(DELIVER, 0, 1, delivery("STOP")))
    assert not SMPP.verified(account(""), call)


# --- the channel


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"base_url": "https://smsc.example"}, "base_url"),
        ({"base_url": "smpp://"}, "base_url"),
        ({"credentials": {}}, "system_id"),
        ({"sender": ""}, "sender"),
        ({"sender": "x" * 21}, "address"),
        ({"credentials": {"system_id": "x" * 16}}, "system_id"),
    ],
)
async def test_a_channel_that_cannot_send_is_told_so(http: Http, more: dict[str, Any], what: str) -> None:
    with pytest.raises(Misconfigured) as told:
        SMPP.sender(replace(account("smpp://127.0.0.1"), **more), http)
    assert what in told.value.what


WRONG: dict[str, object] = {
    "window": 0, "enquire_link": "30", "long": "sar", "alphabet": "utf8", "id_in_answer": "octal",
    "source_ton": 7, "dest_npi": True, "receipts": "yes", "codes": {"0x401": "maybe"}, "ca": "no PEM",
    "throughput": 10,
}  # fmt: skip


def test_options_that_are_wrong_are_all_told_at_once() -> None:
    assert isinstance(SMPP, Choosy)
    with pytest.raises(Invalid) as told:
        SMPP.check_options(WRONG)
    assert {one.where for one in told.value.problems} == {f"config.options.{name}" for name in WRONG}


def test_options_that_are_right_are_taken() -> None:
    assert isinstance(SMPP, Choosy)
    SMPP.check_options(
        {"window": 50, "enquire_link": 15, "long": "payload", "alphabet": "latin1", "id_in_answer": "hex",
         "source_ton": 5, "receipts": False, "plaintext": True, "codes": {"0x401": "rate"}}
    )  # fmt: skip
