"""Whether another process is dead is believed only where it is proven."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clarion.kit import process


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def test_a_living_process_is_not_dead(other: subprocess.Popen[bytes]) -> None:
    assert not process.proven_dead(process.host(), process.boot(), other.pid, process.born(other.pid))


def test_a_stopped_process_is_not_dead(other: subprocess.Popen[bytes]) -> None:
    birth = process.born(other.pid)
    os.kill(other.pid, signal.SIGSTOP)
    assert not process.proven_dead(process.host(), process.boot(), other.pid, birth)


def test_a_killed_process_is_dead_before_and_after_it_is_waited_for(other: subprocess.Popen[bytes]) -> None:
    birth = process.born(other.pid)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert process.proven_dead(process.host(), process.boot(), other.pid, birth)
    other.wait()
    assert process.proven_dead(process.host(), process.boot(), other.pid, birth)


def test_who_has_a_dead_ones_number_is_not_it() -> None:
    host, pid, boot, birth = process.me()
    ticks, _, where = birth.partition(" ")
    assert process.proven_dead(host, boot, pid, f"{int(ticks) - 1} {where}")


def test_another_boot_proves_something_only_of_who_was_silent_for_long() -> None:
    """A machine's copy has its name, and a boot of its own."""
    host, pid, _, birth = process.me()
    assert not process.proven_dead(host, "another boot", pid, birth)
    assert process.proven_dead(host, "another boot", pid, birth, silent=True)


def test_what_the_system_hides_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid, /proc shows no process of other users."""
    host, pid, boot, birth = process.me()
    monkeypatch.setattr(process, "Path", lambda _: Path("/proc/there/is/no/such"))
    assert not process.proven_dead(host, boot, pid, birth)


def test_another_machine_cannot_tell() -> None:
    _, pid, boot, _ = process.me()
    assert not process.proven_dead("elsewhere", boot, pid, "1 pid:[4026531836]")


def test_another_container_of_this_machine_cannot_tell() -> None:
    """Containers may share the machine's name and boot; a number means another process in each."""
    host, pid, boot, birth = process.me()
    assert not process.proven_dead(host, boot, pid, birth.partition(" ")[0] + " pid:[1]")


def test_nothing_is_known_of_who_did_not_say() -> None:
    assert not process.proven_dead(process.host(), "", 1, "1 pid:[1]")
    assert not process.proven_dead(process.host(), process.boot(), 1, "")
