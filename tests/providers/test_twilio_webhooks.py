"""Twilio's webhooks: whose calls are taken, and what statuses and messages they tell."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from clarion.domain.consent_words import Meaning
from clarion.errors import Invalid
from clarion.providers import registry
from clarion.providers.abilities import Choosy
from clarion.providers.contract import Account, Call, Evidence, Fault, Inbound, Receipt
from clarion.providers.twilio import signature

TWILIO = registry.get("twilio")
REFERENCE = "202603.0199c0de000070008000000000000001"
HOOK = "https://clarion.example/hooks/1"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"

# --- who calls: the vectors that Twilio's own libraries are tested with

ACCOUNT = Account("", "+1", {"auth_token": "12345"})
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FIELDS = [
    ("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309"), ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]  # fmt: skip
TWICE = [
    ("Sid", "CA123"),
    ("SidAccount", "AC123"),
    ("Digits", "5678"),
    ("Digits", "1234"),
    ("Digits", "1234"),
]
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def post(url: str = URL, fields: Any = FIELDS, signed: str | None = SIGNATURE) -> Call:
    headers = {"content-type": FORM} | ({} if signed is None else {"x-twilio-signature": signed})
    return Call("POST", url, headers, urlencode(fields).encode())


GENUINE = {
    "as published": post(),
    "with a port that the signature has not": post(URL.replace(".com", ".com:1234")),
    "with the port that https has": post(signed="kvajT1Ptam85bY51eRf/AJRuM3w="),
    "with the port that http has": post(
        URL.replace("https", "http"), signed="0ZXoZLH/DfblKGATFgpif+LLRf4="
    ),
    "with a port of its own": post(
        URL.replace("https", "http").replace(".com", ".com:1234"), signed="Zmvh+3yNM1Phv2jhDCwEM3q5ebU="
    ),
    "with a field twice": post(fields=TWICE, signed="IK+Dwps556ElfBT0I3Rgjkr1wJU="),
}  # fmt: skip


@pytest.mark.parametrize("label", GENUINE)
def test_the_providers_own_signature_is_genuine(label: str) -> None:
    assert TWILIO.verified(ACCOUNT, GENUINE[label])


FORGED = {
    "none": post(signed=None),
    "empty": post(signed=""),
    "cut short": post(signed=SIGNATURE[:-1]),
    "of another field": post(fields=[*FIELDS[:-1], ("Caller", "+1")]),
    "of one field more": post(fields=[*FIELDS, ("ErrorCode", "30005")]),
    "of one field less": post(fields=FIELDS[:-1]),
    "of another address": post(URL.replace("foo=1", "foo=2")),
    "of another host": post(URL.replace("mycompany", "yourcompany")),
    "of another channel's reference": post(URL + "&ref=2"),
    "no ASCII": post(signed="\xe9\xff"),
    "no text": post(signed="\udcff"),
}


@pytest.mark.parametrize("label", FORGED)
def test_any_other_signature_is_forged(label: str) -> None:
    assert not TWILIO.verified(ACCOUNT, FORGED[label])


def test_without_an_auth_token_nobody_is_genuine() -> None:
    empty = signature("", URL, FIELDS)
    for secrets in ({}, {"auth_token": ""}, {"api_secret": "12345"}):
        assert not TWILIO.verified(Account("", "+1", secrets), post(signed=empty))
        assert not TWILIO.verified(Account("", "+1", secrets), post())


def test_twilio_asks_no_question() -> None:
    assert TWILIO.challenge(ACCOUNT, Call("GET", f"{HOOK}?hub.challenge=1", {})) is None


# --- what they say


def read(fields: dict[str, str], query: str = f"?ref={REFERENCE}", method: str = "POST") -> list[Any]:
    if method == "GET":
        return list(TWILIO.read(ACCOUNT, Call("GET", f"{HOOK}?{urlencode(fields)}", {})))
    call = Call("POST", HOOK + query, {"content-type": FORM}, urlencode(fields).encode())
    return list(TWILIO.read(ACCOUNT, call))


def status(word: str, **more: str) -> dict[str, str]:
    return {"SmsSid": "SM1", "SmsStatus": word, "MessageStatus": word, "To": "+254712000001",
            "MessageSid": "SM1", "AccountSid": "AC1", "From": "+15005550006", **more}  # fmt: skip


STATES = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Evidence.ACCEPTED),
    "delivered": Evidence.DELIVERED,
    "read": Evidence.READ,
    **dict.fromkeys(("undelivered", "failed", "canceled"), Evidence.FAILED),
}


@pytest.mark.parametrize("word", STATES)
def test_a_status_is_this_receipt_of_when_it_came(word: str) -> None:
    assert read(status(word, RawDlrDoneDate="2603020630")) == [
        Receipt(STATES[word], None, REFERENCE, "SM1", None, None)
    ]


FAULTS = {
    "30003": Fault.PERSON, "30004": Fault.PERSON, "30005": Fault.PERSON, "30006": Fault.PERSON,
    "63024": Fault.PERSON, "21610": Fault.OPTED_OUT, "30001": Fault.RATE, "30002": Fault.ACCOUNT,
    "30008": None, "99999": None, "odd": None,
}  # fmt: skip


@pytest.mark.parametrize("code", FAULTS)
def test_a_failure_says_whose_fault_it_is(code: str) -> None:
    (receipt,) = read(status("undelivered", ErrorCode=code))
    assert receipt == Receipt(Evidence.FAILED, None, REFERENCE, "SM1", code, FAULTS[code])


def test_a_status_without_our_reference_names_no_attempt() -> None:
    (receipt,) = read(status("delivered"), "")
    assert receipt.reference is None


SAID = {"MessageSid": "SM2", "SmsSid": "SM2", "SmsStatus": "received", "AccountSid": "AC1", "NumMedia": "0",
        "From": "+254712000001", "To": "+15005550006", "Body": "STOP & go ሰላም"}  # fmt: skip
HEARD = Inbound("SM2", "tel", "+254712000001", "STOP & go ሰላም", None)


def test_what_a_person_writes_is_this_message_by_either_method() -> None:
    assert read(SAID, "") == [HEARD]
    assert read(SAID, method="GET") == [HEARD]


def test_a_picture_without_words_says_nothing_and_is_heard() -> None:
    (heard,) = read(SAID | {"Body": "", "NumMedia": "1", "MediaUrl0": "https://…"}, "")
    assert heard.text == ""


def test_a_status_that_nobody_knows_says_nothing() -> None:
    assert read(status("partially_delivered")) == []


@pytest.mark.parametrize("fields", [{}, {"hello": "1"}, {"MessageStatus": "sent"}])
def test_what_names_no_message_is_told_as_that(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="names no message"):
        read(fields)


# --- words that Twilio heeds by itself

HEEDED = {
    "STOP": (("STOP", None), Meaning.STOP),
    "in any case, with spaces about it": ((" Unsubscribe ", None), Meaning.STOP),
    "one of the later ones": (("revoke", None), Meaning.STOP),
    "START": (("start", None), Meaning.START),
    "YES, which unblocks": (("Yes", None), Meaning.YES),
    "HELP": (("help", None), Meaning.HELP),
    "a sentence": (("stop it", None), None),
    "a word of ours that is none of Twilio's": (("arret", None), None),
    "nothing": (("", None), None),
    "a word of a Messaging Service": (("niache", "STOP"), Meaning.STOP),
    "a question to a Messaging Service": (("nini?", "HELP"), Meaning.HELP),
    "what nobody documented": (("niache", "PAUSE"), None),
}


def texted(text: str, took_for: str | None) -> Call:
    form = [("MessageSid", "SM1"), ("SmsStatus", "received"), ("From", "+254712000001"), ("Body", text)]
    return post(fields=form + ([] if took_for is None else [("OptOutType", took_for)]))


@pytest.mark.parametrize("label", HEEDED)
def test_what_twilio_heeds_and_answers_itself_is_told_by_what_it_took_it_for(label: str) -> None:
    said, meaning = HEEDED[label]
    (heard,) = TWILIO.read(ACCOUNT, texted(*said))
    assert isinstance(heard, Inbound)
    assert heard.meaning is meaning


def test_words_that_twilio_was_asked_to_leave_alone_are_ours() -> None:
    account = Account("", "+1", {}, {"answers_words": False})
    (heard,) = TWILIO.read(account, texted("STOP", None))
    assert isinstance(heard, Inbound)
    assert heard.meaning is None


@pytest.mark.parametrize("options", [{"answer_words": False}, {"answers_words": "no"}])
def test_an_option_that_there_is_not_is_told_when_the_channel_is_made(options: dict[str, Any]) -> None:
    assert isinstance(TWILIO, Choosy)
    TWILIO.check_options({"answers_words": False})
    with pytest.raises(Invalid, match="answers_words"):
        TWILIO.check_options(options)
