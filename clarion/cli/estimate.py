"""What sending would come to, in words for a person who decides: whom it reaches, what it takes and costs."""

from __future__ import annotations

from clarion.cli import terminal
from clarion.domain.wording import why
from clarion.flow.preview import Preview

LEFT_OUT = {
    "opted_out": "opted out",
    "no_address": "without an address",
    "invalid_number": "with a number that is none",
    "duplicate_address": "who share an address",
    "duplicate_person": "twice in it",
    "erased": "erased",
    "no_route": "with a number that no channel of the pool takes",
}


def say(made: Preview, *, further: bool) -> None:
    """All of it on the terminal. `further`: who cannot be told over the first channel goes on by another."""
    terminal.say(whom(made.counts))
    for line in takes(made):
        terminal.say(f"It takes {line}.")
    for reason, n in made.unsayable.items():
        end = "go on by a further channel" if further else "be skipped"
        terminal.say(f"Of {made.sampled:,} tried, {n:,} would {end}: {why(reason)}")


def whom(counts: dict[str, int]) -> str:
    """One sentence on whom it will reach."""
    apart = left_out(counts)
    rest = f"; left out: {', '.join(apart)}" if apart else ""
    further = f"; {n:,} of these by a further channel" if (n := counts.get("by_fallback")) else ""
    return f"{counts['people']:,} people, {counts['reachable']:,} can be reached{rest}{further}"


def left_out(counts: dict[str, int]) -> list[str]:
    """Who is not reached, by why."""
    return [f"{counts[key]:,} {words}" for key, words in LEFT_OUT.items() if counts.get(key)]


def takes(made: Preview) -> list[str]:
    """Segments of SMS, and money by currency; nothing where nothing is counted."""
    lines: list[str] = []
    if (taken := made.segments) is not None:
        lines.append(f"about {taken.total:,} SMS: {taken.each:g} for each, {taken.most} at most")
    for cost in made.costs:
        several = "" if cost.unpriced == 1 else "s"
        apart = f", and {cost.unpriced:,} message{several} without a price" if cost.unpriced else ""
        lines.append(f"about {cost.currency} {cost.amount:,.2f}{apart}")
    return lines
