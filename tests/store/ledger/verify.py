"""What must hold after every step: the invariants of DESIGN, and equality with the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clarion.domain.message import NOT_SENT, ORDER, TAKEN, Outcome, State
from tests.store.ledger.model import Model
from tests.store.ledger.provider import Provider
from tests.store.ledger.world import Seen

_EVIDENT = ORDER.index(State.UNKNOWN)


def verify(seen: Seen, before: Seen | None, model: Model, provider: Provider) -> None:
    """Everything at once: `seen` against the step before it, the provider's truth and the model."""
    _one_of_each(seen, model)
    _tries(seen, model, provider)
    _messages(seen, model, provider)
    _queue(seen)
    _noted(seen, model)
    _tally(seen)
    _one_workspace(seen, model)
    if before is not None:
        _only_forward(seen, before, model)


def _one_of_each(seen: Seen, model: Model) -> None:
    """Every occurrence × recipient has exactly one message, and nobody was left out or added."""
    rows = {(row["run_id"], row["recipient_key"]): row for row in seen["messages"]}
    assert len(rows) == len(seen["messages"]), "somebody has two messages of one run"
    assert rows.keys() == {(str(run), str(contact)) for run, contact in model.owed}
    enrolled = {(row[2], row[1]) for row in seen["enrolled"]}
    assert enrolled == {(str(o.campaign.id), str(o.person.contact)) for o in model.owed.values()}


def _tries(seen: Seen, model: Model, provider: Provider) -> None:
    rows = {row["id"]: row for row in seen["attempts"]}
    assert rows.keys() == {str(id) for id in model.tries}, "attempts are those that were granted"
    held = Counter(row["message_id"] for row in rows.values() if row["effective"])
    assert not held or max(held.values()) == 1, "a message has two effective attempts"
    for id, tried in model.tries.items():
        row, owed = rows[str(id)], tried.owed
        assert row["message_id"] == str(owed.id)
        assert row["effective"] or row["state"] not in ("in_flight", "unknown")
        assert (row["unknown_since"] is not None) == (row["state"] == "unknown"), "an unknown is shown"
        assert (row["settled_at"] is None) == (row["state"] == "in_flight")
        if not owed.surmised:
            assert row["state"] == (tried.outcome or "in_flight")
            assert row["effective"] == tried.effective
            assert row["number"] == tried.number
            if row["state"] in ("unsent", "refused"):
                assert not provider.accepted(id), "the ledger says unsent, and a phone shows it"
            if row["state"] == "accepted":
                assert provider.accepted(id), "the ledger says accepted, and no phone shows it"


def _messages(seen: Seen, model: Model, provider: Provider) -> None:
    rows = {(row["run_id"], row["recipient_key"]): row for row in seen["messages"]}
    shown = Counter(model.tries[id].owed for id, accepted in provider.called.items() if accepted)
    for (run, contact), owed in model.owed.items():
        row = rows[str(run), str(contact)]
        assert (row["settled_at"] is None) == (row["state"] == "ready")
        if owed.surmised:
            continue
        assert (row["state"], row["reason"]) == (owed.state, owed.reason), owed
        assert shown[owed] <= 1, "somebody has it twice"
        if owed.state in TAKEN:
            assert shown[owed] == 1, "accepted, and no phone shows it"
        elif owed.state in NOT_SENT:
            assert shown[owed] == 0, f"{owed.state}, and a phone shows it"


def _queue(seen: Seen) -> None:
    """What waits is what is ready and not in flight: nothing else, and nothing twice."""
    flying = {row["message_id"] for row in seen["attempts"] if row["state"] == "in_flight"}
    ready = {r["id"]: r for r in seen["messages"] if r["state"] == "ready" and r["id"] not in flying}
    queued = {row["message_id"]: row for row in seen["queue"]}
    assert len(queued) == len(seen["queue"]), "a message waits twice"
    assert queued.keys() == ready.keys()
    for id, row in queued.items():
        message = ready[id]
        for column in ("lane_id", "due_at", "cohort", "expires_at", "address_id", "content_version_id"):
            assert row[column] == message[column], column
        assert row["contact_id"] == message["recipient_key"]


