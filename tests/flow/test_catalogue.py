"""Templates of a channel: read of the provider, kept for a while, and what is written is judged by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from clarion.domain.campaign import Announcement, Fallback
from clarion.domain.content import Content
from clarion.domain.pool import PoolMember
from clarion.domain.purpose import Purpose
from clarion.errors import Invalid, NotFound
from clarion.flow import announce, catalogue, configure, draft, pooling, preview
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.sandbox.client import SandboxProcess
from clarion.store import catalogue as catalogues
from tests.flow.announcing import announcement, people

BUSINESS = "100000000000001"
PAYDAY = {"name": "payday", "language": "en", "parameters": 1, "category": "UTILITY"}
OFFER = {"name": "offer", "language": "en", "parameters": 0, "category": "MARKETING"}
OPTIONS = {"business_account_id": BUSINESS}
TOKEN = {"token": "sandbox-token"}


def saying(name: str = "payday", *parameters: str, **more: Any) -> Announcement:
    """It is for what its template is registered for."""
    form = {"kind": "template", "name": name, "language": "en", "parameters": list(parameters), **more}
    purpose = Purpose.MARKETING if name == "offer" else Purpose.UTILITY
    return announcement(content={"variants": [{"content": form}]}, purpose=purpose)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@dataclass
class Desk:
    """A channel whose business account has two templates, in a sandbox."""

    services: Services
    workspace: UUID
    sandbox: SandboxProcess
    channel_id: UUID

    async def channel(self, name: str, **config: Any) -> UUID:
        present = {"base_url": self.sandbox.url, "sender": name, "options": OPTIONS, **config}
        async with self.services.db.tenant(self.workspace) as connection:
            return await configure.create_channel(
                connection, self.services, self.workspace, name=name, provider="whatsapp", config=present,
                credentials=TOKEN,
            )  # fmt: skip

    async def write(self, definition: Announcement, channel_id: UUID | None = None) -> UUID:
        """As whoever writes does it: freshened, then judged."""
        over = channel_id or self.channel_id
        await catalogue.freshen(self.services, self.workspace, over, definition)
        async with self.services.db.tenant(self.workspace) as connection:
            return await draft.create(
                connection, self.services, name="Payday", channel_id=over, definition=definition
            )

    async def refused(
        self, definition: Announcement, channel_id: UUID | None = None
    ) -> list[tuple[str, str]]:
        with pytest.raises(Invalid) as error:
            await self.write(definition, channel_id)
        return [(one.where, one.what) for one in error.value.problems]

    async def warnings(self, campaign_id: UUID) -> tuple[str, ...]:
        async with self.services.db.tenant(self.workspace) as connection:
            return (await preview.preview(connection, self.services, campaign_id)).warnings

    async def keeps(self, channel_id: UUID | None = None) -> catalogue.Catalogue:
        async with self.services.db.tenant(self.workspace) as connection:
            return await catalogue.stored(connection, channel_id or self.channel_id)

    async def point(self, channel_id: UUID | None = None, **config: Any) -> None:
        async with self.services.db.tenant(self.workspace) as connection:
            await configure.change_channel(
                connection, self.services, channel_id or self.channel_id, config=config
            )

    def later(self, span: timedelta) -> None:
        clock = self.services.clock
        assert isinstance(clock, FakeClock)
        clock.advance(span.total_seconds())

    @property
    def asked(self) -> int:
        return int(self.sandbox.summary()["listings"])


@pytest.fixture
async def desk(services: Services, workspace: UUID, running: SandboxProcess) -> Desk:
    running.reset(config=True)
    running.configure(templates=[PAYDAY, OFFER])
    made = Desk(services, workspace, running, UUID(int=0))
    made.channel_id = await made.channel("staff")
    await people(services, workspace)
    return made


async def test_what_fits_is_taken_and_the_provider_is_asked_once(desk: Desk) -> None:
    first = await desk.write(saying("payday", "July"))
    await desk.write(saying("offer"))
    assert desk.asked == 1
    assert await desk.warnings(first) == ()
    async with desk.services.db.tenant(desk.workspace) as connection:
        for name, category in (("payday", "UTILITY"), ("offer", "MARKETING"), ("none", None)):
            assert await catalogues.category(connection, desk.channel_id, name, "en") == category


WRONG: dict[str, tuple[Announcement, str, str]] = {
    "misspelt": (saying("pay_day", "July"), ".name", "over staff: there is no template 'pay_day'"),
    "in another language": (
        saying("payday", "July", language="sw"), ".language",
        "over staff: the template 'payday' is not there in sw"),
    "a parameter too few": (
        saying("payday"), ".parameters", "over staff: the template 'payday' takes one parameter; 0 given"),
}  # fmt: skip


@pytest.mark.parametrize("label", WRONG)
async def test_what_does_not_fit_is_refused_at_its_place(desk: Desk, label: str) -> None:
    definition, where, what = WRONG[label]
    assert await desk.refused(definition) == [(f"content.variants[0].content{where}", what)]


async def test_a_reading_serves_for_an_hour(desk: Desk) -> None:
    await desk.write(saying("payday", "July"))
    desk.later(timedelta(minutes=59))
    await desk.write(saying("payday", "July"))
    assert desk.asked == 1
    desk.later(timedelta(minutes=2))
    await desk.write(saying("payday", "July"))
    assert desk.asked == 2


async def test_what_does_not_fit_is_looked_up_again_but_not_at_every_try(desk: Desk) -> None:
    await desk.refused(saying("news"))
    desk.sandbox.configure(templates=[PAYDAY, {"name": "news", "language": "en"}])
    await desk.refused(saying("news"))
    assert desk.asked == 1
    desk.later(timedelta(minutes=2))
    await desk.write(saying("news"))
    assert desk.asked == 2
    assert [one.name for one in (await desk.keeps()).templates] == ["news", "payday"]


async def test_a_template_that_was_paused_since_is_refused_at_the_launch(desk: Desk) -> None:
    campaign_id = await desk.write(saying("payday", "July"))
    desk.sandbox.configure(templates=[PAYDAY | {"status": "PAUSED"}])
    desk.later(timedelta(hours=2))
    await draft.freshen(desk.services, desk.workspace, campaign_id)
    async with desk.services.db.tenant(desk.workspace) as connection:
        with pytest.raises(Invalid) as error:
            await announce.launch(connection, desk.services, campaign_id)
    assert [one.what for one in error.value.problems] == [
        "over staff: the template 'payday' in en is paused, not approved"
    ]


async def test_an_edit_is_judged_by_what_it_will_say(desk: Desk) -> None:
    campaign_id = await desk.write(saying("payday", "July"))
    changes = {"content": saying("pay_day").content}
    await draft.freshen(desk.services, desk.workspace, campaign_id, changes=changes)
    async with desk.services.db.tenant(desk.workspace) as connection:
        with pytest.raises(Invalid):
            await draft.edit(connection, desk.services, campaign_id, changes=changes)


# --- what cannot be checked warns


async def test_a_channel_that_does_not_say_whose_templates_it_calls_warns(desk: Desk) -> None:
    other = await desk.channel("other", options={})
    campaign_id = await desk.write(saying("anything"), other)
    (warning,) = await desk.warnings(campaign_id)
    assert warning == "The templates of other were not checked: its options name no business_account_id."
    assert desk.asked == 0


async def test_a_service_that_is_not_reached_warns_and_is_not_asked_at_every_try(desk: Desk) -> None:
    await desk.point(base_url="http://127.0.0.1:1")
    campaign_id = await desk.write(saying("anything"))
    (warning,) = await desk.warnings(campaign_id)
    assert "The templates of staff were not checked: WhatsApp was not reached" in warning
    before = await desk.keeps()
    desk.later(timedelta(seconds=30))
    await desk.write(saying("anything"))
    assert (await desk.keeps()).tried_at == before.tried_at


async def test_a_token_that_may_not_read_them_warns_with_what_to_do(desk: Desk) -> None:
    desk.sandbox.configure(tokens=["another"])
    campaign_id = await desk.write(saying("anything"))
    (warning,) = await desk.warnings(campaign_id)
    assert "WhatsApp answered 401, code 190" in warning


async def test_an_old_reading_that_cannot_be_had_anew_warns_of_what_it_says(desk: Desk) -> None:
    await desk.write(saying("payday", "July"))
    await desk.point(base_url="http://127.0.0.1:1")
    desk.later(timedelta(hours=2))
    campaign_id = await desk.write(saying("pay_day"))
    first, second = await desk.warnings(campaign_id)
    assert "were not checked" in first
    assert second == "there is no template 'pay_day', by an older reading."


async def test_a_reading_of_another_account_is_worth_nothing(desk: Desk) -> None:
    await desk.write(saying("payday", "July"))
    await desk.point(options={"business_account_id": "42"})
    assert (await desk.keeps()).templates == ()
    (warning,) = await desk.warnings(await desk.write(saying("payday", "July")))
    assert "code 100" in warning


async def test_a_text_asks_nobody(desk: Desk) -> None:
    text = {"variants": [{"content": {"kind": "text", "text": "hi"}}]}
    assert await desk.warnings(await desk.write(announcement(content=text))) == ()
    assert desk.asked == 0


# --- several channels, and looking at them


async def test_every_channel_that_it_goes_over_is_asked(desk: Desk) -> None:
    own = {"numbers": {"second": {"business_account_id": "42", "templates": [OFFER]}}}
    desk.sandbox.configure(**own)
    second = await desk.channel("second", options={"business_account_id": "42"})
    onward = saying("payday", "July").model_copy(update={"fallback": (Fallback(channel_id=second),)})
    assert [what for _, what in await desk.refused(onward)] == ["over second: there is no template 'payday'"]
    async with desk.services.db.tenant(desk.workspace) as connection:
        members = (PoolMember(channel_id=desk.channel_id), PoolMember(channel_id=second))
        pool_id = await pooling.create(connection, desk.services, name="both", members=members)
    both = saying("payday", "July").model_copy(update={"pool_id": pool_id})
    await catalogue.freshen(desk.services, desk.workspace, None, both)
    async with desk.services.db.tenant(desk.workspace) as connection:
        with pytest.raises(Invalid) as error:
            await draft.create(connection, desk.services, name="Payday", channel_id=None, definition=both)
    assert [one.what for one in error.value.problems] == ["over second: there is no template 'payday'"]


async def test_they_are_read_when_asked_for_and_again_on_request(desk: Desk) -> None:
    first = await catalogue.read(desk.services, desk.workspace, desk.channel_id)
    assert [(one.name, one.category) for one in first.templates] == [
        ("offer", "MARKETING"), ("payday", "UTILITY"),
    ]  # fmt: skip
    desk.sandbox.configure(templates=[PAYDAY])
    assert await catalogue.read(desk.services, desk.workspace, desk.channel_id) == first
    again = await catalogue.read(desk.services, desk.workspace, desk.channel_id, refresh=True)
    assert [one.name for one in again.templates] == ["payday"]


async def test_what_was_read_stays_when_it_cannot_be_read_again(desk: Desk) -> None:
    first = await catalogue.read(desk.services, desk.workspace, desk.channel_id)
    await desk.point(base_url="http://127.0.0.1:1")
    again = await catalogue.read(desk.services, desk.workspace, desk.channel_id, refresh=True)
    assert (again.templates, again.read_at) == (first.templates, first.read_at)
    assert "not reached" in again.problem


async def test_where_there_is_nothing_to_be_asked_that_is_told(desk: Desk, another_workspace: UUID) -> None:
    other = await desk.channel("other", options={})
    with pytest.raises(Invalid, match="whose templates"):
        await catalogue.read(desk.services, desk.workspace, other)
    async with desk.services.db.tenant(desk.workspace) as connection:
        mail = await configure.create_channel(
            connection, desk.services, desk.workspace, name="post", provider="smtp", config={}
        )
    with pytest.raises(Invalid, match="keeps no templates"):
        await catalogue.read(desk.services, desk.workspace, mail)
    with pytest.raises(NotFound):
        await catalogue.read(desk.services, another_workspace, desk.channel_id)


async def test_what_is_marketing_is_not_announced_as_something_that_people_need(desk: Desk) -> None:
    for name, parameters, purpose in (
        ("offer", (), Purpose.UTILITY),
        ("payday", ("July",), Purpose.MARKETING),
    ):
        wrong = saying(name, *parameters).model_copy(update={"purpose": purpose})
        ((where, what),) = await desk.refused(wrong)
        assert where == "content.variants[0].content.name"
        assert f"and this is {purpose}" in what


@pytest.mark.parametrize(
    ("tag", "purpose", "right"),
    [
        (None, Purpose.MARKETING, True), ("ACCOUNT_UPDATE", Purpose.UTILITY, True),
        ("ACCOUNT_UPDATE", Purpose.MARKETING, False), ("ACCOUNT_UPDATE", Purpose.SURVEY, False),
        ("HUMAN_AGENT", Purpose.UTILITY, False), ("HUMAN_AGENT", Purpose.REPLY, True),
    ],
)  # fmt: skip
async def test_a_tag_of_messenger_is_for_what_it_says(
    services: Services, workspace: UUID, tag: str | None, purpose: Purpose, right: bool
) -> None:
    async with services.db.tenant(workspace) as connection:
        page = await configure.create_channel(
            connection, services, workspace, name="page", provider="messenger",
            config={"sender": "2001", "options": {"tag": tag} if tag else {}},
        )  # fmt: skip
        wanted = announcement(content=Content.of_text("Hello"), purpose=purpose)
        if right:
            await draft.create(connection, services, name="Hello", channel_id=page, definition=wanted)
            return
        with pytest.raises(Invalid) as wrong:
            await draft.create(connection, services, name="Hello", channel_id=page, definition=wanted)
    assert [one.where for one in wrong.value.problems] == ["purpose"]
    assert str(tag) in wrong.value.problems[0].what
