"""The HTTP that the sandbox speaks: requests in pieces, in chunks, in a row, too large, or no HTTP."""

from __future__ import annotations

import json
import socket
import time

import pytest

from clarion.sandbox.client import SandboxProcess, SandboxRefusal
from clarion.sandbox.head import parse_head
from tests.sandbox.ends import AMINA, BEKELE, Caller, text_to


def read_until_closed(sock: socket.socket) -> bytes:
    received = b""
    while part := sock.recv(65536):
        received += part
    return received


def read_answers(sock: socket.socket, count: int) -> bytes:
    received = b""
    while received.count(b"message_status") < count:
        part = sock.recv(65536)
        assert part, received
        received += part
    return received


def test_a_request_may_come_byte_by_byte(sandbox: SandboxProcess, caller: Caller) -> None:
    raw = caller.raw(text_to(AMINA))
    with caller.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw:
            sock.sendall(bytes([byte]))
        assert read_answers(sock, 1).startswith(b"HTTP/1.1 200 OK\r\n")
    assert sandbox.people() == {AMINA: 1}


@pytest.mark.parametrize("cut", [3, 120, -10])
def test_a_request_that_ends_in_the_middle_is_no_request(
    sandbox: SandboxProcess, caller: Caller, cut: int
) -> None:
    with caller.socket() as sock:
        sock.sendall(caller.raw(text_to(AMINA))[:cut])
        sock.shutdown(socket.SHUT_WR)
        assert read_until_closed(sock) == b""
    assert sandbox.summary()["requests"] == 0


def test_a_body_may_come_in_chunks(sandbox: SandboxProcess, caller: Caller) -> None:
    head = caller.raw(text_to(AMINA)).split(b"\r\n\r\n")[0]
    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length"))
    body = json.dumps(text_to(AMINA)).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:]))
    whole = head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    with caller.socket() as sock:
        sock.sendall(whole[:-20])
        time.sleep(0.02)
        sock.sendall(whole[-20:])
        read_answers(sock, 1)
        sock.sendall(whole)
        read_answers(sock, 1)
    assert sandbox.people() == {AMINA: 2}


def test_requests_in_a_row_are_answered_in_their_order(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.fault("slow", 0.1, to=AMINA)
    with caller.socket() as sock:
        sock.sendall(caller.raw(text_to(AMINA)) + caller.raw(text_to(BEKELE)))
        answers = read_answers(sock, 2)
    assert answers.index(AMINA.encode()) < answers.index(BEKELE.encode())


def test_a_caller_who_asks_for_it_is_told_to_continue(caller: Caller) -> None:
    head, body = caller.raw(text_to(AMINA)).split(b"\r\n\r\n")
    with caller.socket() as sock:
        sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        read_answers(sock, 1)


def test_a_caller_who_wants_the_connection_closed_gets_it_closed(caller: Caller) -> None:
    with caller.socket() as sock:
        sock.sendall(caller.raw(text_to(AMINA)).replace(b"Host:", b"Connection: close\r\nHost:"))
        assert b"message_status" in read_until_closed(sock)


def test_an_idle_connection_is_closed_after_its_time(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(keep_alive=0.2)
    with caller.socket() as sock:
        sock.sendall(caller.raw(text_to(AMINA)))
        read_answers(sock, 1)
        assert read_until_closed(sock) == b""


def test_a_caller_who_waits_is_not_idle(sandbox: SandboxProcess, caller: Caller) -> None:
    sandbox.configure(keep_alive=0.1)
    sandbox.fault("slow", 0.5)
    assert caller.text(AMINA).status == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"hello sandbox\r\n\r\n", b"400"),
        (b"POST /v21.0/1/messages HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST /v21.0/1/messages HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    caller: Caller, raw: bytes, status: bytes
) -> None:
    with caller.socket() as sock:
        sock.sendall(raw)
        assert read_until_closed(sock).split(b" ")[1] == status


def test_an_address_that_does_not_exist_is_404(sandbox: SandboxProcess, caller: Caller) -> None:
    assert caller.request("GET", "/nowhere").status == 404
    assert caller.request("DELETE", "/sandbox/config").status == 405
    with pytest.raises(SandboxRefusal) as refusal:
        sandbox.call("GET", "nowhere")
    assert refusal.value.status == 404


def test_a_page_of_another_origin_may_not_control_it(sandbox: SandboxProcess, caller: Caller) -> None:
    host = sandbox.url.removeprefix("http://")
    for origin, status in (("http://example.org", 403), ("null", 403), (f"http://{host}", 200)):
        caller.headers["Origin"] = origin
        assert caller.request("POST", "/sandbox/reset").status == status


def test_a_changed_token_is_obeyed_on_a_connection_that_is_open(
    sandbox: SandboxProcess, caller: Caller
) -> None:
    assert caller.text(AMINA).status == 200
    sandbox.configure(tokens=["another"])
    assert caller.text(AMINA).status == 401


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [("1.1", "", True), ("1.1", "close", False), ("1.0", "", False), ("1.0", "Keep-Alive", True)],
)
def test_a_connection_is_kept_as_http_says(version: str, connection: str, kept: bool) -> None:
    header = f"\r\nConnection: {connection}" if connection else ""
    assert parse_head(f"GET /a?b=c%20d HTTP/{version}{header}".encode()).keep_alive is kept


def test_a_query_is_decoded() -> None:
    head = parse_head(b"GET /sandbox/phone/%2B251?reference=m%201&all= HTTP/1.1")
    assert (head.path, head.first("reference"), head.first("all"), head.first("x")) == (
        "/sandbox/phone/+251", "m 1", "", None,
    )  # fmt: skip
