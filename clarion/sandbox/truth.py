"""What the control API tells of the record."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from clarion.errors import Invalid
from clarion.sandbox.journal import line_of
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import World

_DUMP_LINES = 500


def people(world: World, exchange: Exchange) -> object:
    """Who has more messages than so many."""
    more_than = _whole_number(exchange.head.first("more_than") or "0", "more_than")
    return {"people": [{"to": name, "shown": n} for name, n in world.record.people_shown(more_than)]}


def messages(world: World, exchange: Exchange) -> object:
    """Every request of one reference, or for one person."""
    reference, to = exchange.head.first("reference"), exchange.head.first("to")
    if (reference is None) == (to is None):
        raise Invalid("ask by reference or by to", where="query", hint="record/dump gives all messages")
    record = world.record
    found = record.with_reference(reference) if reference is not None else record.to_person(digits(to or ""))
    return {"messages": [line_of(record, entry) for entry in found]}


def dump(world: World, everything: bool) -> Iterator[bytes]:
    """All accepted messages, or all requests, as lines of JSON."""
    lines: list[bytes] = []
    record = world.record
    for entry in record.entries(stop=len(record)):
        if everything or entry.outcome == "accepted":
            lines.append(orjson.dumps(line_of(record, entry)) + b"\n")
        if len(lines) == _DUMP_LINES:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)


def phone(world: World, person: str) -> object:
    """What this person's phone shows, oldest first."""
    record = world.record
    shown = [
        {"direction": "in", "at": e.accepted_at, "text": e.text, "kind": e.kind, "number": e.sender,
         "id": record.wamid(e.row), "status": e.status}
        for e in record.to_person(person)
        if e.accepted_at is not None and e.status != "failed"
    ]  # fmt: skip
    written = [
        {"direction": "out", "at": m.at, "text": m.text, "kind": m.kind, "number": m.number, "id": m.id}
        for m in world.inbound
        if m.person == person
    ]
    return {"person": person, "messages": sorted(shown + written, key=lambda m: float(str(m["at"])))}


def digits(number: str) -> str:
    """A number as the record holds it: without + and punctuation. User ids (US.…) stay as they are."""
    return number if "." in number else "".join(c for c in number if c.isdigit())


def _whole_number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f"{text!r} is no whole number", where=where)
    return int(text)
