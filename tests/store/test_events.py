"""Whoever moves something notes it for those who listen: of every state, wherever it is moved."""

from __future__ import annotations

import ast
from pathlib import Path

from clarion.domain import campaign, message
from clarion.domain.event import EventType
from clarion.store.tables import metadata

CLARION = Path(__file__).resolve().parents[2] / "clarion"
# What moves messages, and what notes it afterwards. (`queue.empty_lane` ends by `queue.end`.)
MOVERS = {
    ("attempt", "settle"): {"of_attempts"},
    ("receipt", "apply"): {"of_receipts"},
    ("queue", "end"): {"of_ends"},
    ("queue", "empty_lane"): {"of_ends"},
    ("", "expand_chunk"): {"of_skips"},
}
# The ledger's own modules move by each other; who calls them notes it.
LEDGER = {"store/attempt.py", "store/queue.py", "store/receipt.py"}


def _called(function: ast.AST) -> set[tuple[str, str]]:
    """(module, function) of every call of the form `module.function(…)` or `function(…)` inside."""
    found = set()
    for call in ast.walk(function):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                found.add((module, name))
            case ast.Call(func=ast.Name(id=name)):
                found.add(("", name))
    return found


def test_whoever_moves_messages_notes_it_in_the_same_function() -> None:
    """Nothing else would: an event that is not noted is lost."""
    movers, silent = 0, []
    for path in sorted(CLARION.rglob("*.py")):
        name = str(path.relative_to(CLARION))
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if name in LEDGER or not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            called = _called(function)
            for mover, notes in MOVERS.items():
                if mover in called:
                    movers += 1
                    if not any(("event", note) in called for note in notes):
                        silent.append(f"{name}: {function.name}")
    assert silent == []
    assert movers >= 10, "the look found too few, so it proves nothing"


def test_every_state_that_is_reached_has_a_type() -> None:
    """A new state of a message, a campaign or a channel is told too, or left out here by decision."""
    (check,) = [c for c in metadata.tables["channel"].constraints if c.name == "channel_state_check"]
    channels = str(getattr(check, "sqltext", "")).split("'")[1::2]
    assert len(channels) >= 2
    states = {f"message.{state}" for state in message.State} - {"message.ready"}
    states |= {f"campaign.{state}" for state in campaign.State} - {"campaign.draft"}
    states |= {f"channel.{state}" for state in channels}
    assert states - {kind.value for kind in EventType} == set()
