"""Outside the service window a campaign does what it declares: a worker, and providers that enforce it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from clarion.errors import Invalid
from clarion.flow import draft
from clarion.flow.services import Services
from clarion.kit.db import rows
from clarion.sandbox.client import SandboxProcess
from tests.flow.announcing import announcement
from tests.flow.windowed import BOTH, TEXT, Windowed, reached, until, windowed
from tests.store.people import ABEBE, AMINA

PSIDS = {"Abebe": "910000000002", "Amina": "710000000001"}
SOON = 10.0  # seconds, of a busy machine; it is a fraction of one


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
async def whatsapp(alone: tuple[Services, UUID], sandbox: SandboxProcess) -> AsyncIterator[Windowed]:
    sandbox.reset(config=True)
    cast = [reached("Amina", "whatsapp", AMINA), reached("Abebe", "whatsapp", ABEBE)]
    async with windowed(*alone, sandbox, "whatsapp", cast) as here:
        yield here


@pytest.fixture
async def messenger(alone: tuple[Services, UUID], sandbox: SandboxProcess) -> AsyncIterator[Windowed]:
    sandbox.reset(config=True)
    cast = [reached(name, "messenger", path) for name, path in PSIDS.items()]
    async with windowed(*alone, sandbox, "messenger", cast) as here:
        yield here


async def known(here: Windowed, person: str) -> None:
    """They wrote, and we know it."""
    await here.write(person)

    async def there() -> bool:
        async with here.services.db.tenant(here.workspace) as connection:
            return bool(
                await rows(
                    connection, "SELECT FROM address WHERE value = %s AND window_at IS NOT NULL", (person,)
                )
            )

    await until(there)


async def test_who_wrote_reads_the_text_and_others_the_template(whatsapp: Windowed) -> None:
    await known(whatsapp, AMINA)
    campaign_id = await whatsapp.tell(content=BOTH, outside_window="template")
    await whatsapp.until(campaign_id, ("Abebe", "accepted", None), ("Amina", "accepted", None))
    assert (whatsapp.on(AMINA), whatsapp.on(ABEBE)) == (["text"], ["template"])


async def test_who_did_not_write_is_skipped_where_that_is_declared(whatsapp: Windowed) -> None:
    await known(whatsapp, AMINA)
    campaign_id = await whatsapp.tell(content=TEXT, outside_window="skip")
    await whatsapp.until(campaign_id, ("Abebe", "skipped", "outside_window"), ("Amina", "accepted", None))
    assert whatsapp.phones(AMINA, ABEBE) == [1, 0]
    assert len(whatsapp.sandbox.requests()) == 1, "nobody was tried for nothing"


async def test_it_waits_until_they_write_and_then_goes_at_once(whatsapp: Windowed) -> None:
    await known(whatsapp, AMINA)
    campaign_id = await whatsapp.tell(content=TEXT, outside_window="wait")
    await whatsapp.until(campaign_id, ("Abebe", "waits", "outside_window"), ("Amina", "accepted", None))
    assert "waits until they write" in await whatsapp.explained(campaign_id, "Abebe")
    far = await whatsapp.progress(campaign_id)
    assert (far.counts["scheduled"], far.reasons) == (1, {"scheduled": {"outside_window": 1}})
    assert far.waits == "waits: 1 until their person writes (the service window)"
    began = time.monotonic()
    await whatsapp.write(ABEBE)
    await whatsapp.until(campaign_id, ("Abebe", "accepted", None), ("Amina", "accepted", None))
    assert time.monotonic() - began < SOON
    assert whatsapp.phones(AMINA, ABEBE) == [1, 1]
    assert {(one["attempts"], one["queued"]) for one in await whatsapp.became(campaign_id)} == {(1, False)}


async def test_who_never_writes_expires_and_says_why(whatsapp: Windowed) -> None:
    campaign_id = await whatsapp.tell(content=TEXT, outside_window="wait")
    await whatsapp.until(
        campaign_id, ("Abebe", "waits", "outside_window"), ("Amina", "waits", "outside_window")
    )
    now = whatsapp.services.clock.now()
    async with whatsapp.services.db.tenant(whatsapp.workspace) as connection:  # its day is over
        await connection.execute("UPDATE queue SET due_at = %s, expires_at = %s", (now, now))
        await connection.execute("UPDATE message SET due_at = %s, expires_at = %s", (now, now))
    await whatsapp.until(
        campaign_id, ("Abebe", "expired", "outside_window"), ("Amina", "expired", "outside_window")
    )
    assert "did not write within 24 hours" in await whatsapp.explained(campaign_id, "Abebe")
    await whatsapp.write(ABEBE)
    far = await whatsapp.progress(campaign_id)
    assert (far.counts, far.waits) == ({"expired": 2}, "")
    assert whatsapp.sandbox.people() == {}


async def test_nothing_declared_is_as_it_was(whatsapp: Windowed) -> None:
    await known(whatsapp, AMINA)
    campaign_id = await whatsapp.tell(content=TEXT)
    await whatsapp.until(campaign_id, ("Abebe", "skipped", "outside_window"), ("Amina", "accepted", None))


@pytest.mark.parametrize(("declared", "abebe"), [("skip", "skipped"), ("wait", "waits")])
async def test_messenger_has_a_window_too(messenger: Windowed, declared: str, abebe: str) -> None:
    await known(messenger, PSIDS["Amina"])
    campaign_id = await messenger.tell(content=TEXT, outside_window=declared)
    await messenger.until(campaign_id, ("Abebe", abebe, "outside_window"), ("Amina", "accepted", None))
    await messenger.write(PSIDS["Abebe"])
    if declared == "wait":
        await messenger.until(campaign_id, ("Abebe", "accepted", None), ("Amina", "accepted", None))
    assert messenger.phones(PSIDS["Amina"], PSIDS["Abebe"]) == [1, int(declared == "wait")]


async def test_messenger_keeps_no_templates_and_that_is_said_when_it_is_written(messenger: Windowed) -> None:
    async with messenger.services.db.tenant(messenger.workspace) as connection:
        with pytest.raises(Invalid) as refused:
            await draft.create(
                connection, messenger.services, name="Closed", channel_id=messenger.channel_id,
                definition=announcement(content=TEXT, outside_window="template"),
            )  # fmt: skip
    (problem,) = refused.value.problems
    assert problem.where == "content.variants[0].outside"
    assert problem.hint == 'Nothing goes over messenger then: declare "wait" or "skip".'


async def test_a_messenger_channel_with_a_tag_speaks_at_any_time(
    alone: tuple[Services, UUID], sandbox: SandboxProcess
) -> None:
    sandbox.reset(config=True)
    cast = [reached(name, "messenger", path) for name, path in PSIDS.items()]
    services, workspace = alone
    tagged = {"tag": "CONFIRMED_EVENT_UPDATE"}
    async with windowed(services, workspace, sandbox, "messenger", cast, options=tagged) as here:
        campaign_id = await here.tell(content=saying_text("The clinic is open"))
        await here.until(campaign_id, ("Abebe", "accepted", None), ("Amina", "accepted", None))
        assert here.phones(*PSIDS.values()) == [1, 1]


def saying_text(text: str) -> dict[str, object]:
    return {"variants": [{"content": {"kind": "text", "text": text}}]}
