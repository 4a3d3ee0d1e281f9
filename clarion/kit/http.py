"""HTTP out: one answer, or exactly one of two errors that say whether anything may have left.

Connections for other protocols are made here too (`Http.connected`), under the same rules.

aiohttp repeats idempotent requests on a dropped keep-alive connection by itself, whatever the
caller wanted; here nothing is ever repeated and no redirect is followed (DESIGN, ledger rule 5).
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol

import aiohttp
from aiohttp.payload import BytesPayload
from multidict import CIMultiDict
from yarl import URL

from clarion import __version__

_USER_TIMEOUT_MS = 30_000
_LARGEST_ANSWER = 1 << 20
AGENT = f"Clarion/{__version__}"


class NeverSent(Exception):
    """Proven: no byte of the request reached the other side (refused, unknown host, TLS, no connection)."""


class Unanswered(Exception):
    """Bytes may have left and no whole answer came: nobody knows what became of it."""


@dataclass(slots=True)
class Answer:
    """A whole answer: status, headers (lower-case names) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Departure(Protocol):
    """Is told by a call of its context that its first byte is about to leave."""

    def check(self) -> None:
        """There is a connection. Whatever this raises comes out of the call, and nothing leaves."""

    def leave(self) -> None:
        """Now. May be called more than once."""


departing: ContextVar[Departure | None] = ContextVar("departing", default=None)


class _Request(aiohttp.ClientRequest):
    """Asks before it is written, and tells when: connecting may have taken long, and may have failed."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        departure = departing.get()
        if departure is not None:
            departure.check()
            if not self.body:
                departure.leave()
        return await super().send(conn)

    async def write_bytes(self, writer: Any, conn: Any, content_length: int | None = None) -> None:
        departure = departing.get()
        if departure is not None:
            departure.leave()
        await super().write_bytes(writer, conn, content_length)


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """A socket for an address that everybody may know. At the connection itself, because a name may
    resolve to another address each time it is asked (DNS rebinding). Raises OSError."""
    if not _public(ipaddress.ip_address(str(info[4][0]).partition("%")[0])):
        raise PermissionError(errno.EACCES, "a loopback or private address")
    return _socket(info)


# IPv6 addresses that lead to an IPv4 one, which is then what counts (RFC 6052, 3056, 4291 2.5.5), and
# those of a site's own (RFC 8215, 3879) that Python holds for global.
_NAT64, _COMPATIBLE = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96")
_LOCAL = (ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("fec0::/10"))


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64 or address in _COMPATIBLE:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _public(inner)
        if any(address in network for network in _LOCAL):
            return False
    return address.is_global and not address.is_multicast


def _socket(info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = info[0], info[1], info[2]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A connection that is given up (a time-out, a killed process) is reset, and what the other side has
    # not acknowledged is dropped: else the kernel would go on delivering a request that we hold for
    # ended, up to the user time-out later (docs/decisions/http-out.md).
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    return made


def prepared(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers of many calls, made once: the client need neither convert nor complete them each time."""
    return CIMultiDict({"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": AGENT, **headers})


class Http:
    """A pool of connections. Open it with `async with`; share it among senders of one process."""

    def __init__(
        self, *, connections: int = 1024, keepalive: float = 15.0, allow_private: bool = True,
        largest: int = _LARGEST_ANSWER,
    ) -> None:  # fmt: skip
        """`keepalive` seconds: less than what providers allow, so that they rarely close first. Of the body
        of an answer, at most `largest` bytes are read.

        Without `allow_private`, loopback and private addresses are refused, whatever name led there.
        """
        self._factory = _socket if allow_private else public_socket
        self._allow_private = allow_private
        self._connections = connections
        self._keepalive, self._largest = keepalive, largest
        self._session: aiohttp.ClientSession | None = None

    @property
    def allow_private(self) -> bool:
        """Whether loopback and private addresses may be reached."""
        return self._allow_private

    async def __aenter__(self) -> Http:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=self._keepalive, socket_factory=self._factory
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            trust_env=False,
            request_class=_Request,
        )
        # What aiohttp has no public switch for; a test sends a GET over a dropped connection to hold it.
        self._session._retry_connection = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def connected(self, host: str, port: int, *, timeout: float, bare: bool = False) -> socket.socket:
        """A TCP connection to speak another protocol over, as calls are connected; `timeout` seconds.

        `bare`: nothing on it will be encrypted, so it must lead to a private address where those are
        allowed. Raises NeverSent.
        """
        loop = asyncio.get_running_loop()
        failed: BaseException = OSError(errno.EHOSTUNREACH, "no address")
        try:
            async with asyncio.timeout(timeout):
                for info in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                    try:
                        return await self._connect(loop, info, bare=bare)
                    except OSError as error:
                        failed = error
        except (OSError, TimeoutError, UnicodeError) as error:
            failed = error
        why = f": {failed.strerror}" if isinstance(failed, PermissionError) else ""  # mostly ours
        raise NeverSent(_words(failed) + why) from failed

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, info: tuple[Any, ...], *, bare: bool
    ) -> socket.socket:
        address = ipaddress.ip_address(str(info[4][0]).partition("%")[0])
        if bare and (not self._allow_private or _public(address)):
            raise PermissionError(errno.EACCES, "unencrypted, and not to a private address")
        made = self._factory(info)
        try:
            made.setblocking(False)
            await loop.sock_connect(made, info[4])
        except BaseException:
            made.close()
            raise
        return made

    async def answers(self, url: URL, *, connect_timeout: float, total_timeout: float) -> bool:
        """Whether anything is said there at all, asked in a way that changes nothing (HEAD: RFC 9110, 9.2.1).
        Seconds."""
        assert self._session is not None, "open Http with `async with`"
        timeout = _timeout(connect_timeout, total_timeout)
        try:
            async with self._session.request("HEAD", url, allow_redirects=False, timeout=timeout):
                return True
        except aiohttp.ClientResponseError:
            return True  # whatever it was: somebody is there
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False

    async def call(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        connect_timeout: float = 5.0,
        total_timeout: float = 30.0,
    ) -> Answer:
        """Make the request once. Raises NeverSent or Unanswered; time-outs are seconds.

        A `departing` of the caller's context is asked and told before the first byte.
        """
        assert self._session is not None, "open Http with `async with`"
        timeout = _timeout(connect_timeout, total_timeout)
        # said by the caller, so that the client need not find out what kind of thing a body is
        data = None if body is None else BytesPayload(body, content_type=headers.get("Content-Type"))
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                return Answer(
                    response.status, response.headers, await _whole(response.content, self._largest)
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NeverSent(_words(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unanswered(_words(error)) from error


async def _whole(content: aiohttp.StreamReader, largest: int) -> bytes:
    """All of a body, up to the largest that we look at. Raises ClientPayloadError when it breaks off."""
    body = await content.read(largest)
    while not content.at_eof() and len(body) < largest:
        body += await content.read(largest - len(body))
    return body


@lru_cache(maxsize=1024)
def _timeout(connect: float, total: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=connect)


def _words(error: BaseException) -> str:
    """The kind of error and the system's word for it, without addresses or content."""
    reason = getattr(error, "os_error", None)
    number = getattr(reason, "errno", None)
    return f"{type(error).__name__}" + (f" (errno {number})" if number else "")
