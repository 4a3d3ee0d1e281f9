"""The push services of the sandbox: what they take, and all that they refuse as the real ones do."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.auth import crypt, jwt
from py_vapid import Vapid02

from clarion.domain.browser import Browser, read_browser
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.fcm import SERVICE_ACCOUNT, device
from clarion.sandbox.twins.webpush import ORIGIN, VAPID_KEY, subscription

AMINA, ROSA = "254712000001", "353850000003"
NEWS = json.dumps({"notification": {"title": "News", "body": "Come at nine"}}).encode()
WHO = json.loads(SERVICE_ACCOUNT)


def post(url: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, named, method="POST")
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.loads(reply.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def browser(person: str) -> Browser:
    found = read_browser(subscription(person))
    assert isinstance(found, Browser)
    return found


def encrypted(person: str = AMINA, plain: bytes = NEWS) -> bytes:
    one = browser(person)
    key = ec.generate_private_key(ec.SECP256R1())
    body = http_ece.encrypt(plain, private_key=key, dh=one.p256dh, auth_secret=one.auth, version="aes128gcm")
    return bytes(body)


def signed(key: str = VAPID_KEY, aud: str = ORIGIN, lasts: float = 3600) -> str:
    claims = {"aud": aud, "exp": int(time.time() + lasts), "sub": "mailto:push@selam.example"}
    return str(Vapid02.from_string(key).sign(claims)["Authorization"])


def push(sandbox: SandboxProcess, body: bytes | None = None, **headers: str) -> int:
    """A message to Amina's browser; its status."""
    usual = {"Authorization": signed(), "TTL": "60", "Content_Encoding": "aes128gcm"} | headers
    given = {name: value for name, value in usual.items() if value}
    return post(f"{sandbox.url}/webpush/{AMINA}", encrypted() if body is None else body, **given)[0]


def test_what_a_browser_can_read_is_taken_and_shown(sandbox: SandboxProcess) -> None:
    assert push(sandbox, Urgency="high", Topic="news") == 201
    (one,) = sandbox.messages(to=AMINA)
    assert (one["outcome"], one["text"], one["from"]) == ("accepted", "Come at nine", "push@selam.example")


def test_a_site_is_given_the_same_browser_each_time(sandbox: SandboxProcess) -> None:
    with urllib.request.urlopen(f"{sandbox.url}/webpush/subscription/{AMINA}") as reply:
        assert read_browser(reply.read().decode()) == browser(AMINA)
    assert browser(AMINA) != browser(ROSA)


OTHER_KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "another site's key": (401, {"Authorization": signed(OTHER_KEY)}),
    "meant for another service": (401, {"Authorization": signed(aud="https://push.example.org")}),
    "too old": (401, {"Authorization": signed(lasts=-60)}),
    "good for too long": (401, {"Authorization": signed(lasts=90_000)}),
    "a signature that is none": (401, {"Authorization": signed().replace(".", "x", 1)}),
    "nobody": (401, {"Authorization": ""}),
    "without a time to live": (400, {"TTL": ""}),
    "in another encoding": (400, {"Content_Encoding": "aesgcm"}),
    "an urgency that is none": (400, {"Urgency": "urgent"}),
    "a topic that is none": (400, {"Topic": "a b"}),
    "encrypted for somebody else": (400, {"body": encrypted(ROSA)}),
    "not encrypted": (400, {"body": NEWS}),
    "cut off": (400, {"body": encrypted()[:-1]}),
    "nothing": (400, {"body": b""}),
    "too large": (413, {"body": encrypted(plain=b"x" * 4000)}),
}


@pytest.mark.parametrize("label", REFUSED)
def test_what_a_push_service_or_a_browser_would_not_take_is_refused(
    sandbox: SandboxProcess, label: str
) -> None:
    status, more = REFUSED[label]
    assert push(sandbox, **more) == status
    assert sandbox.summary()["accepted"] == 0


# --- FCM


def assertion(key: str = WHO["private_key"], **claims: Any) -> str:
    now = int(time.time())
    usual = {
        "iss": WHO["client_email"], "aud": WHO["token_uri"], "iat": now, "exp": now + 3600,
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
    }  # fmt: skip
    return str(jwt.encode(crypt.RSASigner.from_string(key), usual | claims).decode())


def token(sandbox: SandboxProcess, said: str, grant: str = "jwt-bearer") -> tuple[int, Any]:
    form = {"grant_type": f"urn:ietf:params:oauth:grant-type:{grant}", "assertion": said}
    return post(f"{sandbox.url}/token", urlencode(form).encode())


def test_a_token_is_for_who_proves_to_be_the_account_and_messages_are_for_who_has_it(
    sandbox: SandboxProcess,
) -> None:
    status, given = token(sandbox, assertion())
    message = {"message": {"token": device(AMINA), "notification": {"title": "News", "body": "Come"}}}
    url, body = f"{sandbox.url}/v1/projects/selam-clinic/messages:send", json.dumps(message).encode()
    stranger = post(url, body, Authorization="Bearer stolen")
    taken = post(url, body, Authorization=f"Bearer {given['access_token']}")
    assert (status, given["token_type"], given["expires_in"]) == (200, "Bearer", 3599)
    assert (stranger[0], stranger[1]["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert (taken[0], taken[1]["name"].startswith("projects/selam-clinic/messages/")) == (200, True)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody@else.example"},
        {"aud": "https://elsewhere.example/token"},
        {"scope": "https://www.googleapis.com/auth/drive"},
        {"exp": 1},
        {"exp": int(time.time()) + 90_000},
        {"iat": int(time.time()) + 9_000, "exp": int(time.time()) + 12_000},
    ],
    ids=lambda claims: ",".join(claims),
)
def test_an_assertion_of_somebody_or_some_time_else_gets_no_token(
    sandbox: SandboxProcess, claims: dict[str, Any]
) -> None:
    status, refused = token(sandbox, assertion(**claims))
    assert (status, refused["error"]) == (400, "invalid_grant")


def test_a_forged_assertion_gets_no_token(sandbox: SandboxProcess) -> None:
    head, claims, signature = assertion().split(".")
    for said in (f"{head}.{claims}.{signature[:-8]}AAAAAAAA", f"{head}.{claims}.", "", assertion()[:-4]):
        assert token(sandbox, said)[0] == 400
    assert token(sandbox, assertion(), grant="other")[0] == 400


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"token": "nobody", "notification": {"body": "x"}}, "INVALID_ARGUMENT"),
        ({"token": device(AMINA), "notification": {"body": "x" * 4096}}, "INVALID_ARGUMENT"),
        ({"token": device(AMINA), "notification": {"body": "x"}, "data": {"a": 1}}, "INVALID_ARGUMENT"),
        ({"notification": {"body": "x"}}, "INVALID_ARGUMENT"),
    ],
    ids=["no device", "too large", "data that is no text", "nobody"],
)
def test_a_message_that_fcm_would_not_take_is_refused(
    sandbox: SandboxProcess, message: dict[str, Any], code: str
) -> None:
    url = f"{sandbox.url}/v1/projects/selam-clinic/messages:send"
    body = json.dumps({"message": message}).encode()
    status, refused = post(url, body, Authorization="Bearer sandbox-token")
    assert (status, refused["error"]["status"]) == (400, code)
    assert sandbox.summary()["accepted"] == 0
