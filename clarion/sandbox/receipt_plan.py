"""What a provider will tell of a message that it took, and when: as configured, or as a fault has it."""

from __future__ import annotations

from clarion.sandbox.dialect import Told
from clarion.sandbox.faults import Fault
from clarion.sandbox.record import FAILED, STATUSES
from clarion.sandbox.world import World

SENT, DELIVERED, READ = (STATUSES.index(name) for name in ("sent", "delivered", "read"))


def plan(
    world: World, row: int, fault: Fault | None, *, listened: bool
) -> tuple[list[Told], list[tuple[float, Told]]]:
    """Statuses to tell before the caller is answered, and those for later with their delays in seconds."""
    settings = world.config.receipts
    mode = fault.name.removeprefix("receipts_") if fault else settings.mode
    now = world.clock.now()
    if mode == "failed":
        code = int(fault.parameter) if fault else 0
        after = settings.sent_after
        return [], [(after, Told(row, FAILED, now + after, code))]
    if not listened or mode == "none":
        return [], []
    if mode == "missing" and (fault or _lot(row, 7) < settings.missing_share):
        return [], []
    steps = [(settings.sent_after, SENT), (settings.delivered_after, DELIVERED)]
    if _lot(row, world.config.faults.seed) < settings.read_share:
        steps.append((settings.read_after, READ))
    planned = [(after, Told(row, status, now + after)) for after, status in steps]
    if mode == "early":
        return [told for _, told in planned[:2]], planned[2:]
    if mode == "late":
        by = fault.parameter if fault else settings.late_by
        return [], [(after + by, told) for after, told in planned]
    if mode == "five_times":
        return [], [plan for plan in planned for _ in range(5)]
    if mode == "reversed":
        backwards = [told for _, told in reversed(planned)]
        afters = sorted(after for after, _ in planned)
        return [], list(zip(afters, backwards, strict=True))
    return [], planned


def _lot(row: int, seed: int) -> float:
    """A number in 0..1 that is the same for a row on every run."""
    return ((row + 1) * 2654435761 + seed * 40503) % 2**32 / 2**32
