"""A real mail server in its own process (aiosmtpd): it keeps what it takes, and replies as it is told.

`python -m tests.providers.mail_server FOLDER` listens on a free port of loopback until its standard input
ends. A certificate and key in FOLDER (`tls.pem`) give it STARTTLS; a file `login` there, a user and a
password that it asks for. Who a letter is for says how it is answered: `rcpt+550+5.1.1@…` is refused at RCPT
TO, `dot+451+4.3.0@…` after the content, `rcpt+gone@…` and `dot+gone@…` hang up there instead; a sender
`mail+…` the same at MAIL FROM.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

PATIENCE = 20.0


@dataclass
class Taken:
    """A letter as it came, and over which connection."""

    sender: str
    recipient: str
    raw: bytes
    connection: str

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)


@dataclass
class MailServer:
    """The server, from outside."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def taken(self) -> list[Taken]:
        """Every letter, in order."""
        try:
            lines = (self.folder / "taken").read_text().splitlines()
        except FileNotFoundError:
            return []
        found = [json.loads(line) for line in lines]
        return [Taken(one["from"], one["to"], one["raw"].encode("latin-1"), one["over"]) for one in found]


@contextmanager
def mail_server(folder: Path) -> Iterator[MailServer]:
    """One that runs meanwhile."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.providers.mail_server", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2]
    ) as process:
        ready, deadline = folder / "ready", time.monotonic() + PATIENCE
        while not ready.exists():
            assert process.poll() is None, "the mail server ended"
            assert time.monotonic() < deadline, "the mail server does not listen"
            time.sleep(0.02)
        yield MailServer(folder, int(ready.read_text()))
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE)


# --- the process


class _Handler:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self._reply(server, "mail", address) or "250 2.1.0 Ok"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self._reply(server, "rcpt", address) or "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        (address,) = envelope.rcpt_tos
        said = self._reply(server, "dot", address)
        if said and said[0] != "2":
            return said
        one = {
            "from": envelope.mail_from, "to": address, "raw": envelope.original_content.decode("latin-1"),
            "over": ":".join(map(str, session.peer)),
        }  # fmt: skip
        self._keep(one)
        return said or "250 2.0.0 Ok: queued as 4XyZ"

    def _keep(self, one: dict[str, str]) -> None:
        with (self._folder / "taken").open("a") as file:
            file.write(json.dumps(one) + "\n")

    def _reply(self, server: Any, stage: str, address: str) -> str | None:
        words = address.rpartition("@")[0].split("+")
        if words[0] != stage:
            return None
        if words[1] == "gone":
            server.transport.abort()
            return "421 gone"
        return (
            f"{words[1]} {' '.join(words[2:3])} <{address}> cannot be served: {' '.join(words[3:])}".strip()
        )


def _options(folder: Path) -> dict[str, Any]:
    from aiosmtpd.smtp import AuthResult, LoginPassword

    options: dict[str, Any] = {"enable_SMTPUTF8": True, "hostname": "mail.selam.example"}
    if (folder / "tls.pem").exists():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.pem")
        options["tls_context"] = context
    if (folder / "login").exists():
        expected = tuple((folder / "login").read_bytes().split())

        def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
            given = (data.login, data.password) if isinstance(data, LoginPassword) else ()
            return AuthResult(success=given == expected, handled=False)

        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}
    return options


async def _serve(folder: Path) -> None:
    from aiosmtpd.smtp import SMTP

    loop, handler, options = asyncio.get_running_loop(), _Handler(folder), _options(folder)
    server = await loop.create_server(lambda: SMTP(handler, loop=loop, **options), "127.0.0.1", 0)
    (folder / "ready.new").write_text(str(server.sockets[0].getsockname()[1]))
    (folder / "ready.new").replace(folder / "ready")
    ended = asyncio.Event()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            ended.set()

    loop.add_reader(sys.stdin.fileno(), read)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
