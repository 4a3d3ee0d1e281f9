"""Dates, times and numbers as a person's language writes them, by the person's clock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clarion.domain.field import FieldType
from clarion.domain.manner import Manner, languages
from clarion.domain.refusal import Refusal
from clarion.domain.template import check, compile_template

KNOWN = {"case.visit": FieldType.TEXT, "contact.age": FieldType.NUMBER, "contact.name": FieldType.TEXT}
LONG = "{{ case.visit | date: 'long' }}"


def say(source: str, value: object, *spoken: str, zone: str | None = None) -> str | Refusal:
    assert check(source, KNOWN) == []
    return compile_template(source).render({"case": {"visit": value}}, Manner(spoken, zone))


@pytest.mark.parametrize(
    ("spoken", "long", "weekday", "time", "number"),
    [
        ("en", "March 4, 2026", "Wednesday", "6:30 PM", "1,234,567.5"),
        ("en-GB", "4 March 2026", "Wednesday", "18:30", "1,234,567.5"),
        ("sw", "4 Machi 2026", "Jumatano", "18:30", "1,234,567.5"),
        ("fr", "4 mars 2026", "mercredi", "18:30", "1 234 567,5"),
        ("pt-BR", "4 de março de 2026", "quarta-feira", "18:30", "1.234.567,5"),
        ("am", "4 ማርች 2026", "ረቡዕ", "6:30 ከሰዓት", "1,234,567.5"),
        ("hi", "4 मार्च 2026", "बुधवार", "6:30 pm", "12,34,567.5"),
        ("ar", "4 مارس 2026", "الأربعاء", "6:30 م", "1,234,567.5"),
    ],
)
def test_each_language_writes_them_its_own_way(
    spoken: str, long: str, weekday: str, time: str, number: str
) -> None:
    assert say(LONG, "2026-03-04", spoken) == long
    assert say("{{ case.visit | date: 'weekday' }}", "2026-03-04", spoken) == weekday
    assert say("{{ case.visit | time }}", "2026-03-04T18:30:00", spoken) == time
    assert say("{{ case.visit | number }}", 1_234_567.5, spoken) == number


@pytest.mark.parametrize(
    ("form", "swahili", "french"),
    [
        ("", "4 Mac 2026", "4 mars 2026"),
        (": 'short'", "04/03/2026", "04/03/2026"),
        (": 'medium'", "4 Mac 2026", "4 mars 2026"),
        (": 'full'", "Jumatano, 4 Machi 2026", "mercredi 4 mars 2026"),
        (": '%d.%m.%Y'", "04.03.2026", "04.03.2026"),
    ],
)
def test_a_date_has_several_forms(form: str, swahili: str, french: str) -> None:
    source = f"{{{{ case.visit | date{form} }}}}"
    assert (say(source, "2026-03-04", "sw"), say(source, "2026-03-04", "fr")) == (swahili, french)


@pytest.mark.parametrize(
    ("filter", "value", "written"),
    [
        ("number", "3.14159", "3,142"),
        ("number: 2", 3, "3,00"),
        ("number: 0", "2.5", "3"),
        ("number: 1", "-1234.56", "-1 234,6"),
        ("number", "about ten", "about ten"),
        ("number", "1e40", "1e40"),
        ("number", "NaN", "NaN"),
        ("number", True, "true"),
        ("date", "next Monday", "next Monday"),
        ("date", "2026-02-30", "2026-02-30"),
        ("time", "2026-03-04", "2026-03-04"),
        ("time", "09:05", "09:05"),
        ("time", "25:00", "25:00"),
        ("time: 'medium'", "9:05:07", "09:05:07"),
        ("date", None, ""),
        ("time", None, ""),
        ("number", None, ""),
    ],
)
def test_what_does_not_read_as_one_is_said_as_it_was_written(
    filter: str, value: object, written: str
) -> None:
    assert say(f"{{{{ case.visit | {filter} }}}}", value, "fr") == written


def test_a_moment_is_told_by_the_persons_clock() -> None:
    moment, source = "2026-03-04T22:30:00Z", "{{ case.visit | date }} {{ case.visit | time }}"
    assert say(source, moment, "fr", zone="Africa/Nairobi") == "5 mars 2026 01:30"
    assert say(source, moment, "fr", zone="America/Lima") == "4 mars 2026 17:30"
    assert say(source, moment, "fr", zone="Nowhere/Else") == "4 mars 2026 22:30"


@pytest.mark.parametrize(
    ("spoken", "long"),
    [
        (("zz", "sw"), "4 Machi 2026"),
        (("pt-XX", "sw"), "4 de março de 2026"),
        (("zz",), "March 4, 2026"),
        ((), "March 4, 2026"),
    ],
)
def test_a_language_that_nobody_describes_gives_way_to_the_next(spoken: tuple[str, ...], long: str) -> None:
    assert say(LONG, "2026-03-04", *spoken) == long


def test_the_language_is_the_persons_where_the_text_is_in_it() -> None:
    assert languages(None, "sw", "en") == ("sw", "en")
    assert languages("en", "en-GB", "sw") == ("en-GB", "en", "sw")
    assert languages("en", "fr", "sw") == ("en", "sw")
    assert languages(None, None, "sw") == ("sw",)


def test_no_space_makes_an_sms_longer() -> None:
    for spoken in ("en", "fr", "sw", "pt", "de", "es"):
        for source in ("{{ case.visit | time }}", "{{ case.visit | date: 'full' }}"):
            said = say(source, "2026-03-04T18:30:00", spoken)
            assert isinstance(said, str)
            assert not set(said) & {"\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"}
        said = say("{{ case.visit | number: 2 }}", 1_234_567, spoken)
        assert "\N{NARROW NO-BREAK SPACE}" not in str(said)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("{{ case.visit | date: 'lnog' }}", "date: there is no form 'lnog'; there are short, medium, long"),
        ("{{ case.visit | time: 'long' }}", "time: there is no form 'long'; there are short, medium"),
        ("{{ case.visit | number: 'two' }}", "number: say how many decimals, 0 to 6"),
        ("{{ case.visit | number: 40 }}", "number: say how many decimals, 0 to 6"),
    ],
)
def test_a_form_that_is_none_is_refused_when_it_is_written(source: str, what: str) -> None:
    (problem,) = check(source, KNOWN)
    assert what in problem.what
    assert problem.where == "line 1 column 17"


def test_a_filter_that_is_none_is_refused_with_those_that_are() -> None:
    (problem,) = check("{{ case.visit | dated }}", KNOWN)
    assert problem.what == "unknown filter dated"
    assert problem.hint.startswith("did you mean date? there are abs, append,")
    (problem,) = check("{{ case.visit | localise_it }}", KNOWN)
    assert problem.hint.startswith("there are abs,")


def test_the_page_shows_what_is_written() -> None:
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text(encoding="utf-8")
    spoken = ("en", "sw", "fr", "hi")
    shows = [line for line in page.splitlines() if re.match(r"\| `(date|time|num)", line)]
    lines = [line.strip("| ").split(" | ") for line in shows]
    assert len(lines) == 10
    for shown, *columns in lines:
        filter = re.findall("`([^`]+)`", shown)[-1]
        value: object = {"t": "2026-03-04T18:30:00", "d": "2026-03-04", "n": 1_234_567.5}[filter[0]]
        assert [say(f"{{{{ case.visit | {filter} }}}}", value, one) for one in spoken] == columns, filter
