"""Settings of a process, from the environment (`CLARION_…`) or a `.env` file. Every one has a default.

What belongs to a workspace, a channel or an announcement is data, not a setting: it lives in the
database and is edited there.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One process's settings. Durations are seconds, sizes bytes, rates per second."""

    model_config = SettingsConfigDict(env_prefix="CLARION_", env_file=".env", extra="ignore", frozen=True)

    database_url: str | None = Field(
        default=None, description="PostgreSQL 15 or newer by libpq URL; absent: the embedded server"
    )
    state_dir: Path = Field(
        default=Path(".clarion"), description="embedded server, flight recorders, secret key file"
    )
    secret_key: SecretStr | None = Field(
        default=None, description="key that encrypts channel credentials; absent: a file in state_dir"
    )
    previous_secret_keys: list[SecretStr] = Field(default_factory=list, description="still read, not written")

    host: str = "127.0.0.1"
    port: int = 8600
    health_port: int | None = Field(
        default=None, ge=0, le=65_535, description="health and metrics of `clarion worker`; absent: no port"
    )
    public_url: str | None = Field(default=None, description="how providers reach /hooks/…")
    allow_private_addresses: bool = Field(
        default=False,
        description="development: channels and subscriptions may point to loopback and private addresses",
    )

    smtp_url: SecretStr | None = Field(
        default=None,
        description="smtp://user:password@host:port (STARTTLS where offered) or smtps://…; operators are "
        "told by it",
    )
    smtp_from: str = Field(default="clarion@localhost", description="sender of mail to operators")

    log_format: str = Field(default="auto", pattern="^(auto|json|console)$")
    log_level: str = Field(default="INFO", pattern="^(?i:debug|info|warning|error|critical)$")

    database_pool: int = Field(default=10, ge=2, le=100)
    lease: float = Field(default=5.0, gt=0.5, description="an owner silent for this long may be replaced")
    poll: float = Field(default=0.5, gt=0.01, description="how often a worker looks for what is due")
    drain: float = Field(default=20.0, gt=0, description="longest wait of SIGTERM for calls under way")
    max_in_flight: int = Field(default=512, ge=1, description="calls under way at once, a process")
    clock_tolerance: float = Field(default=2.0, gt=0, description="wall clock against the database's")
    job_concurrency: int = Field(default=4, ge=1, description="housekeeping jobs at once, a process")

    @field_validator("database_url")
    @classmethod
    def _for_libpq(cls, url: str | None) -> str | None:
        if url is not None:
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict

            if not url.strip():
                raise ValueError("it is empty: unset it for the embedded server")
            try:
                conninfo_to_dict(url)
            except ProgrammingError:  # its words repeat the URL, which may hold a password
                raise ValueError("not a libpq URL: write postgresql://user:password@host/database") from None
        return url


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
