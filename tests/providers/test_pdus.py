"""The octets of SMPP: what we write another's library reads, and what we read was written by it."""

from __future__ import annotations

import pytest
from aiosmpplib import NPI, TON, DeliverSm, PhoneNumber, SubmitSm
from aiosmpplib.state import OptionalParam
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.segment import segments
from clarion.providers import pdus
from clarion.providers.pdus import Pdu, Place, coded, delivered, submissions, words

CLINIC, AMINA = Place("8000", 0, 1), Place("254712000001", 1, 1)
GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà\f^{}\\[~]|€"


def read_by_another(body: bytes) -> SubmitSm:
    raw = Pdu(pdus.SUBMIT_SM, 0, 7, body).raw
    return SubmitSm.from_pdu(raw, SubmitSm.parse_header(raw[:16]), "gsm0338")


def written(text: str, **more: bool) -> list[bytes]:
    how = {"payload": False, "latin": False, "receipt": True} | more
    return submissions(CLINIC, AMINA, text, number=200, **how)


def test_one_submission_is_exactly_these_octets() -> None:
    assert written("Habari €") == [
        b"\0\x00\x018000\0\x01\x01254712000001\0\0\0\0\0\0\x01\0\0\0\x09Habari \x1be"
    ]


def test_a_bind_is_exactly_these_octets() -> None:
    assert pdus.bind("selam", "secret", "VMA") == b"selam\0secret\0VMA\0\x34\0\0\0"


@pytest.mark.parametrize(
    "too_long", [("x" * 16, "", ""), ("x", "", "y" * 13), ("é", "", ""), ("x\0", "", "")]
)
def test_what_has_no_place_in_a_bind_is_told(too_long: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError):
        pdus.bind(*too_long)


@pytest.mark.parametrize("text", ["Habari, Amina", "ሰላም 👋", GSM, "a" * 160, "ሰ" * 70])
def test_what_fits_in_one_segment_is_one_submission(text: str) -> None:
    (body,) = written(text)
    read = read_by_another(body)
    assert (read.short_message, read.destination.number, read.source.number) == (text, AMINA.number, "8000")
    assert (read.esm_class, read.registered_delivery) == (0, 1)


@pytest.mark.parametrize("text", ["a" * 161, "€" * 100, "ሰ" * 71, "👋" * 36, GSM * 5])
def test_a_longer_one_is_cut_into_parts_of_one_text(text: str) -> None:
    parts = [read_by_another(body) for body in written(text)]
    assert len(parts) == segments(text).count > 1
    assert "".join(part.short_message for part in parts) == text
    told = [part.get_segmentation_data() for part in parts]
    assert told == [(200, number, len(parts)) for number in range(1, len(parts) + 1)]
    assert {part.esm_class for part in parts} == {0x40}
    assert [part.registered_delivery for part in parts] == [*[0] * (len(parts) - 1), 1], "of the whole, once"


@pytest.mark.parametrize("text", ["a" * 500, "ሰ" * 300])
def test_or_it_is_one_payload_that_the_smsc_cuts(text: str) -> None:
    (body,) = written(text, payload=True)
    read = read_by_another(body)
    assert (read.message_payload, read.short_message, read.esm_class) == (text, "", 0)


def test_a_short_text_is_no_payload() -> None:
    assert written("Habari", payload=True) == written("Habari")


def test_an_smsc_of_latin_1_is_given_latin_1_and_what_that_lacks_as_ucs_2() -> None:
    assert coded("Ça va, à côté ? @[]") == (8, ["Ça va, à côté ? @[]".encode("utf-16-be")])
    assert coded("@ à Ñ _", latin=True) == (0, ["@ à Ñ _".encode("latin-1")])
    assert coded("5 €", latin=True) == (8, ["5 €".encode("utf-16-be")])


@given(st.text(alphabet=GSM + "ሰ👋`", min_size=1, max_size=400))
def test_no_text_loses_anything(text: str) -> None:
    coding, parts = coded(text)
    assert len(parts) == segments(text).count
    assert all(len(part) <= (160 if coding == 0 else 140) for part in parts)
    if len(parts) > 1:
        assert all(len(part) <= (153 if coding == 0 else 134) for part in parts)
    back = pdus._from_gsm if coding == 0 else lambda part: part.decode("utf-16-be")
    assert "".join(map(back, parts)) == text


# --- what is delivered


def delivery(text: str, esm_class: int = 0, encoding: str | None = None, **more: object) -> bytes:
    """A deliver_sm's body, as another's library writes it."""
    one = DeliverSm(
        sequence_num=1, short_message=text, source=PhoneNumber(AMINA.number, TON.INTERNATIONAL, NPI.ISDN),
        destination=PhoneNumber("8000"), esm_class=esm_class, encoding=encoding, **more,
    )  # fmt: skip
    raw: bytes = one.pdu()[16:]
    return raw


@pytest.mark.parametrize("text", ["STOP", GSM, "ሰላም 👋", "x" * 300])
def test_a_delivery_is_read(text: str) -> None:
    one = delivered(delivery(text))
    assert (one.source, one.destination.number, one.is_receipt) == (AMINA, "8000", False)
    assert words(one) == text


@pytest.mark.parametrize(
    ("coding", "raw", "text"),
    [
        (0, b"\x00\x1b\x65\x1b\x1b", "@€"),
        (3, "à côté".encode("latin-1"), "à côté"),
        (8, b"\x12\x30\xff", "ሰ\ufffd"),
        (4, "ሰ".encode(), "ሰ"),
        (0, b"\xe1", "\ufffd"),
    ],
)
def test_every_coding_is_read_as_far_as_it_can_be(coding: int, raw: bytes, text: str) -> None:
    body = b"\0\x01\x01254712000001\0\0\x018000\0\0\0\0\0\0\0\0" + bytes((coding, 0, len(raw))) + raw
    assert words(delivered(body)).rstrip("\x1b") == text


def test_a_part_of_a_longer_message_is_read_without_its_header() -> None:
    (raw, *_) = written("a" * 200)
    assert words(delivered(raw)) == "a" * 153


def test_optional_parameters_are_read() -> None:
    body = delivery("x", 4, optional_params=[OptionalParam(0x001E, "abc"), OptionalParam(0x0427, 2)])
    assert delivered(body).parameters == {0x001E: b"abc\0", 0x0427: b"\x02"}


@given(st.binary(max_size=60))
def test_what_is_no_pdu_is_told_and_stops_nobody(raw: bytes) -> None:
    for read in (pdus.parsed, lambda raw: words(delivered(raw))):
        try:
            read(raw)
        except ValueError:
            continue


@pytest.mark.parametrize("size", [0, 15, 1 << 20])
def test_a_length_that_no_pdu_has_is_told(size: int) -> None:
    with pytest.raises(ValueError):
        pdus.length(size.to_bytes(4, "big") + b"\0" * 12)
