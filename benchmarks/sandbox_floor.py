"""What one message costs the sandbox: CPU µs per POST on kept-alive connections, as one JSON line.

The sandbox shares two cores with what a benchmark measures, so this must stay small. The load comes from raw
sockets with requests made beforehand, one in flight per connection; the CPU is the sandbox process's own
(utime + stime), whatever the load costs.

    python -m benchmarks.sandbox_floor [--messages 100000] [--connections 32] [--receipts]
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import selectors
import socket
import tempfile
import threading
import time
from pathlib import Path

from clarion.sandbox.client import SandboxProcess

_HEAD = (
    "POST /v21.0/100200300/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sandbox-token\r\n"
    "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
)


def request(number: int) -> bytes:
    """A text message to the n-th person, as a sender's client writes it."""
    body = json.dumps(
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": f"2519{number:08d}",
            "type": "text",
            "text": {
                "body": f"Dear colleague {number}, the office is closed on Monday.",
                "preview_url": False,
            },
            "biz_opaque_callback_data": f"0199c0de-0000-7000-8000-{number:012x}",
        }
    ).encode()
    return _HEAD.format(len(body)).encode() + body


def load(port: int, messages: int, connections: int) -> float:
    """Send that many, each connection one at a time; gives the seconds that it took."""
    selector = selectors.DefaultSelector()
    prepared = iter([request(number) for number in range(messages)])
    left = messages
    begun = time.perf_counter()
    for _ in range(min(connections, messages)):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(next(prepared))
        selector.register(sock, selectors.EVENT_READ, sock)
    while left:
        for key, _ in selector.select():
            sock = key.data
            answer = sock.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the sandbox answered {answer[:200]!r}")
            left -= 1
            following = next(prepared, None)
            if following is None:
                selector.unregister(sock)
                sock.close()
            else:
                sock.sendall(following)
    return time.perf_counter() - begun


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system seconds of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def resident_bytes(pid: int) -> int:
    """Resident memory of a process (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server(http.server.ThreadingHTTPServer):
    """Says nothing of connections that the sandbox ends."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A closed connection is no news."""


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes webhooks and forgets them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def measure(messages: int, connections: int, receipts: bool) -> dict[str, object]:
    """Run one sandbox under that load and give the row."""
    receiver = Server(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    callback = f"http://127.0.0.1:{receiver.server_address[1]}/" if receipts else None
    settings = {"sent_after": 0.0, "delivered_after": 0.0, "read_share": 0.0}
    with (
        tempfile.TemporaryDirectory() as folder,
        SandboxProcess.start(
            Path(folder), window="open", callback_url=callback, receipts=settings
        ) as sandbox,
    ):
        port = int(sandbox.url.rsplit(":", 1)[1])
        pid = sandbox.process.pid
        load(port, 2000, connections)
        sandbox.wait_for_webhooks()
        before, memory = cpu_seconds(pid), resident_bytes(pid)
        seconds = load(port, messages, connections)
        sandbox.wait_for_webhooks(300)
        user, system = (now - then for now, then in zip(cpu_seconds(pid), before, strict=True))
        grown = resident_bytes(pid) - memory
        summary = sandbox.summary()
    receiver.shutdown()
    assert summary["accepted"] == messages + 2000
    return {
        "benchmark": "sandbox_floor",
        "messages": messages,
        "connections": connections,
        "receipts_each": 2 if receipts else 0,
        "cpu_us_per_message": round((user + system) / messages * 1e6, 2),
        "user_us": round(user / messages * 1e6, 2),
        "system_us": round(system / messages * 1e6, 2),
        "messages_per_s": round(messages / seconds),
        "bytes_per_message": round(grown / messages),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--receipts", action="store_true", help="post two statuses a message to a receiver")
    options = parser.parse_args()
    print(json.dumps(measure(options.messages, options.connections, options.receipts)))


if __name__ == "__main__":
    main()
