"""PostgreSQL inside: the embedded server, its roles, and backups of any server."""

from clarion.kit.postgres.roles import EXTENSIONS, ensure_database_rights, ensure_roles
from clarion.kit.postgres.server import DATABASE, EmbeddedServer, ServerInfo, Status

__all__ = [
    "DATABASE",
    "EXTENSIONS",
    "EmbeddedServer",
    "ServerInfo",
    "Status",
    "ensure_database_rights",
    "ensure_roles",
]
