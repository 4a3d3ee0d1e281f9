"""The ledger under everything at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from clarion.kit import ids
from clarion.store import expansion
from tests.house import House
from tests.store.ledger.machine import Ledger
from tests.store.ledger.transactions import Bench
from tests.store.ledger.world import COHORT, impatient, make_partitions, own_database

NORMAL = settings(
    max_examples=120,
    stateful_step_count=20,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def bench(house: House) -> Iterator[Bench]:
    with own_database(house) as name:
        make_partitions(house, name, COHORT)
        bench = Bench(impatient(house.url(name)))
        yield bench
        bench.close()


# For all tests of a process, which share a database; apart, since ids of one world are made of each other.
NUMBERS = itertools.count(1 << 20, 1 << 20)


@pytest.fixture(autouse=True)
def _ids_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made later sorts later, within the same millisecond as well: the same choices lead to the same
    rows in the same order, which is how Hypothesis knows a run again."""

    def counted(size: int) -> bytes:
        return next(NUMBERS).to_bytes(size, "big")

    monkeypatch.setattr(ids, "os", SimpleNamespace(urandom=counted))
    monkeypatch.setattr(expansion, "token_hex", lambda size: counted(size).hex())


def test_whatever_happens_the_ledger_tells_the_truth(bench: Bench) -> None:
    run_state_machine_as_test(Ledger.of(bench), settings=NORMAL)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(8))  # so that two processes share them
def test_whatever_happens_for_long_the_ledger_tells_the_truth(bench: Bench, part: int) -> None:
    long = settings(NORMAL, max_examples=250, stateful_step_count=60)
    run_state_machine_as_test(Ledger.of(bench), settings=long)
