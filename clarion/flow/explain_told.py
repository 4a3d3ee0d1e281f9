"""The sentences of an alert that is explained of a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

from clarion.domain.campaign import State
from clarion.domain.episode import Phase
from clarion.domain.wording import ENROLLED, OUT, STATES, STOPPED, why
from clarion.flow.explain_alert import Explained
from clarion.flow.explain_criteria import Judged
from clarion.flow.explain_people import Comes, Hears, Occurred
from clarion.flow.explain_recipients import FILTERED, Person, Told
from clarion.store.case_verdict import Looked

_BRANCHES = {"all": "all of these", "any": "at least one of these", "not": "not this"}
_PHASES = {
    Phase.ON: "Its recipients hear of it since {since}; it has begun {times}.",
    Phase.OUT: "Nobody hears of it since {since}: {why}.",
    Phase.OFF: "Nobody hears of it since {since}: {why}. It has begun {times}.",
}


def sentences(one: Explained, zone: tzinfo) -> list[str]:
    """All of it, line by line; what is below something is set in by two blanks for each step."""
    return [*_case(one, zone), *_recipients(one), *(line for each in one.people for line in _person(each))]


# --- the case


def _case(one: Explained, zone: tzinfo) -> Iterator[str]:
    meets = "meets" if one.meets else "does not meet"
    turns = f"; the calendar may change that on {one.turns_on}" if one.turns_on else ""
    yield f"Case {_named(one.case)} {meets} the criteria of {one.alert['name']!r}{turns}."
    if one.case["state"] != "open":
        yield f"It is {one.case['state']}, and such a case meets none."
    yield from _tree(one.criteria, 1)
    if one.stands is not None:
        phase = one.stands.phase
        reason = OUT if phase is Phase.OUT else STOPPED
        yield _PHASES[phase].format(
            since=_when(one.stands.since, zone), times=_times(one.stands.times),
            why=reason.get(one.stands.reason, one.stands.reason),
        )  # fmt: skip
    if not one.in_step:
        yield "A worker has not seen yet what changed; what is told of its people is from before."
    if one.alert["state"] == State.PAUSED:
        yield f"The alert is paused ({one.alert['reason']}): what falls due before it goes on is skipped."
    elif one.alert["state"] != State.RUNNING:
        yield f"The alert is {one.alert['state']}."


def _tree(node: Judged, deep: int) -> Iterator[str]:
    holds = "yes" if node.holds else "no"
    turns = f"; may change on {node.turns_on}" if node.turns_on else ""
    if node.kind in _BRANCHES:
        yield f"{'  ' * deep}{holds}: {_BRANCHES[node.kind]}{turns}"
        for child in node.of:
            yield from _tree(child, deep + 1)
    else:
        saw = ", ".join(_saw(one) for one in node.saw) or "there is nobody and nothing that it asks"
        yield f"{'  ' * deep}{holds}: {_condition(node.condition or {})} ({saw}{turns})"


def _condition(written: Mapping[str, Any]) -> str:
    of = f"{written['of']}'s " if written.get("of") else ""
    if "in_group" in written:
        below = "" if written.get("nested", True) else " itself"
        return f"{of or 'contact '}in group {written['in_group']}{below}"
    if "changed_to" in written:
        return f"{of}{written['property']} changed to {_value(written['changed_to'])}"
    what = written.get("property") or written.get("field")
    value = f" {_value(written['value'])}" if "value" in written else ""
    return f"{of}{what} {written['op'].replace('_', ' ')}{value}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        days = value["days_from_today"]
        return f"{abs(days)} days {'ago' if days < 0 else 'from today'}" if days else "today"
    return repr(value)


def _saw(one: Looked) -> str:
    has = "nothing" if one.value in (None, "", []) else _value(one.value)
    who = one.name or one.external_id or str(one.id)
    if one.kind == "contact":
        return f"{who} has {has}"
    unread = one.value not in (None, "") and one.read_as is None
    as_what = f", which is no {one.compared_as}" if unread and one.compared_as in _READ else ""
    since = f", changed {one.changed_at}" if one.changed_at else ""
    return f"{one.external_id} has {has}{as_what}{since}"


_READ = ("date", "datetime", "number")


# --- whom it names


def _recipients(one: Explained) -> Iterator[str]:
    for each in one.recipients:
        yield f"{_recipient(each)}: {each.nobody or ', '.join(map(_address, each.people))}."


def _recipient(one: Told) -> str:
    to = one.recipient["to"]
    called = str(one.recipient.get("role") or one.recipient.get("group_id") or to)
    return called[0].upper() + called[1:]


def _address(person: Person) -> str:
    if person.reason == FILTERED:
        return f"{_called(person)}, left out ({' and '.join(person.unmet)})"
    if person.reason:
        return f"{_called(person)}, who {why(person.reason)}"
    return f"{_called(person)} at {person.address}"


def _called(person: Person) -> str:
    return person.name or person.external_id or str(person.contact_id)


def _person(one: Hears) -> Iterator[str]:
    if one.status is None:
        yield f"{_called(one.person)} hears nothing: {one.silent}."
        return
    reason = f" ({STOPPED.get(one.reason, one.reason)})" if one.reason else ""
    yield f"{_called(one.person)} {ENROLLED[one.status]}{reason}, time round {one.generation}."
    for was in one.past:
        yield f"  {_moment(was)} {_said(was)}"
    for will in one.next:
        yield f"  {_moment(will)} {_will(will)}"
    if one.silent:
        yield f"  Nothing comes: {one.silent}."


def _moment(one: Occurred | Comes) -> str:
    return f"{one.local:%Y-%m-%d %H:%M:%S %Z}: {one.content or f'step {one.step}'}"


def _said(one: Occurred) -> str:
    reason = f": {one.reason}" if one.reason else ""
    return f"{STATES[one.state]}{reason} (time round {one.generation}, message {one.message_id})"


def _will(one: Comes) -> str:
    moved = f"; moved by {', '.join(one.moved).replace('_', ' ')}" if one.moved else ""
    return f"will not be sent: {one.skip}{moved}" if one.skip else f"comes{moved}"


def _named(case: Mapping[str, Any]) -> str:
    return f"{case['external_id']} ({case['name']})" if case["name"] else str(case["external_id"])


def _times(times: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")


def _when(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
