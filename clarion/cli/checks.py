"""The doctor's checks of machine, database and workers.

Each gives findings: ok, a warning or a failure, and what to do about it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum

from clarion.cli import terminal
from clarion.errors import ClarionError
from clarion.flow.crew import Standing, crew
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import APP_ROLE, Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import checkup, health, schema

LITTLE, TOO_LITTLE = 2 * 1024**3, 200 * 1024**2  # bytes of free disk
LONG = timedelta(minutes=5)


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor: what was looked at, how it is, and what to do ("" for nothing)."""

    check: str
    level: Level
    what: str
    do: str = ""

    def plain(self) -> dict[str, str]:
        return asdict(self)


def disk(settings: Settings) -> Finding:
    """The state folder: there, ours, with room."""
    folder = settings.state_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(
            "state",
            Level.FAIL,
            f"{folder} cannot be used: {error.strerror}",
            "Set CLARION_STATE_DIR to a folder of your own.",
        )
    if not os.access(folder, os.W_OK):
        return Finding(
            "state", Level.FAIL, f"{folder} cannot be written to", "Give it to the user who runs Clarion."
        )
    words = f"{folder}, {free / 1024**3:,.1f} GB free"
    if free < LITTLE:
        level = Level.FAIL if free < TOO_LITTLE else Level.WARN
        return Finding("state", level, words, "Make room: the database stops when the disk is full.")
    return Finding("state", Level.OK, words)


def secret_key(settings: Settings) -> Finding:
    """The key that opens channels' credentials."""
    try:
        SecretBox.from_settings(settings)
    except ClarionError as error:
        return Finding("secret key", Level.FAIL, error.what, error.hint)
    if settings.secret_key is not None:
        return Finding("secret key", Level.OK, "from CLARION_SECRET_KEY")
    return Finding(
        "secret key", Level.OK, f"in {settings.state_dir / 'secret.key'}; no backup has it, keep a copy"
    )


async def database(db: Database, settings: Settings, clock: Clock) -> list[Finding]:
    """The database: reached, its schema, our rights, its clock, what blocks it."""
    async with db.system() as connection:
        who = await checkup.login(connection)
        revision = await health.revision(connection)
        theirs = await health.database_clock(connection)
        ours = clock.now()
        bare = await checkup.unprotected(connection)
        long = await checkup.long_transactions(connection, ours - LONG)
    where = "the embedded one" if settings.database_url is None else "by CLARION_DATABASE_URL"
    findings = [Finding("database", Level.OK, f"PostgreSQL {who.server}, {where}"), _schema(revision)]
    findings.append(_roles(who, bare))
    apart = (ours - theirs).total_seconds()
    if abs(apart) > settings.clock_tolerance:
        findings.append(
            Finding(
                "clock",
                Level.FAIL,
                f"{apart:+.1f} s from the database's: nothing is sent",
                "Synchronise it (NTP).",
            )
        )
    else:
        findings.append(Finding("clock", Level.OK, f"{apart:+.2f} s from the database's"))
    findings += [
        Finding(
            "transactions", Level.WARN,
            f"process {each['pid']} ({each['name']}) is in one for {terminal.ago(ours - each['since'])}",
            f"It keeps old rows alive. If nobody needs it: SELECT pg_terminate_backend({each['pid']})",
        )
        for each in long
    ]  # fmt: skip
    return findings


def _schema(revision: str | None) -> Finding:
    needed = schema.head()
    if revision == needed:
        return Finding("schema", Level.OK, f"revision {revision}")
    has = f"it is {revision}" if revision else "Clarion was never here"
    return Finding("schema", Level.FAIL, f"{has}; this version needs {needed}", "Run `clarion migrate`.")


def _roles(who: checkup.Login, bare: list[str]) -> Finding:
    if who.superuser or who.bypasses_security:
        return Finding(
            "roles", Level.FAIL,
            f"{who.current_user} can bypass row-level security: workspaces are not kept apart",
            f"`clarion migrate` as a superuser sets the roles right; then log in as {APP_ROLE}.",
        )  # fmt: skip
    if bare:
        return Finding(
            "roles", Level.FAIL, f"row-level security is not forced on {', '.join(bare)}",
            "Somebody changed the schema. Restore it from this version's migrations.",
        )  # fmt: skip
    if who.session_user != APP_ROLE:
        return Finding(
            "roles", Level.WARN, f"the login is {who.session_user}, which can do more than {APP_ROLE}",
            f"Use a URL with {APP_ROLE} for workers and the API.",
        )  # fmt: skip
    return Finding("roles", Level.OK, f"{who.current_user}, row-level security is forced")


def no_workspace() -> Finding:
    """There is nobody to work for yet."""
    return Finding("workspaces", Level.WARN, "there is none", "`clarion workspace create NAME` makes one.")


async def workers(services: Services) -> Finding:
    """Somebody has to send."""
    found = [one for one in await crew(services) if one.standing in (Standing.ALIVE, Standing.SUSPECT_CLOCK)]
    wrong = [one.worker for one in found if one.standing is Standing.SUSPECT_CLOCK]
    if wrong:
        why = "; ".join(f"{one.host}: {one.state.get('suspicion')}" for one in wrong)
        return Finding(
            "workers",
            Level.FAIL,
            f"the clock is suspect, nothing is sent there: {why}",
            "Synchronise it (NTP).",
        )
    if not found:
        return Finding(
            "workers",
            Level.WARN,
            "none is running: nothing is sent",
            "`clarion serve` or `clarion worker` starts one.",
        )
    hosts = ", ".join(sorted({one.worker.host for one in found}))
    return Finding("workers", Level.OK, f"{len(found)} on {hosts}")
