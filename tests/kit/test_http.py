"""HTTP out: each request leaves once at most, and its end says whether anything may have left."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from clarion.kit.http import Answer, Http, NeverSent, Unanswered, departing, public_socket
from tests.kit.wire import OK, Line, Wire, always, answer, wire


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http


async def ask(http: Http, url: str, method: str = "POST", **options: float) -> Answer:
    body = b"{}" if method == "POST" else None
    return await http.call(method, URL(url), headers={}, body=body, **options)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def settled(server: Wire) -> int:
    """How many requests the server has seen, once one that was repeated would have come too."""
    await asyncio.sleep(0.2)
    return len(server.requests)


# --- answered


async def test_an_answer_comes_whole_however_it_is_cut(http: Http) -> None:
    async def in_pieces(line: Line) -> None:
        await line.request()
        reply = answer(200, b"0123456789" * 100, "Retry-After: 7")
        for start in range(0, len(reply), 97):
            await line.say(reply[start : start + 97])
            await asyncio.sleep(0.001)

    async with wire(in_pieces) as server:
        found = await ask(http, server.url)
    assert (found.status, found.body) == (200, b"0123456789" * 100)
    assert found.headers["retry-after"] == "7"


async def test_a_chunked_answer_comes_whole(http: Http) -> None:
    async def in_chunks(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            await line.say(b"3\r\nabc\r\n")
            await asyncio.sleep(0.01)
        await line.say(b"0\r\n\r\n")

    async with wire(in_chunks) as server:
        assert (await ask(http, server.url)).body == b"abcabcabc"


async def test_an_answer_without_end_is_read_to_a_limit(http: Http) -> None:
    async def for_ever(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            await line.say(b"x" * 65536)

    async with wire(for_ever) as server:
        assert len((await ask(http, server.url)).body) == 1 << 20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(http: Http, status: int) -> None:
    async with wire(always(answer(200, b"followed"))) as elsewhere:
        moved = answer(status, b"", f"Location: {elsewhere.url}/")
        async with wire(always(moved)) as server:
            for method in ("POST", "GET"):
                assert (await ask(http, server.url, method)).status == status
            assert (len(server.requests), elsewhere.requests) == (2, [])


async def test_connections_are_kept_and_used_again(http: Http) -> None:
    async with wire(always(OK)) as server:
        for _ in range(5):
            await ask(http, server.url)
        assert (len(server.requests), server.connections) == (5, 1)


# --- never sent


async def test_a_refused_connection_is_never_sent(http: Http) -> None:
    with pytest.raises(NeverSent):
        await ask(http, f"http://127.0.0.1:{free_port()}")


async def test_a_name_that_nobody_knows_is_never_sent(http: Http) -> None:
    with pytest.raises(NeverSent):
        await ask(http, "http://nobody.invalid")  # RFC 6761: never resolves


async def test_a_connection_that_is_not_made_in_time_is_never_sent(http: Http) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:  # what does not fit into the backlog is not answered
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        with pytest.raises(NeverSent):
            await ask(http, f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout=0.3)
        for sock in waiting:
            sock.close()


def _certificate(folder: Path) -> ssl.SSLContext:
    """A server's certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_never_sent(http: Http, tmp_path: Path) -> None:
    async with wire(always(OK), ssl=_certificate(tmp_path)) as server:
        with pytest.raises(NeverSent):
            await ask(http, server.url.replace("http:", "https:"))
        assert await settled(server) == 0


async def test_a_server_that_speaks_no_tls_is_never_sent(http: Http) -> None:
    async def plain(line: Line) -> None:
        await line.say(b"220 mail.example.org ESMTP\r\n")
        await line.reader.read()

    async with wire(plain) as server:
        with pytest.raises(NeverSent):
            await ask(http, server.url.replace("http:", "https:"))


async def test_a_handshake_that_is_cut_off_is_never_sent(http: Http) -> None:
    async def cut(line: Line) -> None:
        await line.reader.read(10)
        line.reset()

    async with wire(cut) as server:
        with pytest.raises(NeverSent):
            await ask(http, server.url.replace("http:", "https:"))


# --- unanswered


async def test_a_reset_after_the_request_is_unanswered(http: Http) -> None:
    async def cut(line: Line) -> None:
        await line.request()
        line.reset()

    async with wire(cut) as server:
        with pytest.raises(Unanswered):
            await ask(http, server.url)
        assert await settled(server) == 1


async def test_a_connection_closed_without_an_answer_is_unanswered(http: Http) -> None:
    async def close(line: Line) -> None:
        await line.request()

    async with wire(close) as server:
        with pytest.raises(Unanswered):
            await ask(http, server.url)
        assert await settled(server) == 1