def _noted(seen: Seen, model: Model) -> None:
    """What is known not to have arrived, and was not seen to, is written down."""
    noted = {(row["message_id"], row["lane_id"]) for row in seen["noted"]}
    for owed in model.owed.values():
        if owed.noted and not owed.surmised:
            assert (str(owed.id), str(owed.campaign.lane)) in noted, f"{owed} is never looked at again"


def _tally(seen: Seen) -> None:
    counted = {(row["run_id"], row["state"], row["reason"]): row["n"] for row in seen["tally"]}
    assert counted == Counter((row["run_id"], row["state"], row["reason"]) for row in seen["messages"])


def _one_workspace(seen: Seen, model: Model) -> None:
    everywhere = {
        row["workspace_id"]
        for table, rows in seen.items()
        if table not in ("tally", "enrolled")
        for row in rows
    }
    assert everywhere <= {str(model.world.workspace)}
    messages = {row["id"]: row for row in seen["messages"]}
    for row in seen["attempts"]:
        message = messages[row["message_id"]]
        assert row["cohort"] == message["cohort"]
        assert _campaign(row, seen) == _campaign(message, seen)


def _campaign(row: Mapping[str, Any], seen: Seen) -> str:
    return next(str(lane["campaign_id"]) for lane in seen["lanes"] if lane["id"] == row["lane_id"])


def _only_forward(seen: Seen, before: Seen, model: Model) -> None:
    """Epochs never fall, attempts are only added, evidence is never taken back."""
    for table in ("lanes", "owners"):
        for row, was in zip(seen[table], before[table], strict=False):
            assert row["epoch"] >= was["epoch"]
            assert row.get("beat", 0) >= was.get("beat", 0)
            assert _moment(row) >= _moment(was), "what is settled stays settled"
    tries = {row["id"]: row for row in seen["attempts"]}
    surmised = {str(owed.id) for owed in model.owed.values() if owed.surmised}
    for was in before["attempts"]:
        assert was["id"] in tries, "an attempt vanished"
        if was["message_id"] not in surmised:
            assert was["state"] != "accepted" or tries[was["id"]]["state"] == "accepted"
    messages = {row["id"]: row for row in seen["messages"]}
    for was in before["messages"]:
        if was["id"] in surmised:
            continue
        rank = ORDER.index(State(was["state"]))
        assert rank <= _EVIDENT or ORDER.index(State(messages[was["id"]]["state"])) >= rank


def _moment(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row.get("settled_through") or "1970-01-01T00:00:00+00:00")


def learn(seen: Seen, model: Model) -> None:
    """Identifiers of new messages; and of surmised ones everything, since the model cannot say."""
    rows = {(row["run_id"], row["recipient_key"]): row for row in seen["messages"]}
    queued = {row["message_id"]: row["due_at"] for row in seen["queue"]}
    tries = {row["id"]: row for row in seen["attempts"]}
    for (run, contact), owed in model.owed.items():
        row = rows.get((str(run), str(contact)))
        if row is None:
            continue
        owed.know(row["id"])
        if owed.surmised:
            due = queued.get(row["id"])
            owed.state, owed.reason = State(row["state"]), row["reason"]
            owed.further = row["lane_id"] == str(owed.campaign.further)
            owed.once_key = bytes.fromhex(row["once_key"][2:]) if row["once_key"] else None
            owed.queued = None if due is None else datetime.fromisoformat(due)
    for id, tried in model.tries.items():
        if tried.owed.surmised and str(id) in tries:
            state = tries[str(id)]["state"]
            tried.outcome = None if state == "in_flight" else Outcome(state)
