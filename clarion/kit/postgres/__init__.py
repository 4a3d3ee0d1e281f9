"""PostgreSQL inside: the embedded server, its roles, and backups of any server."""

from clarion.kit.postgres.backup import backup
from clarion.kit.postgres.restore import restore
from clarion.kit.postgres.roles import EXTENSIONS, OWNER, ensure_database_rights, ensure_roles
from clarion.kit.postgres.server import EmbeddedServer, ServerInfo, Status
from clarion.kit.postgres.startup import DATABASE

__all__ = [
    "DATABASE",
    "EXTENSIONS",
    "OWNER",
    "EmbeddedServer",
    "ServerInfo",
    "Status",
    "backup",
    "ensure_database_rights",
    "ensure_roles",
    "restore",
]
