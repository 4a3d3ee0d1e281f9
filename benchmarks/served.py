"""`clarion serve --no-worker` in a process of its own, for benchmarks that call it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import orjson


class Served:
    """Started when made, and listening; `stop` ends it. Raises SystemExit when it does not come up."""

    def __init__(self, url: str, folder: Path, secret: str) -> None:
        self.log = folder / "serve.log"
        environment = {
            **os.environ, "CLARION_DATABASE_URL": url, "CLARION_STATE_DIR": str(folder / "state"),
            "CLARION_SECRET_KEY": secret, "CLARION_LOG_FORMAT": "json",
            "CLARION_ALLOW_PRIVATE_ADDRESSES": "true",
        }  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "clarion.cli", "serve", "--no-worker", "--port", "0"],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        self.port = self._wait()

    def _wait(self) -> int:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(rb"http://127\.0\.0\.1:(\d+)", self.log.read_bytes())
            if found:
                return int(found[1])
            time.sleep(0.1)
        raise SystemExit(f"the API did not come up: {self.log.read_text()[-2000:]}")

    def post(self, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A call of the API; what it answered. Raises HTTPError with the status."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}", orjson.dumps(body), method="POST",
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as reply:
            return dict(orjson.loads(reply.read()))

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self.process.terminate()
        self.process.wait(30)
