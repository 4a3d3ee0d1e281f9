"""What the columns of a schedule's table mean, by their headings: in any order, as people spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clarion.domain.language import parse_language
from clarion.errors import Problem

HEADING = "the heading"
_SPOKEN = {
    "day": "day days day_no day_nr day_number on_day send_day offset day_offset days_offset days_after "
    "days_after_start days_after_enrollment days_after_enrolment days_after_registration days_from_start "
    "study_day relative_day date send_date send_on date_time datetime date_and_time scheduled_date when on",
    "week": "week weeks week_no week_nr week_number wk",
    "weekday": "weekday week_day day_of_week day_of_the_week dow",
    "time": "time times time_of_day send_time sending_time time_to_send local_time clock hour hours "
    "hour_of_day at send_at window time_window",
    "track": "track tracks stream arm study_arm topic theme series sequence module bot",
    "id": "id ids no nr num number numbers step step_no step_number step_id message_id message_no "
    "message_number msg_id msg_no content_id row row_id row_no ref reference code key s_no sr_no serial_no",
    "name": "name names title label content_name message_name text_name message_title",
}
_MEANING = {word: meaning for meaning, words in _SPOKEN.items() for word in words.split()}
_WORDS = "text texts message messages content contents sms msg body words translation"
_SAID = frozenset(_WORDS.split(" "))
_AROUND = frozenset(("in", "the", "language", "lang", "version"))
_ANYBODY = frozenset(("any", "all", "default", "everybody", "everyone", "other", "others"))
_ALSO = {"kiswahili": "sw", "oromiffa": "om", "afaan oromo": "om", "amharigna": "am"}


@dataclass(frozen=True, slots=True)
class Heading:
    """Which column is which. `columns`: day, week, weekday, time, track, id, name → the column's name.
    `texts`: language (BCP 47; None for whoever has no better one) → the column. `unread`: the others."""

    columns: Mapping[str, str]
    texts: Mapping[str | None, str]
    unread: tuple[str, ...]


def understood(columns: Iterable[str]) -> tuple[Heading, list[Problem]]:
    """What they mean, and what is wrong with them: two that say the same, none that says when or what."""
    known: dict[str, str] = {}
    texts: dict[str | None, str] = {}
    unread, problems = [], list[Problem]()
    for column in filter(None, columns):
        meaning, language = _meaning(column), _language(column)
        if meaning is not None:
            before = known.setdefault(meaning, column)
            what = f"the {meaning} of a row"
        elif language is not None:
            before = texts.setdefault(language[0], column)
            what = f"the text in {language[0]}" if language[0] else "the text"
        else:
            unread.append(column)
            continue
        if before != column:
            problems.append(Problem(HEADING, f"{before!r} and {column!r} both are {what}", "Leave one out."))
    found = Heading(known, texts, tuple(unread))
    return found, [*problems, *_lacking(found)]


def _lacking(heading: Heading) -> Iterable[Problem]:
    if not heading.columns.keys() & {"day", "week"}:
        hint = "Name one day (0, 3, -2, or dates), or two week and weekday."
        yield Problem(HEADING, "no column says on which day", hint)
    if not heading.texts:
        yield Problem(HEADING, "no column says what is said", "Name one text, or text:eng and text:swa.")


def _meaning(column: str) -> str | None:
    """One of `_SPOKEN`. What stands in brackets may explain it: "Day (0 = registration)", "Time (local)"."""
    for words in (column, re.sub(r"\(.*?\)|\[.*?\]", " ", column)):
        folded = "_".join(_words(words))
        if folded in _MEANING:
            return _MEANING[folded]
    return "id" if column.strip() in ("#", "№") else None


def _language(column: str) -> tuple[str | None] | None:
    """(language,) of a column of texts, as "text:eng", "message (Swahili)", "English", "sw"; (None,) of
    one for whoever; None for another column."""
    words = _words(column)
    left = [word for word in words if word not in _SAID and word not in _AROUND]
    said = len(left) < len(words) and any(word in _SAID for word in words)
    if not left or (said and _ANYBODY.issuperset(left)):
        return (None,) if said else None
    for one in ("-".join(left), " ".join(left)):
        tag = _ALSO.get(one) or parse_language(one)
        if isinstance(tag, str):
            return (tag,)
    return None


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", text.casefold()) if word]
