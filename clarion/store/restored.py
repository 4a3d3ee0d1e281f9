"""What a database that was restored must not do by itself: go on sending. `store.failover` uses its words.

What was sent after the backup is not in it, so what waits there may have gone out already (DESIGN,
ledger rule 6). A person looks, and resumes the channels.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg

REASON = (
    "restored from a backup: what was sent after the backup is not in it and would be sent again. "
    "Cancel what went out already, then resume"
)
# Of reason and moment: the channels that are active, and then those that were paused before. These say
# both: whoever settles the old reason must not resume one unwarned.
PAUSE: Final[LiteralString] = (
    "UPDATE channel SET state = 'paused', reason = %(why)s, modified_at = %(now)s WHERE state = 'active'"
)
WARN: Final[LiteralString] = """UPDATE channel SET modified_at = %(now)s,
      reason = concat(%(why)s::text, '. It was paused before: ' || nullif(reason, ''))
    WHERE state = 'paused' AND NOT starts_with(reason, %(why)s)"""


def pause_everything(connection: psycopg.Connection[Any], now: datetime) -> int:
    """Pause every channel of every workspace and free it of its former owner; how many were active.

    `connection` is the schema's owner's or a superuser's, in a transaction that the caller commits.
    """
    tables = ("channel", "channel_owner")
    for table in tables:  # the owner sees every workspace only where security is not forced on it too
        connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    words = {"why": REASON, "now": now}
    done = connection.execute(PAUSE, words)
    connection.execute(WARN, words)
    connection.execute("UPDATE channel_owner SET epoch = epoch + 1, worker_id = NULL")
    # A flight recorder tells of the database that went on, not of this older one: it proves nothing here.
    connection.execute("UPDATE worker SET flight = ''")
    for table in tables:
        connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    return done.rowcount
