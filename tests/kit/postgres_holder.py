"""A process that uses the embedded server: prints what it got as JSON, then obeys lines on its input.

`release` lets go and ends. It is started by the tests that kill, interrupt or race such processes.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from clarion.kit.postgres import EmbeddedServer


def main(state_dir: str) -> None:
    # As in a terminal: whoever runs the tests in the background has them started with it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    server = EmbeddedServer(Path(state_dir))
    info = server.start()
    print(json.dumps(asdict(info), default=str), flush=True)
    for line in sys.stdin:
        if line.strip() == "release":
            break
    server.release()


if __name__ == "__main__":
    main(sys.argv[1])
