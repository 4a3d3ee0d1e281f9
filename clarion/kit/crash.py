"""Named places at which a test may kill this process, as a power cut or an operator's kill -9 would.

Off unless `CLARION_CRASH=name:n` is set: then the n-th passing of that place kills the process with
SIGKILL; with `name:n:stop` it is stopped there (SIGSTOP), a zombie that may wake. The names are
enumerated, so that the fault suite visits every one of them.
"""

from __future__ import annotations

import os
import signal
from typing import Literal, get_args

Point = Literal[
    "take.before_commit",
    "take.committed",
    "recover.before_commit",
    "recover.committed",
    "refill.read",
    "intent.before_commit",
    "intent.committed",
    "call.before_mark",
    "call.marked",
    "call.answered",
    "settle.before_commit",
    "settle.committed",
    "end.before_commit",
    "end.committed",
    "beat.before_commit",
    "beat.committed",
    "release.before_commit",
    "release.committed",
    "expand.before_commit",
    "expand.committed",
    "enroll.before_commit",
    "enroll.committed",
    "due.before_commit",
    "due.committed",
    "reckon.before_commit",
    "reckon.committed",
    "match.before_commit",
    "match.committed",
    "receive.before_commit",
    "receive.committed",
    "replay.claimed",
    "poll.asked",
    "poll.before_commit",
    "poll.committed",
    "fallback.before_commit",
    "fallback.committed",
    "pull.before_commit",
    "pull.committed",
]
POINTS: tuple[Point, ...] = get_args(Point)


_name, _left, _signal = "", 0, signal.SIGKILL


def arm(plan: str) -> None:
    """Die (or stop) at the n-th passing of a place: `name:n` or `name:n:stop`, empty for never.

    Raises ValueError for a place that is not there.
    """
    global _name, _left, _signal
    name, _, rest = plan.partition(":")
    if name and name not in POINTS:
        raise ValueError(f"there is no crash point {name!r}")
    count, _, how = rest.partition(":")
    _name, _left = name, int(count or 1)
    _signal = signal.SIGSTOP if how == "stop" else signal.SIGKILL


def crash_point(name: Point) -> None:
    """Die here, if a test asked for it."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), _signal)


arm(os.environ.get("CLARION_CRASH", ""))
