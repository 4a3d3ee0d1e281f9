"""Signatures after Standard Webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from clarion.kit.standard_webhooks import new_secret, signed

MOMENT = datetime(2021, 2, 25, 15, 2, 10, 900_000, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_known_example() -> None:
    assert signed([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", MOMENT, b'{"test": 2432232314}') == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_secret_gives_a_signature_the_first_one_first() -> None:
    other = new_secret()
    both = signed([SECRET, other], "e1", MOMENT, b"{}")["webhook-signature"]
    alone = [signed([one], "e1", MOMENT, b"{}")["webhook-signature"] for one in (SECRET, other)]
    assert both.split(" ") == alone
    assert alone[0] != alone[1]


def test_secrets_are_random_and_of_the_size_that_the_standard_asks_for() -> None:
    one, two = new_secret(), new_secret()
    assert one != two
    assert one.startswith("whsec_")
    assert len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32
