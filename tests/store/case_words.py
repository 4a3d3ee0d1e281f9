"""What becomes of cases by words, one after the other, in plain Python: the reference for the SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clarion.domain.case_values import Case
from clarion.domain.field import stored

_TEXTS = ("owner", "modified_by", "parent", "host")


@dataclass
class Kept:
    """A case as the database should know it."""

    type: str
    name: str
    state: str
    opened_at: datetime
    modified_at: datetime
    stored_at: datetime
    closed_at: datetime | None
    links: dict[str, str | None]
    properties: dict[str, Any]
    numbers: dict[str, Any]
    dates: dict[str, Any]
    changed: dict[str, str] = field(default_factory=dict)
    history: list[Any] = field(default_factory=list)


@dataclass
class Reference:
    """All cases, by their external ids."""

    cases: dict[str, Kept] = field(default_factory=dict)

    def take(self, words: list[Case], now: datetime) -> list[str]:
        """What becomes of each word. A batch is taken in rounds: of each case one word a round."""
        outcomes = [""] * len(words)
        rest = list(range(len(words)))
        while rest:
            nth: dict[str | None, int] = {}
            for n in rest:
                nth.setdefault(words[n].external_id, n)
            for n in sorted(nth.values()):
                outcomes[n] = self._take(words[n], now)
            rest = [n for n in rest if n not in nth.values()]
        return outcomes

    def _take(self, word: Case, now: datetime) -> str:
        assert word.external_id is not None
        kept = self.cases.get(word.external_id)
        if kept is not None and kept.type != word.type.name:
            return "refused"
        if kept is not None and word.modified_at is not None and word.modified_at < kept.modified_at:
            return "stale"
        if self._comes_round(word):
            return "refused"
        if kept is None:
            self.cases[word.external_id] = _opened(word, now)
            return "created"
        return _changed(kept, word, now)

    def _comes_round(self, word: Case) -> bool:
        for which in ("parent", "host"):
            above = getattr(word, which) or None
            while above is not None and above != word.external_id:
                above = self.cases[above].links[which] if above in self.cases else None
            if above is not None:
                return True
        return False


def _said(word: Case) -> dict[str, Any]:
    return {key: value for key, value in word.properties.items() if value is not None}


def _opened(word: Case, now: datetime) -> Kept:
    at = word.modified_at or now
    return Kept(
        word.type.name, word.name or "", word.state or "open", word.opened_at or at, at, now,
        at if word.state == "closed" else None, {key: getattr(word, key) or None for key in _TEXTS},
        _said(word), dict(word.numbers), dict(word.dates),
    )  # fmt: skip


def _changed(kept: Kept, word: Case, now: datetime) -> str:
    at = word.modified_at or max(kept.modified_at, now)
    stamp = str(stored(at))
    links = {key: kept.links[key] if (said := getattr(word, key)) is None else said or None for key in _TEXTS}
    attributes = {
        "name": (kept.name, kept.name if word.name is None else word.name),
        "state": (kept.state, word.state or kept.state),
        **{key: (kept.links[key], links[key]) for key in ("owner", "parent", "host")},
        "opened_at": (str(stored(kept.opened_at)), str(stored(word.opened_at or kept.opened_at))),
    }
    new = _with(kept.properties, word, _said(word))
    differing = {key for key in {**kept.properties, **new} if _json(kept.properties, key) != _json(new, key)}
    changes: dict[str, Any] = {key: [kept.properties.get(key), new.get(key)] for key in differing}
    changes |= {key: list(both) for key, both in attributes.items() if both[0] != both[1]}
    numbers, dates = _with(kept.numbers, word, word.numbers), _with(kept.dates, word, word.dates)
    looked = links["modified_by"] != kept.links["modified_by"] or (
        word.modified_at is not None and at > kept.modified_at
    )
    if not changes and not looked and numbers == kept.numbers and dates == kept.dates:
        return "unchanged"
    state = attributes["state"][1]
    kept.closed_at = None if state == "open" else at if kept.state == "open" else kept.closed_at
    kept.name, kept.state, kept.links = attributes["name"][1] or "", state or "open", links
    kept.opened_at, kept.modified_at, kept.stored_at = word.opened_at or kept.opened_at, at, now
    kept.properties, kept.numbers, kept.dates = new, numbers, dates
    kept.changed |= dict.fromkeys(differing, stamp)
    if changes:
        kept.history.append((at, changes))
    return "updated"


def _with(known: dict[str, Any], word: Case, said: Any) -> dict[str, Any]:
    """What is known with what is said; what the word names and does not have so any more is gone."""
    if word.replace:
        return dict(said)
    return {**{key: value for key, value in known.items() if key not in word.properties}, **said}


def _json(values: dict[str, Any], key: str) -> Any:
    """As JSON compares: 60 is 60.0, and neither "60" nor true is 1."""
    value = values.get(key)
    return json.dumps(value) if isinstance(value, bool | str | None) else float(value)
