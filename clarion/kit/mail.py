"""Mail out, for telling operators: one message at a time, by the server of `CLARION_SMTP_URL`."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from clarion.errors import Misconfigured, Unavailable

_PATIENCE = 20.0  # seconds for a whole message
_PORTS = {"smtp": 25, "smtps": 465}


async def send(url: str, message: EmailMessage) -> None:
    """Hand a message over. `url` is smtp://user:password@host:port (encrypted where the server offers
    it) or smtps://… (always). Raises Misconfigured for the address, Unavailable when it was not taken."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Misconfigured(
            "the mail server's address cannot be read",
            where="CLARION_SMTP_URL",
            hint="Write smtp://user:password@host:587 or smtps://user:password@host.",
        )
    try:
        async with asyncio.timeout(_PATIENCE):
            await aiosmtplib.send(
                message,
                hostname=parts.hostname,
                port=parts.port or _PORTS[parts.scheme],
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                use_tls=parts.scheme == "smtps",
                timeout=_PATIENCE,
            )
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        # the server's own words may repeat the address, so only their kind is told
        raise Unavailable(f"the mail server did not take a message: {type(error).__name__}") from error
