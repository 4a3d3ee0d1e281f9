"""RapidPro's own client for Python (rapidpro-python) works against the sandbox."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.rapidpro import WELCOME
from tests.sandbox.rapidpro import NUMBERS, TOKEN

temba: Any = import_module("temba_client.v2")
exceptions: Any = import_module("temba_client.exceptions")
AMINA = "tel:+254712000001"


@pytest.fixture
def client(sandbox: SandboxProcess) -> Any:
    sandbox.configure(numbers=NUMBERS)
    return temba.TembaClient(sandbox.url, TOKEN)


def test_it_keeps_people_in_groups(client: Any) -> None:
    client.create_field("Joined", "datetime")
    nurses = client.create_group("Nurses")
    amina = client.create_contact(
        name="Amina", urns=[AMINA], groups=[nurses], fields={"joined": "2026-03-01"}
    )
    client.update_contact(AMINA, language="eng")
    (found,) = client.get_contacts(group=nurses, after=amina.modified_on).all()
    assert (found.uuid, found.language, found.fields) == (
        amina.uuid, "eng", {"joined": "2026-03-01T00:00:00.000000Z"},
    )  # fmt: skip
    client.bulk_remove_contacts([amina], nurses)
    client.bulk_block_contacts([amina])
    assert client.get_contacts(uuid=amina.uuid).first().status == "blocked"
    client.delete_contact(amina)
    assert [one.uuid for one in client.get_contacts(deleted=True).all()] == [amina.uuid]


def test_it_turns_the_pages_of_a_list_both_ways(client: Any, sandbox: SandboxProcess) -> None:
    sandbox.configure(rapidpro={"page": 2})
    for number in range(5):
        client.create_contact(name=f"Person {number}")
    pages = [[one.name for one in page] for page in client.get_contacts(reverse=True).iterfetches()]
    assert pages == [["Person 0", "Person 1"], ["Person 2", "Person 3"], ["Person 4"]]
    assert client.get_contacts().first().name == "Person 4"


def test_it_plans_a_campaign(client: Any) -> None:
    nurses = client.create_group("Nurses")
    campaign = client.create_campaign("Welcome", nurses)
    event = client.create_campaign_event(campaign, "created_on", 2, "days", 9, message="Hello")
    changed = client.update_campaign_event(event, "created_on", 3, "days", -1, flow=WELCOME)
    (found,) = client.get_campaign_events(campaign=campaign).all()
    assert (found.uuid, found.offset, found.flow.name) == (event.uuid, 3, changed.flow.name)
    client.delete_campaign_event(event)
    assert client.get_campaign_events(campaign=campaign).all() == []


def test_it_is_told_what_is_wrong_and_to_come_again(client: Any, sandbox: SandboxProcess) -> None:
    with pytest.raises(exceptions.TembaBadRequestError, match="No such object"):
        client.create_campaign("Welcome", "Nobody")
    with pytest.raises(exceptions.TembaTokenError):
        temba.TembaClient(sandbox.url, "stolen").get_groups().all()
    sandbox.configure(rapidpro={"requests": 1, "window": 3})
    client.get_contacts().all()  # of a scope that nothing was asked of yet
    with pytest.raises(exceptions.TembaRateExceededError) as throttled:
        client.get_contacts().all()
    assert 1 <= throttled.value.retry_after <= 3
    assert client.get_contacts().all(retry_on_rate_exceed=True) == []
