"""Why a case is told of, to whom and when: each condition with what it saw, each person with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from clarion.errors import Invalid, NotFound
from clarion.flow import alert, consent, explain_alert, explain_told
from clarion.flow.explain_alert import Explained
from clarion.flow.explain_criteria import Judged
from clarion.flow.explain_people import Hears
from clarion.flow.services import Services
from clarion.store import group
from tests.flow.alerting import AT_ONCE, SCHEDULED, definition, running, say, types, until, work
from tests.flow.announcing import channel
from tests.store.people import ABEBE, AMINA, ROSA, person, store

DAY = timedelta(days=1)
NINE = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # tomorrow in Nairobi; it is noon of 2026-03-02
HOME = ZoneInfo("Africa/Nairobi")
SOON = {
    "property": "appointment_date", "op": "between",
    "value": [{"days_from_today": 0}, {"days_from_today": 2}],
}  # fmt: skip


@pytest.fixture(autouse=True)
async def _visits(services: Services, workspace: UUID) -> None:
    await types(services, workspace)


async def visit(services: Services, workspace: UUID, case: str = "V1", **more: object) -> UUID:
    said = {"name": "Amina", "phone": AMINA, "status": "scheduled", "appointment_date": "2026-03-05", **more}
    return await say(services, workspace, case, **said)


async def explained(services: Services, workspace: UUID, campaign_id: UUID, case: str = "V1") -> Explained:
    async with services.db.tenant(workspace) as connection:
        return await explain_alert.explain(connection, services, campaign_id, case)


def story(one: Explained) -> str:
    return "\n".join(explain_told.sentences(one, HOME))


def leaves(node: Judged) -> list[Judged]:
    return [node] if node.kind == "condition" else [leaf for child in node.of for leaf in leaves(child)]


async def test_each_condition_says_whether_it_holds_and_what_it_saw(
    services: Services, workspace: UUID
) -> None:
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("Abebe", ABEBE, external_id="E-1")], services.clock.now())
    await say(services, workspace, "M1", type="mother", name="Rosa", phone=ROSA)
    await visit(services, workspace, appointment_date="2026-03-06", parent="M1", owner="E-1", weight="heavy")
    criteria = {
        "all": [
            SCHEDULED,
            {"any": [SOON, {"property": "weight", "op": "gt", "value": 3}]},
            {"not": {"property": "closed", "of": "parent", "op": "equal", "value": True}},
            {"field": "name", "of": "owner", "op": "equal", "value": "Rosa"},
            {"property": "status", "changed_to": "scheduled"},
        ]
    }
    campaign_id = await running(services, workspace, definition(criteria=criteria))
    found = await explained(services, workspace, campaign_id)
    status, soon, weight, closed, owner, changed = leaves(found.criteria)
    assert [one.holds for one in leaves(found.criteria)] == [True, False, False, False, False, False]
    assert [one.holds for one in found.criteria.of] == [True, False, True, False, False]
    assert (status.saw[0].value, status.saw[0].external_id) == ("scheduled", "V1")
    assert (soon.turns_on, soon.saw[0].read_as) == (date(2026, 3, 4), "2026-03-06")
    heavy = weight.saw[0]
    assert (heavy.compared_as, heavy.value, heavy.read_as) == ("number", "heavy", None)
    assert (closed.saw[0].external_id, closed.saw[0].value) == ("M1", False)
    assert (owner.saw[0].name, owner.saw[0].value, owner.saw[0].holds) == ("Abebe", "Abebe", False)
    assert changed.saw[0].changed_at is None
    assert (found.meets, found.turns_on, found.criteria.turns_on) == (False, None, None)
    assert "no: at least one of these; may change on 2026-03-04" in story(found)
    assert "has 'heavy', which is no number" in story(found)


@pytest.mark.parametrize("criteria", [SCHEDULED, SOON, {"all": [SCHEDULED, SOON]}, {"not": SOON}], ids=str)
async def test_the_tree_says_what_the_run_says(
    services: Services, workspace: UUID, criteria: dict[str, Any]
) -> None:
    for case, day in (("V1", "2026-03-04"), ("V2", "2026-03-09"), ("V3", "soon")):
        await visit(services, workspace, case, appointment_date=day)
    campaign_id = await running(services, workspace, definition(AT_ONCE, criteria=criteria))
    for case in ("V1", "V2", "V3"):
        found = await explained(services, workspace, campaign_id, case)
        assert (found.criteria.holds, found.criteria.turns_on) == (found.meets, found.turns_on)


async def test_what_was_said_and_what_comes_stand_with_their_times(
    services: Services, workspace: UUID
) -> None:
    await visit(services, workspace)
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE)
    found = await explained(services, workspace, campaign_id)
    assert found.stands is not None
    assert (found.stands.phase, found.stands.times, found.in_step) == ("on", 1, True)
    (amina,) = found.people
    assert (amina.person.name, amina.person.address, amina.silent) == ("Amina", f"tel:{AMINA}", "")
    assert [(one.due_at, one.step, one.content, one.state) for one in amina.past] == [
        (NINE, 1, "soon", "ready")
    ]
    assert [(one.due_at, f"{one.local:%H:%M}", one.step, one.skip) for one in amina.next] == [
        (NINE + DAY, "09:00", 2, "")
    ]
    assert "2026-03-04 09:00:00 EAT: tomorrow comes" in story(found)


async def test_who_heard_all_and_what_is_over_say_why_nothing_comes(
    services: Services, workspace: UUID
) -> None:
    await visit(services, workspace)
    await visit(services, workspace, "V2")
    campaign_id = await running(services, workspace)
    await until(services, workspace, campaign_id, NINE + 2 * DAY)
    await say(services, workspace, "V2", closed=True)
    unseen = await explained(services, workspace, campaign_id, "V2")
    await work(services, workspace, campaign_id)
    done, over = [await explained(services, workspace, campaign_id, case) for case in ("V1", "V2")]
    assert (unseen.in_step, unseen.meets) == (False, False)
    assert done.people[0].silent == "has heard all of it"
    assert over.stands is not None
    assert (over.stands.phase, over.stands.reason, over.in_step) == ("off", "closed", True)
    assert "It is closed, and such a case meets none." in story(over)


async def _silent(services: Services, workspace: UUID, campaign_id: UUID, case: str = "V1") -> str:
    (one,) = (await explained(services, workspace, campaign_id, case)).people
    return one.silent


async def test_where_nothing_comes_the_reason_is_told(services: Services, workspace: UUID) -> None:
    await visit(services, workspace, "V1", appointment_date="soon")
    await visit(services, workspace, "V2", appointment_date="2026-02-01")
    await visit(services, workspace, "V3", status="done")
    campaign_id = await running(services, workspace)
    assert await _silent(services, workspace, campaign_id) == "appointment_date of the case is no date"
    assert await _silent(services, workspace, campaign_id, "V2") == "came too late for any of it"
    assert await _silent(services, workspace, campaign_id, "V3") == "the case does not meet the criteria"
    async with services.db.tenant(workspace) as connection:
        await alert.cancel(connection, services, campaign_id)
    assert await _silent(services, workspace, campaign_id) == "the alert has ended"


async def test_a_draft_says_whom_it_would_tell(services: Services, workspace: UUID) -> None:
    await visit(services, workspace)
    channel_id = await channel(services, workspace)
    async with services.db.tenant(workspace) as connection:
        campaign_id = await alert.create(
            connection, services, name="Visits", channel_id=channel_id, definition=definition()
        )
    found = await explained(services, workspace, campaign_id)
    assert (found.meets, found.stands) == (True, None)
    assert [(one.person.name, one.silent) for one in found.people] == [
        ("Amina", "the alert was not launched")
    ]


async def test_a_recipient_that_names_nobody_says_why(services: Services, workspace: UUID) -> None:
    async with services.db.tenant(workspace) as connection:
        group_id = await group.create(connection, "Helpers", services.clock.now())
    await visit(services, workspace, phone="none", parent="M9", owner="CHW-4")
    recipients = [
        {"to": "role", "role": "phone"}, {"to": "role", "role": "helper"}, {"to": "case"}, {"to": "parent"},
        {"to": "host"}, {"to": "children"}, {"to": "owner"}, {"to": "modified_by"},
        {"to": "group", "group_id": group_id},
    ]  # fmt: skip
    campaign_id = await running(services, workspace, definition(recipients=recipients))
    found = await explained(services, workspace, campaign_id)
    assert [one.nobody for one in found.recipients] == [
        "phone says 'none', and that names nobody",
        "nobody is in the role helper of the case",
        "the case has no address in phone",
        "its parent 'M9' is not known",
        "the case has no host",
        "no open child of the case names anybody",
        "no contact has the external id 'CHW-4'",
        "nothing says who wrote the case last",
        "nobody is in the group",
    ]
    assert found.people == []


async def _person(services: Services, workspace: UUID, campaign_id: UUID, name: str) -> Hears:
    found = await explained(services, workspace, campaign_id)
    return next(one for one in found.people if one.person.name == name)


async def test_a_person_who_hears_nothing_says_why(services: Services, workspace: UUID) -> None:
    cast = [
        person("Abebe", ABEBE, external_id="A", language="am"),
        person("Rosa", ROSA, external_id="R", language="en"),
        person("Sara", external_id="S", language="en"),
    ]  # fmt: skip
    async with services.db.tenant(workspace) as connection:
        taken = await store(connection, cast, services.clock.now())
    rosa = taken[1].contact_id
    assert rosa is not None
    await visit(services, workspace, contacts={"helper": ["A", "R", "S"]})
    recipients = [{"to": "role", "role": "helper"}]
    only = {"language": ["en"]}
    campaign_id = await running(services, workspace, definition(recipients=recipients, only=only))
    await consent.person_out(services.db, services.clock, workspace, rosa)
    await work(services, workspace, campaign_id)
    abebe, silent_rosa, sara = [
        await _person(services, workspace, campaign_id, name) for name in ("Abebe", "Rosa", "Sara")
    ]
    assert (abebe.person.reason, abebe.person.unmet, abebe.status) == ("filtered", ["language"], None)
    assert (silent_rosa.person.reason, silent_rosa.silent) == ("opted_out", "asked for no more messages")
    assert (sara.person.reason, sara.person.address) == ("no_address", None)
    assert [one.skip for one in sara.next] == ["has no address that this channel reaches"] * 2
    told = story(await explained(services, workspace, campaign_id))
    assert "Abebe, left out (language)" in told
    assert "Abebe hears nothing: language of theirs is not what the alert asks for." in told


async def test_a_case_of_another_type_or_none_is_refused(services: Services, workspace: UUID) -> None:
    await say(services, workspace, "M1", type="mother", name="Rosa", phone=ROSA)
    campaign_id = await running(services, workspace)
    with pytest.raises(Invalid, match="of the type mother"):
        await explained(services, workspace, campaign_id, "M1")
    with pytest.raises(NotFound):
        await explained(services, workspace, campaign_id, "V9")
