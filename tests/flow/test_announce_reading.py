"""Reading what became of an announcement: progress, results, preview, a test of it, and why."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from clarion.domain.content import Content
from clarion.domain.message import Outcome, State
from clarion.domain.wording import STATES
from clarion.errors import Invalid, NotFound
from clarion.flow import announce, draft, explain, fire, preview, results, trial
from clarion.flow.progress import Progress, progress
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.store import campaign, receipt
from clarion.store.receipt import Said
from tests.flow.announcing import (
    HOUR,
    NOON,
    Dispatch,
    at,
    channel,
    counted,
    launched,
    people,
    runs_of,
    saying,
    sent_out,
    written,
)
from tests.store.people import ABEBE, AMINA, JOHN, ROSA, person, store


async def far(services: Services, workspace: UUID, campaign_id: UUID) -> Progress:
    async with services.db.tenant(workspace) as connection:
        return await progress(connection, campaign_id, services.clock.now())


# --- progress


async def test_progress_tells_what_waits_from_what_is_being_sent(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    async with services.db.tenant(workspace) as connection:
        await store(connection, [person("By mail only", "mail@example.org")])
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin(3)
    await dispatch.end(begun[:1], Outcome.ACCEPTED)
    await dispatch.end(begun[1:2], Outcome.UNSENT, retry_at=NOON + timedelta(seconds=30))
    at(services).advance(2)
    told = await far(services, workspace, campaign_id)
    assert told.counts == {"accepted": 1, "sending": 1, "scheduled": 1, "ready": 1, "skipped": 1}
    assert told.reasons == {"skipped": {"no_address": 1}}
    assert (told.total, told.done, told.expanded, told.state) == (5, 2, True, "running")
    assert told.rate == 0.5
    assert told.eta == at(services).now() + timedelta(seconds=6)


async def test_progress_of_a_draft_is_nothing_yet(services: Services, workspace: UUID) -> None:
    campaign_id = await written(services, workspace, await channel(services, workspace))
    told = await far(services, workspace, campaign_id)
    assert (told.state, told.total, told.expanded, told.counts, told.eta) == ("draft", 0, False, {}, None)


async def test_what_is_paused_has_no_end_in_sight(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.end(await dispatch.begin(2), Outcome.ACCEPTED)
    at(services).advance(1)
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id, reason="wrong date")
    told = await far(services, workspace, campaign_id)
    assert (told.state, told.reason, told.eta) == ("paused", "wrong date", None)
    assert told.counts == {"accepted": 2, "ready": 2}


# --- results


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file() and path.name != "secret.key"]


async def test_everybody_who_was_meant_has_a_row_with_a_reason(services: Services, workspace: UUID) -> None:
    await people(
        services, workspace,
        [
            person("Amina", AMINA, external_id="E-1"),
            person("አበበ", ABEBE, external_id="E-2"),
            person("=HYPERLINK(1)", external_id="E-3"),
        ],
    )  # fmt: skip
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    begun = await dispatch.begin()
    await dispatch.end(begun[:1], Outcome.ACCEPTED, provider_id="wamid.1")
    await dispatch.end(begun[1:], Outcome.REFUSED, code="131026")
    text = b"".join([part async for part in results.as_csv(services, workspace, campaign_id)])
    assert text.startswith(b"\xef\xbb\xbf")
    read = sorted(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))), key=lambda r: r["external_id"])
    assert [(r["external_id"], r["name"], r["address"], r["state"], r["reason"]) for r in read] == [
        ("E-1", "Amina", f"tel:{AMINA}", "accepted", ""),
        ("E-2", "አበበ", f"tel:{ABEBE}", "failed", "refused"),
        ("E-3", "'=HYPERLINK(1)", "", "skipped", "no_address"),
    ]
    assert read[1]["explanation"] == "the provider refused it"
    assert (read[0]["provider_id"], read[1]["provider_code"]) == ("wamid.1", "131026")
    assert read[0]["settled_at"] == "2026-03-02T12:00:00+00:00"


async def test_results_are_a_workbook_too(services: Services, workspace: UUID, tmp_path: Path) -> None:
    await people(services, workspace, [person("=1+1", AMINA, external_id="E-1"), person("Abebe", ABEBE)])
    campaign_id, _ = await sent_out(services, workspace)
    heard: list[int] = []
    target = tmp_path / "who got it.xlsx"
    assert await results.write(services, workspace, campaign_id, target, progress=heard.append) == 2
    assert heard == [2]
    sheet = load_workbook(target).worksheets[0]
    first, *rest = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert tuple(first) == results.COLUMNS
    assert {(row[1], row[2], row[3]) for row in rest} == {
        ("=1+1", f"tel:{AMINA}", "ready"), ("Abebe", f"tel:{ABEBE}", "ready"),
    }  # fmt: skip
    assert {cell.data_type for cell in sheet["B"]} == {"s"}
    assert files(tmp_path) == ["who got it.xlsx"]


async def test_results_go_on_from_chunk_to_chunk_and_from_sheet_to_sheet(
    services: Services, workspace: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    monkeypatch.setattr(results, "CHUNK", 3)
    monkeypatch.setattr(results, "SHEET", 3)
    assert await results.write(services, workspace, campaign_id, tmp_path / "all.csv") == 4
    lines = (tmp_path / "all.csv").read_text("utf-8-sig").splitlines()
    assert len(set(lines)) == len(lines) == 5
    await results.write(services, workspace, campaign_id, tmp_path / "all.xlsx")
    sheets = load_workbook(tmp_path / "all.xlsx").worksheets
    assert [sheet.max_row for sheet in sheets] == [3, 3]


async def test_results_of_one_state_alone(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id, _ = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.end((await dispatch.begin())[:1], Outcome.REFUSED)
    found = [chunk async for chunk in results.stream(services, workspace, campaign_id, states=["failed"])]
    assert [one["name"] for chunk in found for one in chunk] == ["Abebe"]


async def test_results_are_written_whole_or_not_at_all(
    services: Services, workspace: UUID, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        await results.write(services, workspace, uuid4(), tmp_path / "none.csv")
    campaign_id = await written(services, workspace, await channel(services, workspace))
    with pytest.raises(Invalid, match=r"end in \.csv or \.xlsx"):
        await results.write(services, workspace, campaign_id, tmp_path / "results.pdf")
    assert files(tmp_path) == []


# --- preview


async def seen(services: Services, workspace: UUID, campaign_id: UUID) -> preview.Preview:
    async with services.db.tenant(workspace) as connection:
        return await preview.preview(connection, services, campaign_id)


async def wrote(services: Services, workspace: UUID, channel_id: UUID, number: str, ago: timedelta) -> None:
    async with services.db.tenant(workspace) as connection:
        await connection.execute(
            "UPDATE address SET window_at = %s, window_channel_id = %s WHERE value = %s",
            (NOON - ago, channel_id, number),
        )


async def test_a_preview_counts_people_and_shows_what_they_would_read(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    async with services.db.tenant(workspace) as connection:
        await store(
            connection,
            [person("Stopped", "+254712000008", opted_out="yes"), person("Mail only", "mail@example.org")],
        )
    nairobi, addis = await channel(services, workspace), await channel(services, workspace, "2")
    await wrote(services, workspace, nairobi, AMINA, HOUR)
    await wrote(services, workspace, addis, ABEBE, HOUR)
    told = await seen(services, workspace, await written(services, workspace, nairobi))
    expected = {
        "people": 4, "reachable": 2, "opted_out": 1, "no_address": 1, "in_window": 1, "outside_window": 1,
    }  # fmt: skip
    assert {key: told.counts[key] for key in expected} == expected
    assert {(one.name, one.kind, one.text, one.template) for one in told.examples} == {
        ("Amina", "text", "Hello Amina, the clinic is closed on Monday", None),
        ("Abebe", "template", "Abebe\nMonday", "closed"),
    }
    assert (told.sampled, told.unsayable) == (2, {})
    assert told.segments is None, "nothing goes as SMS"


@pytest.mark.parametrize(("declared", "skipped"), [("wait", {}), ("skip", {"outside_window": 1})])
async def test_a_preview_shows_what_who_is_waited_for_will_read(
    services: Services, workspace: UUID, declared: str, skipped: dict[str, int]
) -> None:
    await people(services, workspace, [person("Amina", AMINA), person("Abebe", ABEBE)])
    nairobi = await channel(services, workspace)
    await wrote(services, workspace, nairobi, AMINA, HOUR)
    text = Content.of_text("Hello {{ contact.name }}")
    told = await seen(
        services,
        workspace,
        await written(services, workspace, nairobi, content=text, outside_window=declared),
    )
    assert (told.sampled, told.unsayable, told.counts["outside_window"]) == (2, skipped, 1)
    read = {"Hello Amina"} if skipped else {"Hello Amina", "Hello Abebe"}
    assert {one.text for one in told.examples} == read


async def test_a_preview_says_who_could_not_be_told_anything(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA), person(None, ROSA, external_id="E-9")])
    nairobi = await channel(services, workspace)
    await wrote(services, workspace, nairobi, AMINA, HOUR)
    text = await written(services, workspace, nairobi, content=Content.of_text("Hello"))
    told = await seen(services, workspace, text)
    assert (told.sampled, told.unsayable, told.counts["outside_window"]) == (2, {"outside_window": 1}, 1)
    named = await written(
        services, workspace, await channel(services, workspace, "2"), content=saying("{{ contact.name }}")
    )
    assert (await seen(services, workspace, named)).unsayable == {"empty_parameter": 1}


async def test_a_preview_names_what_is_similar_and_writes_nothing(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    channel_id = await channel(services, workspace)
    first = await written(services, workspace, channel_id, "First")
    await launched(services, workspace, first)
    second = await written(services, workspace, channel_id)
    told = await seen(services, workspace, second)
    assert [(one.id, one.people) for one in told.similar] == [(first, 4)]
    assert await runs_of(services, workspace, second) == []


# --- a test to named addresses


async def trial_of(services: Services, workspace: UUID, campaign_id: UUID, *addresses: str) -> trial.Trial:
    async with services.db.tenant(workspace) as connection:
        return await trial.send_test(connection, services, campaign_id, addresses, by="Rosa")


async def test_a_test_goes_to_the_named_address_and_the_person_still_gets_the_announcement(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    made = await trial_of(services, workspace, campaign_id, "0712 000001", f"whatsapp:{ROSA}")
    assert [(one.address, one.state) for one in made.messages] == [
        ("0712 000001", "ready"), (f"whatsapp:{ROSA}", "ready"),
    ]  # fmt: skip
    begun = await Dispatch(services, workspace, made.id).begin()
    assert Counter(waiting.address for waiting, _ in begun) == {AMINA: 1, ROSA: 1}
    await Dispatch(services, workspace, made.id).end(begun, Outcome.ACCEPTED)
    await fire.finish(services, workspace)
    assert (await far(services, workspace, made.id)).counts == {"accepted": 2}
    assert (await far(services, workspace, made.id)).state == "completed"
    run_id = await launched(services, workspace, campaign_id)
    await fire.fire(services, workspace, run_id)
    assert await counted(services, workspace, run_id) == {"ready": 4}


async def test_a_test_is_in_no_list_and_like_nothing(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    await trial_of(services, workspace, campaign_id, AMINA)
    async with services.db.tenant(workspace) as connection:
        listed = await campaign.page(connection, "announcement", None, 10)
    assert [one["id"] for one in listed] == [campaign_id]
    await launched(services, workspace, campaign_id)


async def test_who_opted_out_is_not_tested_either(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("John", JOHN, opted_out="yes"), person("Amina", AMINA)])
    campaign_id = await written(services, workspace, await channel(services, workspace))
    made = await trial_of(services, workspace, campaign_id, JOHN, AMINA)
    assert [(one.state, one.reason) for one in made.messages] == [("skipped", "opted_out"), ("ready", None)]


async def test_an_address_that_cannot_be_tested_is_told_by_its_place(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, [person("Amina", AMINA, ABEBE)])
    campaign_id = await written(services, workspace, await channel(services, workspace))
    with pytest.raises(Invalid) as told:
        await trial_of(services, workspace, campaign_id, AMINA, "0712", JOHN, ABEBE)
    assert {p.where: p.what for p in told.value.problems} == {
        "addresses[1]": "too short for Kenya",
        "addresses[2]": "nobody is reached there on this channel",
        "addresses[3]": "the same person as another of these",
    }
    with pytest.raises(Invalid, match="1 to 20"):
        await trial_of(services, workspace, campaign_id)


# --- why


async def explained(services: Services, workspace: UUID, identifier: UUID) -> list[str]:
    async with services.db.tenant(workspace) as connection:
        return (await explain.explain(connection, identifier, services.clock.now())).sentences


async def the_message(services: Services, workspace: UUID, run_id: UUID) -> UUID:
    async with services.db.tenant(workspace) as connection:
        found = await rows(
            connection, "SELECT id FROM message WHERE run_id = %s ORDER BY id LIMIT 1", (run_id,)
        )
    message_id: UUID = found[0]["id"]
    return message_id


async def test_a_message_is_explained_from_its_tries_and_receipts(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace, [person("Amina", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace)
    dispatch = Dispatch(services, workspace, campaign_id)
    await dispatch.all(Outcome.UNSENT, code="131016", retry_at=NOON + timedelta(seconds=9))
    message_id = await the_message(services, workspace, run_id)
    assert (await explained(services, workspace, message_id))[-1] == "It waits for 2026-03-02 12:00:09 UTC."
    at(services).advance(10)
    ((waiting, attempt_id),) = begun = await dispatch.begin()
    assert (await explained(services, workspace, message_id))[-1] == (
        "A try is under way; its answer is awaited."
    )
    await dispatch.end(begun, Outcome.ACCEPTED, provider_id="wamid.7")
    async with services.db.tenant(workspace) as connection:
        now = services.clock.now()
        await receipt.apply(connection, waiting.cohort, [Said(attempt_id, "delivered", now)], now)
    assert await explained(services, workspace, message_id) == [
        "The message of 'Closed on Monday' to Amina arrived (2026-03-02 12:00:10 UTC).",
        "Try 1, begun 2026-03-02 12:00:00 UTC, did not go, as is proven (code 131016).",
        "Try 2, begun 2026-03-02 12:00:10 UTC, was taken by the provider; the provider calls it wamid.7.",
        "The provider says delivered, 2026-03-02 12:00:10 UTC (heard 2026-03-02 12:00:10 UTC).",
    ]


async def test_moments_are_told_in_the_zone_of_whoever_asks(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace)
    await Dispatch(services, workspace, campaign_id).all()
    message_id = await the_message(services, workspace, run_id)
    async with services.db.tenant(workspace) as connection:
        now = services.clock.now()
        told = (await explain.explain(connection, message_id, now, ZoneInfo("Africa/Nairobi"))).sentences
    assert [sentence.count("2026-03-02 15:00:00 EAT") for sentence in told] == [1, 1]


async def test_what_a_message_waits_for_is_said(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace)
    message_id = await the_message(services, workspace, run_id)
    assert (
        "waits for its turn; it expires 2026-03-03 12:00:00 UTC."
        in (await explained(services, workspace, message_id))[-1]
    )
    async with services.db.tenant(workspace) as connection:
        await announce.pause(connection, services, campaign_id, reason="wrong date")
    paused = "It waits because the announcement is paused (wrong date)."
    assert (await explained(services, workspace, message_id))[-1] == paused
    at(services).advance(25 * 3600)
    assert "Its time ran out" in (await explained(services, workspace, message_id))[-1]


async def test_a_doubt_is_explained_with_its_age(services: Services, workspace: UUID) -> None:
    await people(services, workspace, [person("Amina", AMINA)])
    campaign_id, run_id = await sent_out(services, workspace)
    await Dispatch(services, workspace, campaign_id).all(Outcome.UNKNOWN)
    at(services).advance(600)
    told = await explained(services, workspace, await the_message(services, workspace, run_id))
    assert told[-1].startswith("Nobody knows for 10 minutes whether it went.")


async def test_a_person_is_explained_by_addresses_and_last_messages(
    services: Services, workspace: UUID
) -> None:
    (who,) = await people(services, workspace, [person("John", JOHN, opted_out="yes")])
    told = await explained(services, workspace, who)
    assert told[-1] == "No announcement has meant this person yet."
    await sent_out(services, workspace)
    assert await explained(services, workspace, who) == [
        "John is an active contact.",
        f"tel:{JOHN} has opted out: nothing is sent to it.",
        "Closed on Monday: was not sent: asked for no more messages (2026-03-02 12:00:00 UTC).",
    ]


async def test_what_is_another_workspaces_is_not_explained(
    services: Services, workspace: UUID, another_workspace: UUID
) -> None:
    (who,) = await people(services, workspace, [person("Amina", AMINA)])
    _, run_id = await sent_out(services, workspace)
    message_id = await the_message(services, workspace, run_id)
    for identifier in (who, message_id, uuid4()):
        with pytest.raises(NotFound, match="no message and no contact"):
            await explained(services, another_workspace, identifier)


def test_every_state_has_words() -> None:
    assert set(STATES) == {*State, "scheduled", "sending"}


async def test_the_draft_is_untouched_by_reading(services: Services, workspace: UUID) -> None:
    await people(services, workspace)
    campaign_id = await written(services, workspace, await channel(services, workspace))
    async with services.db.tenant(workspace) as connection:
        before: Any = await draft.read(connection, campaign_id)
    await seen(services, workspace, campaign_id)
    await far(services, workspace, campaign_id)
    async with services.db.tenant(workspace) as connection:
        assert await draft.read(connection, campaign_id) == before
