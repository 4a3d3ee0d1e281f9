"""The record in a file: JSON lines, so that the truth outlives the sandbox's process.

One line a request when it came; a shorter line with the same `n` when it changed later (accepted after all,
or failed); one line a message that a person wrote. A sandbox that starts on an existing file goes on from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from clarion.errors import Invalid
from clarion.sandbox.faults import FAULT_NAMES, FAULT_NUMBER
from clarion.sandbox.record import ACCEPTED, FAILED, KINDS, OUTCOMES, REFUSED, WAITING, Entry, Record


def line_of(record: Record, entry: Entry) -> dict[str, Any]:
    """A request as the dump, the control API and the file tell it."""
    told: dict[str, Any] = {
        "n": entry.row,
        "at": entry.at,
        "mono": entry.mono,
        "from": entry.sender,
        "to": entry.to,
        "reference": entry.reference,
        "outcome": entry.outcome,
        "kind": entry.kind,
        "text": entry.text,
    }
    if entry.accepted_at is not None:
        told |= {
            "wamid": record.wamid(entry.row),
            "accepted_at": entry.accepted_at,
            "status": entry.status,
            "shown": entry.status != "failed",
        }
    if entry.code:
        told["code"] = entry.code
    if entry.fault:
        told["fault"] = FAULT_NAMES[entry.fault]
    if entry.receipts:
        told["receipts"] = FAULT_NAMES[entry.receipts]
    return told


class Journal:
    """Writes what is new in a record to its file. Raises Invalid when the file cannot be used."""

    def __init__(self, path: Path, record: Record) -> None:
        self._record = record
        self._written = 0
        self.inbound: list[dict[str, Any]] = []
        try:
            for line in _read(path):
                self._restore(line)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise Invalid(f"the record's file cannot be used: {error.strerror}", where=path.name) from error
        self._written = len(record)
        self._pending: list[dict[str, Any]] = []
        if os.fstat(self._fd).st_size == 0:
            self._begin()

    def note(self, inbound: dict[str, Any]) -> None:
        """Keep a message that a person wrote, for the next flush."""
        self._pending.append({"inbound": inbound})

    def flush(self) -> None:
        """Hand everything new to the operating system, which keeps it when this process is killed."""
        record = self._record
        lines = [line_of(record, entry) for entry in record.entries(self._written)]
        changed = [row for row in dict.fromkeys(record.changes) if row < self._written]
        lines += [_change(record.entry(row)) for row in changed]
        lines += self._pending
        self._written = len(record)
        record.changes.clear()
        self._pending = []
        if lines:
            self._write(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    def restart(self) -> None:
        """The record was cleared: so is the file."""
        os.ftruncate(self._fd, 0)
        self._written = 0
        self._pending = []
        self._record.changes.clear()
        self._begin()

    def close(self) -> None:
        self.flush()
        os.close(self._fd)

    def _begin(self) -> None:
        self._write(orjson.dumps({"run": self._record.run}) + b"\n")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _restore(self, line: dict[str, Any]) -> None:
        record = self._record
        if "run" in line:
            record.run = line["run"]
        elif "inbound" in line:
            self.inbound.append(line["inbound"])
        elif "text" not in line:
            _apply(record, line)
        else:
            self._restore_request(line)
        record.changes.clear()

    def _restore_request(self, line: dict[str, Any]) -> None:
        record = self._record
        at, accepted_at = line["at"], line.get("accepted_at")
        late = accepted_at is not None and accepted_at != at
        outcome = WAITING if late else OUTCOMES.index(line["outcome"])
        row = record.append(
            at, line["mono"], line["to"], line["reference"], line["text"],
            kind=KINDS.index(line["kind"]), outcome=outcome, code=line.get("code", 0),
            fault=FAULT_NUMBER[line.get("fault", "")], receipts=FAULT_NUMBER[line.get("receipts", "")],
            sender=record.sender(line["from"]),
        )  # fmt: skip
        if late:
            record.accept(row, float(accepted_at or at))
        elif outcome == WAITING:
            # What waited in the process that ended is never accepted, unless a later line says so.
            record.refuse(row)
        if line.get("status") == "failed":
            record.tell(row, FAILED)


def _change(entry: Entry) -> dict[str, Any]:
    return {
        "n": entry.row,
        "outcome": entry.outcome,
        "accepted_at": entry.accepted_at,
        "failed": entry.status == "failed",
    }


def _apply(record: Record, line: dict[str, Any]) -> None:
    row = line["n"]
    if line["outcome"] == "accepted" and record.outcomes[row] != ACCEPTED:
        record.accept(row, line["accepted_at"])
    if line["outcome"] == "refused":
        record.outcomes[row] = REFUSED
    if line["failed"]:
        record.tell(row, FAILED)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.endswith(b"\n"):
                _cut(path, len(raw))  # a kill in the middle of a write: that request was never answered
                return
            try:
                line = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                raise Invalid(f"is not a record: {error}", where=f"{path.name} line {number}") from error
            if not isinstance(line, dict):
                raise Invalid("is not a record: no JSON object", where=f"{path.name} line {number}")
            yield line


def _cut(path: Path, length: int) -> None:
    os.truncate(path, path.stat().st_size - length)
