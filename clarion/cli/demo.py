"""`clarion demo`: the whole thing on sample people, with a provider that only pretends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text

from clarion import wiring
from clarion.cli import following, place, send, stage, terminal
from clarion.cli.commands import single
from clarion.cli.following import Seen
from clarion.cli.listening import ApiServer, listen
from clarion.cli.place import Place
from clarion.cli.running import finish
from clarion.cli.signals import on_signals
from clarion.domain.campaign import KIND
from clarion.domain.content import Content, Form, TemplateForm, TextForm, Variant
from clarion.domain.field import Field, FieldType
from clarion.errors import Conflict, Misconfigured
from clarion.flow import announce, configure, draft
from clarion.sandbox.client import SandboxProcess
from clarion.settings import Settings
from clarion.store import campaign as campaigns
from clarion.store import field as fields
from clarion.wiring import House

app = single()
WORKERS = 2
RATE = 300.0  # messages a second
SETTLE, RECEIPTS = timedelta(seconds=20), timedelta(seconds=3)
SENDER = "106540352242922"
OPTIONS: dict[str, object] = {"look_up": True, "business_account_id": "100000000000001"}
CREDENTIALS = {  # the sandbox's own, as docs/sandbox.md tells them
    "token": "sandbox-token", "app_secret": "sandbox-secret", "verify_token": "sandbox-verify",
}  # fmt: skip
TEXTS = {
    None: "Hello {{ contact.name | default: 'colleague' }}, the offices are closed on Friday.",
    "sw": "Habari {{ contact.name | default: 'mwenzetu' }}, ofisi zitafungwa Ijumaa.",
    "am": "ሰላም {{ contact.name | default: 'ባልደረባ' }}፣ ቢሮዎቹ ዓርብ ዝግ ናቸው።",
    "ar": "مرحبا {{ contact.name | default: 'زميل' }}، المكاتب مغلقة يوم الجمعة.",
}
# Impatient, so that what goes wrong on purpose is settled while somebody watches.
PATIENCE = {
    "connect_timeout": 2, "total_timeout": 2, "lookup_lag": 1, "backoff_base": 0.5, "backoff_cap": 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the demo plays with. `stop` is set by Ctrl-C."""

    here: Place
    key: str
    sandbox: SandboxProcess
    crew: stage.Crew
    api: str
    stop: asyncio.Event


@app.command()
def demo(
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the summary instead of serving on.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port of the API; absent: 8600, or a free one.")
    ] = None,
) -> None:
    """Try everything: an announcement to the people of examples/employees.csv, some of whose phones fail.

    Starts a database, two workers, the API, and a provider that only pretends: nothing leaves this
    machine. Shows how the announcement goes, what became of everybody and why, and then serves the API
    until Ctrl-C. All of it lies in `.clarion/demo` and is made anew each time; a database that you have
    configured is not touched.
    """
    present = stage.settings_for(place.chosen())
    with ExitStack() as stack:
        stack.enter_context(stage.alone(present.state_dir))
        terminal.say("Starting a database, a provider that only pretends, the API, and two workers …")
        stack.enter_context(stage.fresh_database(present))
        pretender = stack.enter_context(stage.sandbox(present.state_dir))
        place.run(_demo(present, port, pretender, leave=exit_))


async def _demo(present: Settings, port: int | None, pretender: SandboxProcess, *, leave: bool) -> None:
    stop = asyncio.Event()
    on_signals(stop)
    async with _set_up(present, port, pretender, stop) as made:
        ended = await _announce(made)
        if not stop.is_set():
            _summary(made, ended)
            await _again(made)
        if not leave and not stop.is_set():
            _invite(made)
            while not stop.is_set():
                made.crew.check()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1.0)
        terminal.say("Ending: the workers drain, then everything stops.")


