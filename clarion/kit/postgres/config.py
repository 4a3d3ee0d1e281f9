"""The server's settings: durable, and sized to the machine it finds."""

from __future__ import annotations

import os
import re
from pathlib import Path

from clarion.kit.postgres import files
from clarion.kit.postgres.account import Account
from clarion.kit.postgres.binaries import Binaries
from clarion.kit.postgres.layout import Layout

MB = 1024 * 1024
OVERRIDE = "postgresql.override.conf"
UNLIMITED = 1 << 60
SHARED_MEMORY = Path("/dev", "shm")

HEAD = """\
# Written by Clarion at every start; changes here are lost.
# Put your own settings into {override}: they win.
"""

FIXED = {
    # Nobody reaches the server but through the socket's private folder, and with a password.
    "listen_addresses": "",
    "password_encryption": "scram-sha-256",
    "unix_socket_permissions": "0777",  # the folder around it is 0700
    # What was acknowledged is on the disk: the ledger's promise stands on these four.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "min_wal_size": "256MB",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "32",
    "jit": "off",
    # The queue is small and turns over all the time: look often, and clean without long pauses.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_cost_limit": "2000",
    "autovacuum_vacuum_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # The log tells of the server, never of the data: no statement, no parameter, no detail with a key.
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_checkpoints": "off",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


def write(layout: Layout, account: Account, binaries: Binaries, *, trust_superuser: bool = False) -> None:
    """Write postgresql.conf and pg_hba.conf into the data directory, and copies of the operator's overrides.

    `trust_superuser` lets the superuser in without a password, once, to set a lost one anew; whoever
    can enter the socket's folder owns the data anyway.
    """
    settings = FIXED | sized(memory(), free_disk(layout.data), shared_memory_folder())
    if binaries.knows_lz4():
        settings["wal_compression"] = "lz4"
    lines = [HEAD.format(override=layout.override)]
    lines += [f"{name} = '{value}'\n" for name, value in settings.items()]
    if layout.override.exists():
        # A copy, because the operator's file may be private to root.
        files.write(layout.data / OVERRIDE, layout.override.read_text(), account.owner)
        lines.append(f"include = '{OVERRIDE}'\n")
    files.write(layout.data / "postgresql.conf", "".join(lines), account.owner)
    access = HEAD.format(override=layout.hba_override)
    access += ("local all postgres trust\n" if trust_superuser else "") + "local all all scram-sha-256\n"
    if layout.hba_override.exists():
        access += layout.hba_override.read_text()
    files.write(layout.data / "pg_hba.conf", access, account.owner)


def sized(memory_bytes: int, disk_bytes: int, dev_shm_bytes: int) -> dict[str, str]:
    """Settings that depend on the machine: an eighth of its memory for the cache, at most 1 GB, because
    the application shares the machine; WAL between checkpoints within a tenth of the free disk."""
    wal = max(512, min(4096, disk_bytes // 10 // MB))
    return {
        "shared_buffers": f"{_between(32, memory_bytes // 8 // MB, 1024)}MB",
        "effective_cache_size": f"{_between(128, memory_bytes // 2 // MB, 65536)}MB",
        "maintenance_work_mem": f"{_between(32, memory_bytes // 32 // MB, 256)}MB",
        "work_mem": f"{_between(4, memory_bytes // 256 // MB, 16)}MB",
        "max_wal_size": f"{wal}MB",
        # Containers give /dev/shm 64 MB: parallel queries would fail there, files are slower but work.
        "dynamic_shared_memory_type": "posix" if dev_shm_bytes >= 256 * MB else "mmap",
    }


def memory() -> int:
    """Bytes of memory that this machine or container may use."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([total, *_container_limits()])


def free_disk(folder: Path) -> int:
    """Bytes that may still be written to the folder's file system."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def shared_memory_folder() -> int:
    """Size of /dev/shm in bytes; 0 where there is none."""
    try:
        status = os.statvfs(SHARED_MEMORY)
    except OSError:
        return 0
    return status.f_blocks * status.f_frsize


def _container_limits() -> list[int]:
    limits = []
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(file).read_text().strip()
        except OSError:
            continue
        if re.fullmatch(r"\d+", text) and int(text) < UNLIMITED:
            limits.append(int(text))
    return limits


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
