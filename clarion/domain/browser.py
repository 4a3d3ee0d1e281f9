"""Where a browser is reached by Web Push: its push service's endpoint and its two keys (RFC 8030, 8291).

    https://push.example.org/wpush/v2/gAAA…#p256dh=BNcR…&auth=k8Jw…

That is the only spelling that is kept: keys as unpadded base64url, after the `#`, which no endpoint has.
What a browser's `PushSubscription` gives as JSON is read too.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clarion.domain.channel import not_public
from clarion.domain.refusal import Refusal

LONGEST_ENDPOINT = 1500
_KEPT = re.compile(r"(https?://[^#]+)#p256dh=([^&]+)&auth=([^&]+)")
_URL = re.compile(r"[!-~]+")
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
# The curve of p256dh (NIST P-256, SP 800-186 3.2.1.3): y² = x³ − 3x + B modulo P.
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser: `endpoint` is an https address, `p256dh` its public key (an uncompressed point, 65 bytes),
    `auth` its secret (16 bytes)."""

    endpoint: str
    p256dh: bytes
    auth: bytes

    @property
    def path(self) -> str:
        """Its only spelling."""
        return f"{self.endpoint}#p256dh={_coded(self.p256dh)}&auth={_coded(self.auth)}"


def read_browser(text: str) -> Browser | Refusal:
    """From either spelling. A push service of this machine or its network is refused: whoever gives an
    address could have us call it. Refusals: `not_a_browser`, `endpoint_not_public`."""
    found = _KEPT.fullmatch(text)
    endpoint, p256dh, auth = found.groups() if found else _of_json(text)
    key, secret = _decoded(p256dh), _decoded(auth)
    if not _URL.fullmatch(endpoint) or len(endpoint) > LONGEST_ENDPOINT:
        return _refusal("it has no endpoint that can be called")
    if not _on_curve(key) or len(secret) != 16:
        return _refusal("its keys are not those of a browser")
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:
        return _refusal("it has no endpoint that can be called")
    if parts.username is not None or parts.fragment or not parts.hostname:
        return _refusal("it has no endpoint that can be called")
    if problem := not_public(endpoint):
        return Refusal("endpoint_not_public", f"the push service: {problem}")
    if not _NAME.fullmatch(parts.hostname):
        return _refusal("its push service has no name")
    host = parts.netloc.lower()
    return Browser(f"https://{host}{endpoint[len('https://') + len(host) :]}", key, secret)


def _of_json(text: str) -> tuple[str, str, str]:
    try:
        said: Any = json.loads(text)
        endpoint, keys = said["endpoint"], said["keys"]
        return str(endpoint), str(keys["p256dh"]), str(keys["auth"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", "", ""


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Of base64 in either alphabet, padded or not; nothing where it is none."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", plain):
        return b""
    try:
        return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return b""


def _on_curve(point: bytes) -> bool:
    if len(point) != 65 or point[0] != 4:
        return False
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    return x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0


def _refusal(why: str) -> Refusal:
    hint = "give what PushSubscription.toJSON() gives: an endpoint, and keys with p256dh and auth"
    return Refusal("not_a_browser", f"not a browser's push subscription: {why}", hint)