@pytest.mark.parametrize(
    "half",
    [
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
async def test_half_an_answer_is_unanswered(http: Http, half: bytes) -> None:
    async def stop(line: Line) -> None:
        await line.request()
        await line.say(half)

    async with wire(stop) as server:
        with pytest.raises(Unanswered):
            await ask(http, server.url)
        assert await settled(server) == 1


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
async def test_an_answer_that_takes_too_long_is_unanswered(http: Http, begun: bytes) -> None:
    async def wait(line: Line) -> None:
        await line.request()
        await line.say(begun)
        await line.reader.read()

    async with wire(wait) as server:
        with pytest.raises(Unanswered):
            await ask(http, server.url, total_timeout=0.3)
        assert len(server.requests) == 1


async def test_what_the_other_side_has_not_taken_of_a_call_that_is_over_never_arrives(http: Http) -> None:
    """Else a provider that was cut off for a while gets a request that was looked up meanwhile, found
    missing and sent again."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # takes little before it reads
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = URL(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        body = b"x" * 60_000
        with pytest.raises(Unanswered):
            await http.call("POST", url, headers={}, body=body, total_timeout=0.3)
        await asyncio.sleep(0.1)
        taken, _ = listening.accept()
        with taken:
            taken.settimeout(2.0)
            assert await asyncio.to_thread(_all_of, taken) < len(body)


def _all_of(taken: socket.socket) -> int:
    """How many bytes can be read until the end."""
    count = 0
    with suppress(ConnectionResetError):
        while part := taken.recv(65_536):
            count += len(part)
    return count


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_nothing_is_sent_again_over_a_kept_connection_that_was_dropped(http: Http, method: str) -> None:
    """The second request goes out on the kept connection, is read, and gets no answer."""

    async def once(line: Line) -> None:
        await line.request()
        await line.say(OK)
        await line.request()

    async with wire(once) as server:
        assert (await ask(http, server.url, method)).status == 200
        with pytest.raises(Unanswered):
            await ask(http, server.url, method)
        assert await settled(server) == 2
        assert server.connections == 1


# --- where to


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"])
async def test_private_addresses_are_refused_at_the_connection_unless_allowed(host: str) -> None:
    async with wire(always(OK)) as server, Http(allow_private=False) as http:
        with pytest.raises(NeverSent):
            await ask(http, f"http://{host}:{server.port}")
        assert server.connections == 0


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),  # a public one through NAT64: all that a network without IPv4 has
        ("10.0.0.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False),
        ("fd00::1", False), ("fe80::1%eth0", False), ("ff02::1", False), ("fec0::1", False),
        ("::ffff:10.0.0.1", False), ("::10.0.0.1", False), ("64:ff9b::a00:1", False),
        ("64:ff9b:1::5db8:d70e", False), ("2002:a00:1::1", False), ("2001:0:a00:1::", False),
    ],
)  # fmt: skip
def test_an_address_within_an_address_is_what_counts(address: str, allowed: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    info = (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443))
    if allowed:
        public_socket(info).close()
    else:
        with pytest.raises(PermissionError):
            public_socket(info)


# --- the last look before the first byte


class TooLate(Exception):
    """What a door that is shut says."""


class Door:
    """Writes down when it is asked and told; keeps everybody in where `shut`."""

    def __init__(self, *, shut: bool = False) -> None:
        self.told: list[str] = []
        self.shut = shut

    def check(self) -> None:
        self.told.append("check")
        if self.shut:
            raise TooLate

    def leave(self) -> None:
        self.told.append("leave")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_departure_is_asked_and_told_before_the_first_byte(http: Http, method: str) -> None:
    door = Door()
    seen: list[list[str]] = []

    async def look(line: Line) -> None:
        await line.request()
        seen.append(list(door.told))
        await line.say(OK)

    departing.set(door)
    async with wire(look) as server:
        assert (await ask(http, server.url, method)).status == 200
    assert seen == [["check", "leave"]]
    assert door.told == ["check", "leave"]


async def test_what_is_kept_back_with_a_connection_made_never_leaves(http: Http) -> None:
    departing.set(Door(shut=True))
    async with wire(always(OK)) as server:
        with pytest.raises(TooLate):
            await ask(http, server.url)
        assert await settled(server) == 0


async def test_a_call_without_a_connection_never_departs(http: Http) -> None:
    door = Door()
    departing.set(door)
    with pytest.raises(NeverSent):
        await ask(http, f"http://127.0.0.1:{free_port()}/")
    assert door.told == []


# --- whether anybody is there


@pytest.mark.parametrize("said", [OK, answer(404, b""), b"what do you want?\r\n\r\n"])
async def test_whatever_is_said_somebody_is_there(http: Http, said: bytes) -> None:
    async with wire(always(said)) as server:
        assert await http.answers(URL(server.url), connect_timeout=1.0, total_timeout=1.0)
        assert server.requests[0].method == "HEAD"


async def test_who_says_nothing_is_not_there(http: Http) -> None:
    async def silent(line: Line) -> None:
        await line.request()
        await asyncio.sleep(2)

    async with wire(silent) as server:
        assert not await http.answers(URL(server.url), connect_timeout=0.3, total_timeout=0.3)
    nobody = URL(f"http://127.0.0.1:{free_port()}")
    assert not await http.answers(nobody, connect_timeout=0.3, total_timeout=0.3)
