"""What Meta's providers share: how a webhook is signed, and the question that sets one up.

Follows Meta's public reference (Graph API webhooks: Getting started; Validating payloads).
"""

from __future__ import annotations

import hashlib
import hmac

from clarion.providers.contract import Account, Call

CREDENTIALS = {
    "token": "the access token that messages are sent with",
    "app_secret": "signs webhooks: without it no receipt and no reply is taken",
    "verify_token": "what Meta is told when it asks whether the webhook's address is ours",
}


def verified(account: Account, call: Call) -> bool:
    """Whether the raw body is signed with the app's secret."""
    secret = account.credentials.get("app_secret", "")
    given = call.headers.get("x-hub-signature-256", "")
    made = "sha256=" + hmac.new(secret.encode(), call.body, hashlib.sha256).hexdigest()
    # as bytes: a header may hold what compare_digest refuses in text
    return bool(secret) and hmac.compare_digest(made.encode(), given.encode(errors="replace"))


def challenge(account: Account, call: Call) -> str | None:
    """What Meta wants back from whoever knows the verify token; None for anything else."""
    query = dict(call.query)
    token = account.credentials.get("verify_token", "")
    given = query.get("hub.verify_token", "")
    if query.get("hub.mode") != "subscribe" or not token:
        return None
    genuine = hmac.compare_digest(token.encode(), given.encode(errors="replace"))
    return query.get("hub.challenge") if genuine else None
