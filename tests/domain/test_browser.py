"""A browser's push subscription as an address: one spelling, and nothing that could lead inside."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clarion.domain.address import Address, parse_address
from clarion.domain.browser import Browser, read_browser
from clarion.domain.columns import Columns
from clarion.domain.person import Customs, read_person
from clarion.domain.refusal import Refusal

KEY = ec.derive_private_key(7, ec.SECP256R1()).public_key()
P256DH = KEY.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
AUTH = bytes(range(16))
ENDPOINT = "https://push.example.org/wpush/v2/gAAAAB-x_y?z=1"


def coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


PATH = f"{ENDPOINT}#p256dh={coded(P256DH)}&auth={coded(AUTH)}"
SUBSCRIPTION = json.dumps(
    {
        "endpoint": ENDPOINT,
        "expirationTime": None,
        "keys": {"p256dh": base64.b64encode(P256DH).decode(), "auth": base64.b64encode(AUTH).decode()},
    }
)


@pytest.mark.parametrize(
    "spelling",
    [PATH, SUBSCRIPTION, PATH.replace("push.example.org", "Push.Example.ORG"), f"{PATH}=="],
    ids=["our own", "a browser's JSON", "a host in capitals", "padded"],
)
def test_a_browser_in_every_spelling_is_one_address(spelling: str) -> None:
    assert parse_address(spelling, "webpush") == Address("webpush", PATH)
    assert parse_address(f"webpush:{spelling}") == Address("webpush", PATH)
    assert read_browser(PATH) == Browser(ENDPOINT, P256DH, AUTH)


def otherwise(endpoint: str = ENDPOINT, p256dh: bytes = P256DH, auth: bytes = AUTH) -> str:
    return f"{endpoint}#p256dh={coded(p256dh)}&auth={coded(auth)}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ENDPOINT, "not_a_browser"),
        ("{}", "not_a_browser"),
        ('{"endpoint": "x", "keys": []}', "not_a_browser"),
        ("[" * 100_000, "not_a_browser"),
        (otherwise(p256dh=P256DH[:-1]), "not_a_browser"),
        (otherwise(p256dh=b"\x04" + bytes(64)), "not_a_browser"),
        (otherwise(p256dh=b"\x05" + P256DH[1:]), "not_a_browser"),
        (otherwise(auth=AUTH[:-1]), "not_a_browser"),
        (otherwise(endpoint=ENDPOINT + "x" * 1500), "not_a_browser"),
        (otherwise(endpoint="https://amina@push.example.org/x"), "not_a_browser"),
        (otherwise(endpoint="https://push.example.org:port/x"), "not_a_browser"),
        (otherwise(endpoint="https:///x"), "not_a_browser"),
        (otherwise(endpoint="https://[2606:4700::1111]/x"), "not_a_browser"),
        (otherwise(endpoint="https://push.example.org./x"), "not_a_browser"),
        (otherwise(endpoint="http://push.example.org/x"), "endpoint_not_public"),
        (otherwise(endpoint="https://127.0.0.1/x"), "endpoint_not_public"),
        (otherwise(endpoint="https://[::1]:8000/x"), "endpoint_not_public"),
        (otherwise(endpoint="https://2130706433/x"), "endpoint_not_public"),
        (otherwise(endpoint="https://169.254.169.254/latest"), "endpoint_not_public"),
        (otherwise(endpoint="https://database.internal/x"), "endpoint_not_public"),
        (otherwise(endpoint="https://localhost/x"), "endpoint_not_public"),
    ],
)
def test_what_is_no_browser_or_leads_inside_is_refused(text: str, reason: str) -> None:
    found = parse_address(text, "webpush")
    assert isinstance(found, Refusal)
    assert found.reason == reason
    assert coded(AUTH) not in found.what


def test_a_file_and_a_program_give_browsers_and_devices() -> None:
    columns = Columns({})
    given = columns.given({"Push subscription": SUBSCRIPTION, "FCM token": "a" * 40 + ":b"})
    person, found = read_person(given, Customs(None))
    assert person is not None
    assert (set(person.addresses), found) == ({Address("webpush", PATH), Address("fcm", "a" * 40 + ":b")}, [])
