"""Fields by the API: declared once, of one type, and then read in what is given of people."""

from __future__ import annotations

from tests.api.client import Api
from tests.api.people import ABEBA

FIELDS = "/api/v1/fields"


async def test_a_declared_field_is_read_by_its_type(selam: Api) -> None:
    made = await selam.post(FIELDS, {"name": "Start Date", "type": "date"})
    assert (made.status, made.json["key"]) == (201, "start_date")
    people = [{**ABEBA, "fields": {"start_date": "1 March 2026"}}]
    [told] = (await selam.post("/api/v1/contacts", {"contacts": people})).json["results"]
    assert told["problems"] == []
    shown = (await selam.get(f"/api/v1/contacts/{told['contact_id']}")).json
    assert shown["fields"] == {"start_date": "2026-03-01"}
    assert (await selam.get(FIELDS)).json["items"] == [made.json]


async def test_a_field_keeps_its_type_and_no_field_is_called_as_the_contacts_own(selam: Api) -> None:
    await selam.post(FIELDS, {"name": "Start Date", "type": "date"})
    assert (await selam.post(FIELDS, {"name": "start date", "type": "date"})).status == 201
    assert (await selam.post(FIELDS, {"name": "start date", "type": "text"})).status == 409
    reserved = await selam.post(FIELDS, {"name": "Language", "type": "text"})
    assert (reserved.status, reserved.json["where"]) == (422, "body.name")