@asynccontextmanager
async def _set_up(
    present: Settings, port: int | None, pretender: SandboxProcess, stop: asyncio.Event
) -> AsyncIterator[Stage]:
    """Database, API, workspace, channel and workers; all of it ended in order afterwards."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(
            wiring.house(present, progress=place.slow, name="clarion demo")
        )
        api = await stack.enter_async_context(_api(present, house, port))
        here, key = await _workspace(house, pretender, api)
        crew = stack.enter_context(stage.crew(present, WORKERS))
        yield Stage(here, key, pretender, crew, api, stop)


@asynccontextmanager
async def _api(present: Settings, house: House, port: int | None) -> AsyncIterator[str]:
    """The API, served by this process; its address."""
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(listen(present.host, present.port if port is None else port))
        except Misconfigured:
            if port is not None:
                raise
            listener = stack.enter_context(listen(present.host, 0))
        server = ApiServer(house.services, listener)
        serving = asyncio.create_task(server.run())
        await server.listening()
        try:
            yield server.url
        finally:
            server.stop()
            await finish([serving])


async def _workspace(house: House, pretender: SandboxProcess, api: str) -> tuple[Place, str]:
    """A workspace with its fields and a channel that points at the sandbox, and its key."""
    services = house.services
    made = await configure.create_workspace(
        services, name="Selam Group (demo)", country="KE", timezone="Africa/Nairobi"
    )
    async with services.db.tenant(made.workspace_id) as connection:
        await fields.declare(connection, Field("department", "Department", FieldType.TEXT))
        await fields.declare(connection, Field("start_date", "Start date", FieldType.DATE))
        channel_id = await configure.create_channel(
            connection, services, made.workspace_id, name="staff", provider="whatsapp", rate=RATE,
            config={"base_url": pretender.url, "sender": SENDER, "options": OPTIONS, **PATIENCE},
            credentials=CREDENTIALS,
        )  # fmt: skip
    await asyncio.to_thread(pretender.configure, callback_url=f"{api}/hooks/{channel_id}")
    return await place.within(house, str(made.workspace_id)), made.key.shown()


def _content() -> Content:
    """The same in four languages: a text to who has just written, the template to everybody else."""
    variants = []
    for language, text in TEXTS.items():
        template: Form = TemplateForm(
            kind="template", name=stage.TEMPLATE, language=language or "en",
            parameters=("{{ contact.name | default: '…' }}",),
        )  # fmt: skip
        variants.append(Variant(language=language, inside=TextForm(kind="text", text=text), outside=template))
    return Content(variants=tuple(variants))


async def _announce(made: Stage) -> tuple[UUID, Seen]:
    """Take the people in, say it, and watch."""
    wish = send.Wish(stage.example("employees.csv"), name="Closed on Friday", one_per_address=True)
    _, campaign_id, _ = await send.launch(made.here, wish, _content())
    return campaign_id, await following.follow(
        made.here, campaign_id, made.stop, settle=SETTLE, receipts=RECEIPTS
    )


def _summary(made: Stage, ended: tuple[UUID, Seen]) -> None:
    """What became of everybody, and what the provider itself has on record."""
    following.tell(ended[1])
    truth = made.sandbox.summary()
    terminal.result(
        f"The provider's own record: {truth['requests']:,} calls, {truth['shown']:,} messages on "
        f"{truth['people']:,} phones, {truth['people_with_two']:,} phones that show it twice."
    )


async def _again(made: Stage) -> None:
    """Somebody says the same again: Clarion asks first."""
    here = made.here
    try:
        async with here.tenant() as connection:
            recent = await campaigns.page(connection, KIND, None, 1)
            copy = await draft.duplicate(connection, here.services, recent[0]["id"])
            await announce.launch(connection, here.services, copy)
    except Conflict:
        terminal.say("Said again, the same is refused until somebody confirms that both are meant.")


def _invite(made: Stage) -> None:
    state = made.here.services.settings.state_dir
    with suppress(ValueError):
        state = state.relative_to(Path.cwd())
    terminal.result("")
    terminal.pairs(
        [
            ("API", Text(f"{made.api}/docs", style="bold cyan")),
            ("key", made.key),
            ("provider", f"{made.sandbox.url}/sandbox/record/summary"),
            ("try", f"CLARION_STATE_DIR={state} clarion announcement show 'Closed on Friday'"),
            ("", f"CLARION_STATE_DIR={state} clarion unknown list"),
        ]
    )
    terminal.say("Serving until Ctrl-C.")
