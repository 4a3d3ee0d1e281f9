"""The ledger under everything at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

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


def test_whatever_happens_the_ledger_tells_the_truth(bench: Bench) -> None:
    run_state_machine_as_test(Ledger.of(bench), settings=NORMAL)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_whatever_happens_for_long_the_ledger_tells_the_truth(bench: Bench) -> None:
    long = settings(NORMAL, max_examples=2000, stateful_step_count=60)
    run_state_machine_as_test(Ledger.of(bench), settings=long)
