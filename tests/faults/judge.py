"""The judge: everything that is wrong at the end of a scene, the provider's record of the truth against
the ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from clarion.domain.message import parse_reference

if TYPE_CHECKING:
    from tests.faults.scene import Scene

# After these nobody but the provider knows what became of the call; after any other its owner knows.
UNANSWERED = (
    "drop_after_accept", "drop_before_accept", "error_after_accept", "refuse_500", "answer_late",
    "accept_late", "malformed_json", "half_close", "reset",
)  # fmt: skip
VANISHED = "owner_vanished"  # the code of an attempt whose owner did not say how the call ended
TOLD = {"sent": "accepted", "delivered": "delivered", "read": "read", "failed": "undelivered"}


def judge(scene: Scene) -> list[str]:
    """Everything that is wrong whatever happened, as sentences."""
    return [
        *_twice(scene), *_states(scene), *tally(scene),
        *(
            f"message {row['message_id']} has {row['n']} effective attempts"
            for row in scene.query(
                """SELECT message_id, count(*) AS n FROM attempt WHERE workspace_id = %s AND effective
                   GROUP BY message_id HAVING count(*) > 1""",
                scene.workspace_id,
            )
        ),
        *left(scene),
    ]  # fmt: skip


def _twice(scene: Scene) -> list[str]:
    twice = list(scene.sandbox.people(more_than=1))
    if not twice:
        return []
    return [f"{len(twice)} people hold two effective messages", *(_history(scene, who) for who in twice[:3])]


def _states(scene: Scene) -> list[str]:
    wrong: list[str] = []
    shown = scene.sandbox.people()
    took = {one["to"] for one in scene.sandbox.accepted()}
    messages = scene.query(
        """SELECT m.id, m.state::text, a.value FROM message m
           LEFT JOIN address a ON a.id = m.address_id WHERE m.workspace_id = %s""",
        scene.workspace_id,
    )
    if len(messages) != scene.people:
        wrong.append(f"{scene.people} people were intended, {len(messages)} have a message")
    for message in messages:
        phone = str(message["value"]).lstrip("+")
        if message["state"] in ("accepted", "delivered", "read", "undelivered") and phone not in took:
            wrong.append(f"{message['id']} is {message['state']} and the provider never accepted it")
        if message["state"] in ("failed", "expired", "cancelled", "skipped") and shown.get(phone, 0):
            wrong.append(f"{message['id']} is {message['state']} and the person has it")
        if message["state"] == "ready":
            wrong.append(f"{message['id']} was never brought to an end")
    return wrong


def tally(scene: Scene) -> list[str]:
    """Whether the tally says what the messages say."""
    counted = [
        Counter(
            {(row["state"], row["reason"]): int(row["n"]) for row in scene.query(sql, scene.workspace_id)}
        )
        for sql in (
            """SELECT state::text, reason, sum(n) AS n FROM tally WHERE workspace_id = %s
               GROUP BY state, reason HAVING sum(n) <> 0""",
            """SELECT state::text, reason, count(*) AS n FROM message WHERE workspace_id = %s
               GROUP BY state, reason""",
        )
    ]
    kept, states = counted
    return [] if kept == states else [f"the tally says {dict(kept)}, the messages {dict(states)}"]


def left(scene: Scene) -> list[str]:
    """Whether anything is left in the queue."""
    rows = scene.query("SELECT count(*) AS n FROM queue WHERE workspace_id = %s", scene.workspace_id)
    return [f"{rows[0]['n']} rows are left in the queue"] if rows[0]["n"] else []


def _history(scene: Scene, phone: str) -> str:
    """Everything that both sides know of one person, for whoever must explain it."""
    tries = scene.query(
        """SELECT a.id, a.worker_id, a.epoch, a.number, a.state::text, a.effective, a.code, a.provider_id,
             a.unknown_since::time::text, a.settled_at::time::text, w.pid, w.stopped_at::time::text
           FROM attempt a JOIN address d ON d.id = a.address_id LEFT JOIN worker w ON w.id = a.worker_id
           WHERE a.workspace_id = %s AND d.value = %s ORDER BY a.id""",
        scene.workspace_id,
        f"+{phone}",
    )
    lines = [f"  ours: { {key: str(value) for key, value in one.items()} }" for one in tries]
    lines += [f"  theirs: {one}" for one in scene.sandbox.messages(to=phone)]
    return "\n".join([f"+{phone} ({scene.folder}):", *lines])


def forgotten(scene: Scene) -> list[str]:
    """Attempts that are unknown although the provider answered, and the owner wrote nothing down.

    Wrong where no worker was killed or stopped: a database that is away, an orderly end and another
    owner each leave time to write a verdict that is known.
    """
    rows = scene.query(
        """SELECT a.id, d.value FROM attempt a JOIN address d ON d.id = a.address_id
           WHERE a.workspace_id = %s AND a.unknown_since IS NOT NULL AND a.code = %s""",
        scene.workspace_id,
        VANISHED,
    )
    answered = {
        parse_reference(one["reference"])[1]
        for one in (scene.sandbox.requests() if rows else ())
        if one.get("fault") not in UNANSWERED
    }
    lost = [row for row in rows if row["id"] in answered]
    if not lost:
        return []
    return [
        f"{len(lost)} verdicts were known and forgotten, though no worker was killed",
        *(_history(scene, str(row["value"]).lstrip("+")) for row in lost[:3]),
    ]


def unheard(scene: Scene) -> list[str]:
    """People of whom the provider has told more, or other, than the ledger says. Every receipt was taken
    and read before this is asked."""
    told: dict[str, list[str]] = defaultdict(list)
    for one in scene.sandbox.accepted():
        if one["status"] in TOLD:
            told[f"+{one['to']}"].append(TOLD[one["status"]])
    states = scene.query(
        """SELECT d.value, m.state::text FROM message m JOIN address d ON d.id = m.address_id
           WHERE m.workspace_id = %s""",
        scene.workspace_id,
    )
    for said in told.values():
        if scene.falls and "undelivered" in said:  # it went on, and ended as it did over the second channel
            said += ["accepted", "failed", "unknown"]
    return [
        f"the provider told of {row['value']}: {told[row['value']]}, the ledger says {row['state']}; "
        + _history(scene, row["value"].lstrip("+"))
        for row in states
        if told[row["value"]] and row["state"] not in told[row["value"]]
    ]
