"""The clinic of examples/clinic, day by day: dates are set and moved, visits done and missed, the next one
comes months later, and a case is closed. What each person hears on each day, and that nothing comes twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.sandbox.client import SandboxProcess
from clarion.settings import Settings
from tests.acceptance.clinic import Clinic, Heard, clinic, local

BEGINS, ENDS = "2026-03-02 15:00", "2026-09-01 00:00"


@pytest.fixture
async def selam_clinic(db: Database, tmp_path: Path, sandbox: SandboxProcess) -> AsyncIterator[Clinic]:
    sandbox.reset(config=True)
    settings = Settings(state_dir=tmp_path, allow_private_addresses=True)
    services = Services(db, FakeClock(local(BEGINS)), settings, SecretBox.from_settings(settings))
    async with clinic(services, sandbox) as here:
        yield here


def date(day: str, **more: str) -> dict[str, Any]:
    return {"properties": {"appointment_date": day, **more}}


DONE = {"properties": {"status": "done"}}
SAVED: list[tuple[str, str, dict[str, Any]]] = [
    ("2026-03-03 10:00", "V-1", date("2026-03-09")),  # her date is set
    ("2026-03-05 11:00", "V-1", date("2026-03-13")),  # moved before she was told of it
    ("2026-03-12 10:00", "V-2", DONE),
    ("2026-03-12 12:00", "V-1", date("2026-03-17")),  # moved after she was told of it
    ("2026-03-18 11:00", "V-1", date("2026-03-20")),  # she did not come, and is given another date
    ("2026-03-20 10:00", "V-1", DONE),
    ("2026-06-01 10:00", "V-1", date("2026-06-10", status="scheduled")),  # the next visit, months later
    ("2026-06-10 10:00", "V-1", DONE),
    ("2026-06-15 09:30", "V-1", date("2026-06-24", status="scheduled")),
    ("2026-06-20 10:00", "V-1", {"closed": True}),
]
"""What is written of the two visits, and when."""


def to_amina(at: str, days: str, date: str) -> Heard:
    words = f"Habari Amina, miadi yako katika Kliniki ya Selam ni {days}, tarehe {date}."
    return Heard(at, "Amina", "SMS", words)


def soon(at: str, date: str) -> Heard:
    return to_amina(at, "baada ya siku mbili", date)


def today(at: str, date: str) -> Heard:
    return to_amina(at, "leo", date)


def to_abebe(at: str, patient: str, date: str, worker: str) -> Heard:
    words = f"{patient} comes tomorrow, {date}. The health worker is {worker}."
    return Heard(at, "Abebe", "e-mail", words)


def to_john(at: str, date: str) -> Heard:
    return Heard(at, "John", "push", f"Amina ana miadi tarehe {date}.")


ROSA = "Dear Rosa, your visit at Selam Clinic is"
HEARD = [
    Heard(BEGINS, "Zeinab", "push", "Rosa has a visit on 2026-03-12."),
    to_john("2026-03-03 10:00", "2026-03-09"),
    to_john("2026-03-05 11:00", "2026-03-13"),
    Heard("2026-03-10 09:00", "Rosa", "SMS", f"{ROSA} in two days, on 2026-03-12."),
    soon("2026-03-11 09:00", "2026-03-13"),
    to_abebe("2026-03-11 16:00", "Rosa", "2026-03-12", "Zeinab"),
    Heard("2026-03-12 07:00", "Rosa", "SMS", f"{ROSA} today, 2026-03-12."),
    to_john("2026-03-12 12:00", "2026-03-17"),  # so Abebe hears nothing of the 13th
    soon("2026-03-15 09:00", "2026-03-17"),
    to_abebe("2026-03-16 16:00", "Amina", "2026-03-17", "John"),
    today("2026-03-17 07:00", "2026-03-17"),
    Heard("2026-03-18 08:00", "John", "push", "Amina hakufika tarehe 2026-03-17."),
    to_john("2026-03-18 11:00", "2026-03-20"),  # two hours too late for what is said two days before
    to_abebe("2026-03-19 16:00", "Amina", "2026-03-20", "John"),
    today("2026-03-20 07:00", "2026-03-20"),
    to_john("2026-06-01 10:00", "2026-06-10"),
    soon("2026-06-08 09:00", "2026-06-10"),
    to_abebe("2026-06-09 16:00", "Amina", "2026-06-10", "John"),
    today("2026-06-10 07:00", "2026-06-10"),
    to_john("2026-06-15 09:30", "2026-06-24"),  # and then the case is closed
]
"""All that anybody hears in half a year, by the clocks of Nairobi."""


@pytest.mark.timeout(900)
async def test_everybody_hears_what_concerns_them_on_its_day_and_nothing_twice(
    selam_clinic: Clinic,
) -> None:
    await selam_clinic.opens()
    for moment, case, word in SAVED:
        await selam_clinic.until(moment)
        await selam_clinic.says(case, **word)
    await selam_clinic.until(ENDS)
    assert selam_clinic.heard == HEARD
    assert Counter(selam_clinic.heard).most_common(1)[0][1] == 1
    summary = selam_clinic.sandbox.summary()
    assert (summary["accepted"], summary["people_with_same_text_twice"]) == (len(HEARD), 0)
    assert await waiting(selam_clinic) == 0
    assert await skipped(selam_clinic) == []


async def waiting(here: Clinic) -> int:
    """How many recipients have something to come, once all is over."""
    some = [await here.api.get(f"/api/v1/alerts/{one}/recipients?status=active") for one in here.alerts]
    return sum(len(page.json["items"]) for page in some)


async def skipped(here: Clinic) -> list[dict[str, int]]:
    """Of each alert what was meant and not said, by state."""
    counts = [(await here.api.get(f"/api/v1/alerts/{one}/progress")).json["counts"] for one in here.alerts]
    return [one for one in counts if set(one) != {"accepted"}]
