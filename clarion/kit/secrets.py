"""Secrets: what is kept encrypted with a key from outside the database, and keys to the API.

`SecretBox` seals bytes with AES-256-GCM and binds them to what they belong to: a sealed value that is
copied to another row does not open there. The key comes from `CLARION_SECRET_KEY`, or from a file
(mode 0600) in the state folder that is made once. Keys of before still open, so a key is rotated by
moving it to `CLARION_PREVIOUS_SECRET_KEYS` and sealing again what is `stale`.

An API key names its workspace, so that it is looked up in that workspace alone:

    clarion_<workspace, 32 hex><key, 32 hex>_<secret, 43 characters of base64url>

Its secret has 256 random bits, so one SHA-256 is enough to keep (there is no word to guess), and the
comparison takes the same time wherever the two differ.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clarion.errors import Misconfigured
from clarion.settings import Settings

KEY_FILE = "secret.key"
_FORMAT = b"\x01"
_FINGERPRINT, _NONCE = 4, 12
_SHORTEST_KEY = 32


class SecretBox:
    """Seals with the first of its keys; opens with any of them. Sealed = format, key, nonce, text."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` are long random words, the present one first. Raises Misconfigured for a short one."""
        self._ciphers = {_fingerprint(derived): AESGCM(derived) for derived in map(_derive, keys)}
        self._present = _fingerprint(_derive(keys[0]))

    @classmethod
    def from_settings(cls, settings: Settings) -> SecretBox:
        """The box of this installation; makes the key file where no key is set. Raises Misconfigured."""
        if settings.secret_key is not None:
            present = settings.secret_key.get_secret_value()
        else:
            path = settings.state_dir / KEY_FILE
            try:
                present = _key_file(path)
            except OSError as error:
                raise Misconfigured(
                    f"the secret key's file cannot be used: {error.strerror}",
                    where=str(path),
                    hint="Set CLARION_SECRET_KEY, or CLARION_STATE_DIR to a folder of your own.",
                ) from None
        return cls([present, *(key.get_secret_value() for key in settings.previous_secret_keys)])

    def seal(self, plain: bytes, *, bound_to: bytes) -> bytes:
        """`plain` encrypted; it opens only with the same `bound_to` (see `binding`)."""
        nonce = os.urandom(_NONCE)
        head = _FORMAT + self._present
        return head + nonce + self._ciphers[self._present].encrypt(nonce, plain, head + bound_to)

    def open(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """What was sealed. Raises Misconfigured when no key fits, or it belongs to something else."""
        head, rest = sealed[: 1 + _FINGERPRINT], sealed[1 + _FINGERPRINT :]
        cipher = self._ciphers.get(head[1:]) if head[:1] == _FORMAT else None
        if cipher is None:
            raise Misconfigured(
                "a stored secret was sealed with a key that this process does not have",
                hint="Set CLARION_SECRET_KEY (or CLARION_PREVIOUS_SECRET_KEYS), or restore the state "
                f"folder's {KEY_FILE}; without the key, give the channel its credentials again.",
            )
        try:
            return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], head + bound_to)
        except InvalidTag as error:
            raise Misconfigured(
                "a stored secret does not open here: it was changed, or moved from another row",
                hint="Give the channel its credentials again.",
            ) from error

    def stale(self, sealed: bytes) -> bool:
        """Whether it was sealed with a key of before."""
        return sealed[: 1 + _FINGERPRINT] != _FORMAT + self._present

    def rotate(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """The same secret, sealed with the present key; unchanged when it is already."""
        if not self.stale(sealed):
            return sealed
        return self.seal(self.open(sealed, bound_to=bound_to), bound_to=bound_to)


def binding(purpose: str, *owners: UUID) -> bytes:
    """What a sealed value is bound to: a purpose and the identifiers of what it belongs to."""
    return purpose.encode() + b"\x00" + b"".join(owner.bytes for owner in owners)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its holder has it. Its `repr` holds no secret."""

    workspace_id: UUID
    key_id: UUID
    secret: str = field(repr=False)

    def shown(self) -> str:
        """The key as it is given to its holder, once."""
        return f"clarion_{self.workspace_id.hex}{self.key_id.hex}_{self.secret}"

    def digest(self) -> bytes:
        """What is stored of the secret: 32 bytes."""
        return hashlib.sha256(self.secret.encode()).digest()


_API_KEY = re.compile(r"clarion_([0-9a-f]{32})([0-9a-f]{32})_([A-Za-z0-9_-]{43})")


def new_api_key(workspace_id: UUID, key_id: UUID) -> ApiKey:
    """A key with 256 fresh random bits."""
    return ApiKey(workspace_id, key_id, secrets.token_urlsafe(32))


def parse_api_key(text: str) -> ApiKey | None:
    """The key that `text` spells, or None when it is none of ours."""
    found = _API_KEY.fullmatch(text)
    return None if found is None else ApiKey(UUID(found[1]), UUID(found[2]), found[3])


def same(one: bytes, other: bytes) -> bool:
    """Equality that takes the same time wherever the two differ."""
    return hmac.compare_digest(one, other)


def _derive(key: str) -> bytes:
    if len(key) < _SHORTEST_KEY:
        raise Misconfigured(
            f"the secret key has {len(key)} characters, which can be guessed",
            where="CLARION_SECRET_KEY",
            hint=f"Use {_SHORTEST_KEY} random characters or more: `openssl rand -base64 32`.",
        )
    # a fixed salt is RFC 5869's own default; the input is random already
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"clarion secrets 1").derive(key.encode())


def _fingerprint(derived: bytes) -> bytes:
    """Which key sealed: tells keys apart and says nothing of them."""
    return hashlib.sha256(b"clarion key name\x00" + derived).digest()[:_FINGERPRINT]


def _key_file(path: Path) -> str:
    """The key in `path`; made there, whole and at once, when it is not. Two starters get the same one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(base64.b64encode(os.urandom(32)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key is the key
            os.link(draft, path)
        draft.unlink()
    if path.stat().st_mode & 0o077:
        raise Misconfigured(
            "the secret key's file can be read by others", where=str(path), hint=f"chmod 600 {path}"
        )
    return path.read_text(encoding="ascii").strip()
