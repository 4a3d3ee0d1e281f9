"""Crash points: off unless asked for, and exactly at the n-th passing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import clarion
from clarion.kit import crash
from clarion.kit.crash import POINTS

# Passes two places three times each, and says so.
_WALK = """
from clarion.kit.crash import crash_point
for n in (1, 2, 3):
    for name in ("call.marked", "call.answered"):
        crash_point(name)
        print(name, n, flush=True)
"""


def walk(plan: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CLARION_CRASH"}
    if plan is not None:
        environment["CLARION_CRASH"] = plan
    return subprocess.run(
        [sys.executable, "-c", _WALK], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("plan", [None, "", "settle.committed:1", "call.marked:4"])
def test_nobody_dies_unless_asked_to(plan: str | None) -> None:
    done = walk(plan)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 6)


@pytest.mark.parametrize(
    ("plan", "last"),
    [
        ("call.answered:2", "call.marked 2"),
        ("call.answered", "call.marked 1"),
        ("call.marked:3", "call.answered 2"),
    ],
)
def test_the_process_is_killed_at_that_passing_of_that_place(plan: str, last: str) -> None:
    done = walk(plan)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.splitlines()[-1] == last


def test_a_process_may_be_stopped_instead_and_go_on_later() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WALK], env={**os.environ, "CLARION_CRASH": "call.answered:2:stop"},
        stdout=subprocess.PIPE, text=True,
    ) as walking:  # fmt: skip
        stopped = os.waitid(os.P_PID, walking.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert stopped is not None
        assert stopped.si_code == os.CLD_STOPPED
        walking.send_signal(signal.SIGCONT)
        told, _ = walking.communicate()
    assert (walking.returncode, len(told.splitlines())) == (0, 6)


def test_a_place_that_is_not_there_is_refused_at_once() -> None:
    done = walk("call.imagined:1")
    assert done.returncode == 1
    assert "there is no crash point 'call.imagined'" in done.stderr
    with pytest.raises(ValueError, match="imagined"):
        crash.arm("call.imagined")


def test_every_place_that_is_named_is_passed_somewhere_and_no_other() -> None:
    """The fault suite visits the names: one that nothing passes would be a test that cannot fail."""
    sources = Path(clarion.__file__).parent.rglob("*.py")
    passed = {
        name
        for source in sources
        for name in re.findall(r"""crash_point\(["']([\w.]+)["']\)""", source.read_text(encoding="utf-8"))
    }
    assert passed == set(POINTS)
