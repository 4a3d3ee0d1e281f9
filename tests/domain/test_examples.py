"""The sample workforce: it is what its generator writes, and it is as messy as it promises."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from clarion.domain.address import Address, parse_address
from clarion.domain.consent import opted_out
from clarion.domain.contact import identity_key
from clarion.domain.country import parse_country
from clarion.domain.refusal import Refusal
from clarion.kit.tabular import Row, open_table
from clarion.sandbox.roster import load_roster

EXAMPLES = Path(__file__).parents[2] / "examples"
EMPLOYEES = EXAMPLES / "employees.csv"


def rows() -> list[dict[str, str]]:
    with open_table(EMPLOYEES) as table:
        return [row.values for row in table if isinstance(row, Row)]


def address(row: dict[str, str]) -> Address | Refusal:
    country = parse_country(row["country"] or "KE")
    return parse_address(row["phone"], "whatsapp", country if isinstance(country, str) else None)


def identity(row: dict[str, str]) -> str | None:
    place = address(row)
    return identity_key(row["external_id"], place if isinstance(place, Address) else None, row["name"])


def test_the_files_are_what_their_generator_writes() -> None:
    check = [sys.executable, str(EXAMPLES / "generate_employees.py"), "--check"]
    ran = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "both are as this writes them\n")


def test_the_list_is_saved_as_a_spreadsheet_program_saves_it() -> None:
    raw = EMPLOYEES.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    with open_table(EMPLOYEES) as table:
        assert all(isinstance(row, Row) for row in table)
    quoted_break = b"Learning\nand Growth"
    assert raw.count(quoted_break) == 1
    assert raw.replace(quoted_break, b"").count(b"\n") == raw.count(b"\r\n") >= 1200


def test_numbers_of_seven_countries_are_read_in_every_spelling() -> None:
    numbers = [found for row in rows() if isinstance(found := address(row), Address)]
    codes = Counter(
        code
        for n in numbers
        for code in ("254", "251", "91", "971", "55", "33", "1")
        if n.path[1:].startswith(code)
    )
    assert len(numbers) >= 1200
    assert min(codes.values()) >= 50
    assert any(row["phone"].startswith("0") for row in rows())
    assert any(row["phone"].startswith("+") for row in rows())


def test_numbers_that_are_none_are_refused_each_for_its_reason() -> None:
    reasons = {found.reason for row in rows() if isinstance(found := address(row), Refusal)}
    assert reasons == {
        "not_a_number", "too_short", "too_long", "rounded", "two_numbers", "extension",
        "unknown_country_code", "no_address", "needs_country",
    }  # fmt: skip


def test_two_people_share_a_phone_and_some_are_listed_twice() -> None:
    people: dict[str, set[str | None]] = {}
    for row in rows():
        if isinstance(found := address(row), Address):
            people.setdefault(found.path, set()).add(identity(row))
    assert sum(len(sharing) == 2 for sharing in people.values()) == 2
    twice = [key for key, times in Counter(map(identity, rows())).items() if times == 2]
    assert {"id:E09003", "at:+254712123902|mercy wambui", "at:+971501234904|محمد الكعبي"} <= set(twice)
    assert Counter(map(identity, rows()))[None] == 1


def test_names_are_missing_or_in_arabic_or_amharic_or_have_an_apostrophe() -> None:
    names = [row["name"] for row in rows()]
    assert names.count("") == 6
    assert sum("\u0600" <= name[0] <= "\u06ff" for name in names if name) > 50
    assert sum("\u1200" <= name[0] <= "\u137f" for name in names if name) > 50
    assert any("'" in name for name in names)
    assert any("’" in name for name in names)


def test_most_people_are_in_more_than_one_group() -> None:
    groups = Counter(len(row["groups"].split(";")) for row in rows())
    assert set(groups) == {1, 2, 3}
    assert groups[2] + groups[3] > groups[1]


def test_two_people_do_not_want_to_hear_from_us() -> None:
    assert [row["name"] for row in rows() if opted_out(row["consent"]) is True] == [
        "Daniel Kimani",
        "ብርሃኔ ተስፋዬ",
    ]


def test_the_roster_is_of_people_on_the_list_one_slow_and_several_failing() -> None:
    known = Counter(found.path for row in rows() if isinstance(found := address(row), Address))
    behaviours: Counter[str] = Counter()
    for line in load_roster(EXAMPLES / "roster.csv"):
        assert known["+" + line.number.lstrip("+")] == 1
        behaviours[line.behaviour] += 1
    assert behaviours.pop("slow") == 1
    assert behaviours.total() >= 5
