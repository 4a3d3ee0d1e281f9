"""What a flight recorder tells after its process was killed in the middle of calls."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.kit.flight import SLOT, FlightRecorder, marked

FIRST, SECOND, THIRD, FOURTH = (UUID(int=n) for n in range(1, 5))

# Begins three calls, ends one, begins another, and says so; then it waits to be killed.
_PILOT = """
import sys, time
from pathlib import Path
from uuid import UUID
from clarion.kit.flight import FlightRecorder
recorder = FlightRecorder(Path(sys.argv[1]), 3)
recorder.reserve(3)
for n in (1, 2, 3):
    recorder.mark(UUID(int=n))
recorder.clear(UUID(int=2))
recorder.reserve(1)
recorder.mark(UUID(int=4))
print("flying", flush=True)
time.sleep(60)
"""


def begin(recorder: FlightRecorder, call: UUID) -> None:
    recorder.reserve(1)
    recorder.mark(call)


def test_a_killed_process_leaves_exactly_the_calls_that_had_begun(tmp_path: Path) -> None:
    path = tmp_path / "flight" / "worker.flight"
    with subprocess.Popen([sys.executable, "-c", _PILOT, str(path)], stdout=subprocess.PIPE) as pilot:
        assert pilot.stdout is not None
        assert pilot.stdout.readline() == b"flying\n"
        os.kill(pilot.pid, signal.SIGKILL)
    assert marked(path) == {FIRST, THIRD, FOURTH}


def test_a_living_process_can_be_read_too(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path / "flight", 8)
    begin(recorder, FIRST)
    assert marked(recorder.path) == {FIRST}
    recorder.clear(FIRST)
    assert marked(recorder.path) == set()


def test_of_no_file_nothing_is_known(tmp_path: Path) -> None:
    """Not the same as a file without marks: nobody may conclude that nothing had begun."""
    assert marked(tmp_path / "nothing") is None
    assert marked(tmp_path) is None
    assert marked(FlightRecorder(tmp_path / "flight", 4).path) == set()


def test_a_file_that_was_cut_short_tells_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "flight"
    path.write_bytes(FIRST.bytes + SECOND.bytes[: SLOT // 2])
    assert marked(path) == {FIRST}


def test_there_are_as_many_places_as_were_asked_for(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path / "flight", 2)
    begin(recorder, FIRST)
    begin(recorder, SECOND)
    with pytest.raises(RuntimeError, match="1 places wanted, 0 are free"):
        recorder.reserve(1)
    recorder.clear(FIRST)
    begin(recorder, THIRD)
    assert marked(recorder.path) == {SECOND, THIRD}


def test_a_call_that_was_never_marked_gives_its_place_back_too(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path / "flight", 2)
    recorder.reserve(1)
    kept = recorder.free
    recorder.clear(FIRST)
    assert (kept, recorder.free) == (1, 2)


def test_a_new_recorder_forgets_what_an_old_file_said(tmp_path: Path) -> None:
    old = FlightRecorder(tmp_path / "flight", 2)
    begin(old, FIRST)
    old.close(remove=False)
    assert marked(old.path) == {FIRST}
    assert marked(FlightRecorder(tmp_path / "flight", 2).path) == set()


def test_who_leaves_in_order_leaves_no_file(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path / "flight", 2)
    recorder.close(remove=True)
    assert marked(recorder.path) is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    assert FlightRecorder(tmp_path / "flight", 2).path.stat().st_mode & 0o077 == 0


@given(st.lists(st.tuples(st.sampled_from(["reserve", "begin", "end"]), st.integers(0, 9)), max_size=80))
def test_the_file_always_holds_what_has_begun_and_not_ended(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    recorder = FlightRecorder(tmp_path_factory.getbasetemp() / f"flight-{uuid4()}", 5)
    reserved: set[UUID] = set()
    flying: set[UUID] = set()
    for step, n in steps:
        call = UUID(int=n + 1)
        if step == "reserve" and call not in reserved | flying and recorder.free:
            recorder.reserve(1)
            reserved.add(call)
        elif step == "begin" and call in reserved:
            recorder.mark(call)
            reserved.discard(call)
            flying.add(call)
        elif step == "end" and call in reserved | flying:
            recorder.clear(call)
            reserved.discard(call)
            flying.discard(call)
        assert marked(recorder.path) == flying
        assert recorder.free == 5 - len(flying) - len(reserved)
    recorder.close(remove=True)


def test_a_place_that_is_kept_is_nobody_elses_until_it_is_given_back(tmp_path: Path) -> None:
    recorder = FlightRecorder(tmp_path / "one.flight", 1)
    recorder.reserve(1)
    kept = recorder.free
    recorder.release(1)
    assert (kept, recorder.free) == (0, 1)
    recorder.close(remove=True)
