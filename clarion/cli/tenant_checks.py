"""The doctor's checks of one workspace: its channels, what is late, and what nobody knows."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from clarion.cli import terminal
from clarion.cli.checks import Finding, Level
from clarion.domain.catalogue import APPROVED
from clarion.errors import ClarionError
from clarion.flow import catalogue, configure, consent_rules, waits
from clarion.flow.dispatch import account
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.kit.http import Http
from clarion.store import channel as channels
from clarion.store import checkup, job, lane, notice

LATE, STUCK = timedelta(seconds=60), timedelta(minutes=5)
MANY = 1_000


async def tenant(services: Services, workspace_id: UUID, name: str) -> list[Finding]:
    """One workspace: its channels, what is late, what nobody knows, what it was told."""
    async with services.db.tenant(workspace_id) as connection:
        rows = await channels.page(connection, None, 1_000)
        found = [await _channel(services, workspace_id, connection, row) for row in rows]
        found = found or [
            Finding("channels", Level.WARN, "there is none", "`clarion channel create NAME` makes one.")
        ]
        found += await _late(services, connection)
        found += await _unknown(services, connection)
        found += await _jobs(services, connection)
        found += await _consent(connection)
        found += [
            Finding("notice", Level.WARN, each["text"]) for each in await notice.page(connection, None, 100)
            if each["cleared_at"] is None
        ]  # fmt: skip
    found += [await _templates(services, workspace_id, row) for row in rows if catalogue.keeps(row)]
    return [Finding(f"{name} / {one.check}", one.level, one.what, one.do) for one in found]


async def _channel(services: Services, workspace_id: UUID, connection: Connection, row: Row) -> Finding:
    title = f"channel {row['name']}"
    try:
        configure.check_config(services, row["provider"], row["config"])
        if row["has_credentials"]:  # as the dispatch would make ready to send
            ready = await account.load(services, workspace_id, row["id"])
            configure.check_credentials(row["provider"], ready.account.credentials)
            ready.provider.sender(ready.account, Http())
    except ClarionError as error:
        return Finding(title, Level.FAIL, error.what, error.hint)
    if row["state"] == "paused":
        return Finding(
            title,
            Level.WARN,
            f"paused: {row['reason']}",
            f"When that is settled: `clarion channel resume {row['name']}`.",
        )
    if not row["has_credentials"]:
        return Finding(
            title,
            Level.WARN,
            "it has no credentials",
            "`clarion channel set … --credential KEY=-` gives it some.",
        )
    sight = waits.sight(row, services.clock.now())
    if sight and sight["health"] != "up":
        return Finding(
            title, Level.WARN, f"{sight['health']}: {sight['why']}",
            "Its messages wait, and it is tried again by itself. Look at the provider.",
        )  # fmt: skip
    waiting = await lane.depth(connection, row["id"], services.clock.now())
    since = waiting["oldest_due"]
    if waiting["due"] and since is not None and services.clock.now() - since > LATE:
        late = terminal.ago(services.clock.now() - since)
        return Finding(
            title, Level.WARN, f"{waiting['due']:,} messages are due, the oldest for {late}",
            "Is a worker running, is the rate high enough, is an announcement paused?",
        )  # fmt: skip
    return Finding(title, Level.OK, f"active, {float(row['rate']):g} a second, {waiting['queued']:,} waiting")


async def _templates(services: Services, workspace_id: UUID, row: Row) -> Finding:
    """Whether the provider tells the templates that a channel calls, and lets them be used."""
    title = f"templates of {row['name']}"
    try:
        found = await catalogue.read(services, workspace_id, row["id"])
    except ClarionError as error:
        return Finding(title, Level.OK, f"not checked: {error.what}", error.hint)
    if found.problem:
        again = f"`clarion channel templates {row['name']} --refresh` asks again."
        return Finding(title, Level.WARN, found.problem, f"Is the token allowed to read them? {again}")
    closed = [one.name for one in found.templates if one.status in ("PAUSED", "DISABLED")]
    if closed:
        names = ", ".join(sorted(set(closed)))
        return Finding(title, Level.WARN, f"the provider has closed {names}", "Use others, or appeal there.")
    approved = sum(one.status == APPROVED for one in found.templates)
    return Finding(title, Level.OK, f"{approved} approved, {len(found.templates) - approved} not")


async def _late(services: Services, connection: Connection) -> list[Finding]:
    now = services.clock.now()
    findings = [
        Finding(
            "announcements", Level.FAIL,
            f"{run['name']!r} was due {terminal.ago(now - run['due_at'])} ago and has not begun"
            + (f": {run['error']}" if run["error"] else ""),
            "Is a worker running? `clarion workers` shows those there are.",
        )
        for run in await checkup.overdue_runs(connection, now - LATE)
    ]  # fmt: skip
    inbox = await checkup.unread(connection)
    if inbox["waiting"] and now - inbox["since"] > LATE:
        findings.append(
            Finding(
                "inbox",
                Level.WARN,
                f"{inbox['waiting']:,} calls from providers wait to be read",
                "Is a worker running?",
            )
        )
    if inbox["unreadable"]:
        findings.append(
            Finding(
                "inbox",
                Level.WARN,
                f"{inbox['unreadable']:,} calls from providers could not be read",
                "They are kept; the log says why.",
            )
        )
    return findings


async def _unknown(services: Services, connection: Connection) -> list[Finding]:
    found = await checkup.unknowns(connection)
    if not found["n"]:
        return [Finding("unknown", Level.OK, "none")]
    age = terminal.ago(services.clock.now() - found["since"])
    return [
        Finding(
            "unknown", Level.WARN,
            f"of {found['n']:,} messages nobody knows whether they went, of the oldest for {age}",
            "Receipts and look-ups may settle them; `clarion unknown list` shows what a person decides.",
        )
    ]  # fmt: skip


async def _consent(connection: Connection) -> list[Finding]:
    present = await consent_rules.show(connection)
    if present.paused:
        names = ", ".join(one.channel for one in present.paused)
        return [
            Finding(
                "consent", Level.WARN,
                f"STOP is heeded but not answered on {names}: {present.paused[0].reason}",
                "`clarion consent answer` changes what is said, and then it goes again.",
            )
        ]  # fmt: skip
    silent = sorted({one.meaning.upper() for one in present.answers if not one.on})
    also = f"; {', '.join(silent)} unanswered where switched off" if silent else ""
    return [Finding("consent", Level.OK, f"{len(present.words)} words count{also}")]


async def _jobs(services: Services, connection: Connection) -> list[Finding]:
    failed = await job.page(connection, state="failed", limit=MANY)
    now = services.clock.now()
    stuck = [
        one
        for one in await job.page(connection, state="todo", limit=MANY)
        if now - (one["scheduled_at"] or one["asked_at"] or now) > STUCK
    ]
    if failed:
        return [
            Finding(
                "jobs", Level.WARN, f"{len(failed)} failed",
                "`clarion jobs list` shows them, `clarion jobs retry ID` runs one again.",
            )
        ]  # fmt: skip
    if stuck:
        return [Finding("jobs", Level.WARN, f"{len(stuck)} wait for long", "Is a worker running?")]
    return [Finding("jobs", Level.OK, "none failed, none stuck")]
