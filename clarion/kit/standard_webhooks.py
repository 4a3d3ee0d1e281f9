"""Signing what we tell others, after Standard Webhooks 1.0.0 (symmetric scheme, HMAC-SHA256).

What is signed is `{webhook-id}.{webhook-timestamp}.{body}`; each secret gives one signature of the header,
so that a receiver who knows the old or the new one finds its own while they are rotated.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
_BYTES = 32  # the standard asks for 24 to 64


def new_secret() -> str:
    """A secret as its holder keeps it: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed(holders: Sequence[str], identifier: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The three headers of one request: `identifier` (without a full stop) stays the same for every try,
    `moment` is this try's. `holders` are secrets as `new_secret` makes them, the present one first."""
    stamp = str(int(moment.timestamp()))
    content = f"{identifier}.{stamp}.".encode() + body
    return {
        "webhook-id": identifier,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(_signature(secret, content) for secret in holders),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
