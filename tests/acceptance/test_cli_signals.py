"""Who asks a process to stop is heard; who asks twice is not kept waiting."""

from __future__ import annotations

import subprocess
import sys

STUBBORN = """
import asyncio, os, signal, sys
from clarion.cli.signals import on_signals

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass  # as psycopg's pool does while it connects

async def main():
    stop = asyncio.Event()
    on_signals(stop)
    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    for _ in range(int(sys.argv[1])):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
    await stop.wait()
    print("stops in order", flush=True)
    os._exit(0)

asyncio.run(main())
"""


def run(signals: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STUBBORN, str(signals)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_first_signal_is_a_wish() -> None:
    ended = run(1)
    assert (ended.returncode, ended.stdout) == (0, "stops in order\n")


def test_a_second_signal_ends_the_process_whatever_will_not_be_cancelled() -> None:
    ended = run(2)
    assert (ended.returncode, ended.stdout) == (130, "")
