"""`clarion doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import typer
from rich.text import Text

from clarion import wiring
from clarion.cli import checks, options, place, tenant_checks, terminal
from clarion.cli.checks import Finding, Level
from clarion.cli.commands import single
from clarion.errors import ClarionError
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import AWAY, Database
from clarion.kit.postgres.client import connect
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import workspace as workspaces

app = single()
STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
PATIENCE = 10.0


@app.command()
def doctor(json: options.Json = False) -> None:
    """Check everything that sending needs, and say what to do about what is amiss.

    Exit code 1 when something fails, 0 otherwise (a warning is no failure).

    [dim]$[/] clarion doctor
    [dim]$[/] clarion doctor --json | jq '.checks[] | select(.level != "ok")'
    """
    findings = place.run(examine(place.chosen()))
    failed = any(finding.level is Level.FAIL for finding in findings)
    if json:
        terminal.json({"ok": not failed, "checks": [finding.plain() for finding in findings]})
    else:
        for finding in findings:
            _print(finding)
    raise typer.Exit(1 if failed else 0)


def _print(finding: Finding) -> None:
    line = Text(f"{finding.level.value:<5}", style=STYLES[finding.level])
    line.append(f"{finding.check}: ", style="bold not dim")
    line.append(finding.what, style="default not bold")
    terminal.out.print(line, soft_wrap=True)
    if finding.do:
        terminal.out.print(Text(f"     {finding.do}", style="cyan"), soft_wrap=True)


async def examine(settings: Settings) -> list[Finding]:
    """Everything there is to check, in the order in which one thing needs another."""
    findings = [checks.disk(settings), checks.secret_key(settings)]
    async with AsyncExitStack() as stack:
        try:
            url = await _reached(settings, stack)
            (await asyncio.to_thread(connect, url)).close()  # a pool would not say why it cannot
            db = await stack.enter_async_context(Database(url, size=2, name="clarion doctor"))
            await db.wait_ready(PATIENCE)
            findings += await checks.database(db, settings, Clock())
            if all(finding.level is not Level.FAIL for finding in findings if finding.check == "schema"):
                findings += await _inside(db, settings)
        except ClarionError as error:
            findings.append(Finding("database", Level.FAIL, error.what, error.hint))
        except AWAY as error:
            findings.append(Finding("database", Level.FAIL, f"it went away: {type(error).__name__}", ""))
    return findings


async def _reached(settings: Settings, stack: AsyncExitStack) -> str:
    """The database's URL. A server of one's own is taken as it is, whatever schema it has."""
    if settings.database_url is not None:
        return settings.database_url
    return await stack.enter_async_context(wiring.database(settings, place.slow))


async def _inside(db: Database, settings: Settings) -> list[Finding]:
    services = Services(db, Clock(), settings, SecretBox.from_settings(settings))
    findings = [await checks.workers(services)]
    async with db.system() as connection:
        found = await workspaces.names(connection)
    if not found:
        return [*findings, checks.no_workspace()]
    for each in found:
        findings += await tenant_checks.tenant(services, each["workspace_id"], each["name"])
    return findings
