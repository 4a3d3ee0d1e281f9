"""JSON files: an array of objects, or one object a line."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import Invalid
from clarion.kit.tabular import Limits, Row, RowProblem, open_table


def read(text: str, *, limits: Limits | None = None) -> list[Row | RowProblem]:
    with open_table(io.BytesIO(text.encode()), "json", limits=limits) as table:
        return list(table)


AMINA = {"name": "Amina", "phone": "0712123456"}


def test_an_array_and_lines_and_a_printed_object_give_the_same_row() -> None:
    for text in (
        json.dumps([AMINA]),
        json.dumps(AMINA),
        json.dumps(AMINA, indent=2),
        f"\ufeff[{json.dumps(AMINA)}]",
    ):
        assert read(text) == [Row(1, AMINA)]


def test_the_kind_is_seen_from_the_content() -> None:
    with open_table(io.BytesIO(b' [{"name": "Amina"}]')) as table:
        assert table.kind == "json"
        assert list(table) == [Row(1, {"name": "Amina"})]
        assert table.columns == ("name",)


def test_values_become_text_as_they_were_written() -> None:
    text = (
        '[{"a": 0.10, "b": 254712123456789012345, "c": true, "d": null, "e": [1, "x"], "f": {"g": {"h": 2}}}]'
    )
    assert read(text) == [
        Row(
            1,
            {"a": "0.10", "b": "254712123456789012345", "c": "true", "d": "", "e": "1;x", "f.g.h": "2"},
        )
    ]


def test_rows_know_their_lines() -> None:
    text = '[\n  {"name": "Amina"},\n\n  {"name":\n "Baraka"},\n  {"name": "Chidi"}\n]\n'
    assert [r.line for r in read(text)] == [2, 4, 6]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ('"Amina"', "not an object"),
        ("7", "not an object"),
        ('{"a": 1, "a": 2}', "two values are named 'a'"),
        ('{"a": {"b": {"c": {"d": {"e": 1}}}}}', "nested too deeply"),
        ('{"a": [[1]]}', "only plain values"),
        ('{"a": ["x;y"]}', "semicolon"),
        ('{" ": 1}', "without a name"),
        ('{"a": "x\\u0000"}', "NUL"),
        (json.dumps({f"c{n}": 1 for n in range(600)}), "600 values"),
    ],
)
def test_a_value_that_is_no_row_is_a_problem_of_its_own(value: str, why: str) -> None:
    for text in (f'[{value}, {{"name": "Baraka"}}]', f'{value}\n{{"name": "Baraka"}}'):
        problem, row = read(text)
        assert isinstance(problem, RowProblem)
        assert why in problem.reason
        assert isinstance(row, Row)


def test_a_broken_line_of_json_lines_spoils_only_itself() -> None:
    found = read('{"name": "Amina"}\n{"name": Baraka}\n{"name": "Chidi"}\n')
    assert [(type(r), r.line) for r in found] == [(Row, 1), (RowProblem, 2), (Row, 3)]


def test_a_line_that_is_never_closed_loses_no_later_one() -> None:
    later = "".join(f'{{"name": "P{n}"}}\n' for n in range(200))
    found = read('{"name": "Amina\n' + later, limits=Limits(row_chars=1000))
    assert [type(r) for r in found] == [RowProblem] + [Row] * 200


@pytest.mark.parametrize(
    ("text", "words", "where"),
    [
        ('[{"a": 1}\n {"a": 2}]', "a comma or ] is missing", "line 2"),
        ('[{"a": 1},\n', "not JSON", "line 2"),
        ('[{"a": 1}\n', "ends in the middle", "line 2"),
        ('[{"a": 1}] x', "follows the end", "line 1"),
        ('[{"a": ' + "[" * 100_000, "nested too deeply|longer than", "line 1"),
        ("[]", "no rows", ""),
        (" \n", "empty", ""),
    ],
)
def test_a_broken_array_is_refused_where_it_breaks(text: str, words: str, where: str) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        read(text)
    assert caught.value.where == where


def test_an_object_around_the_array_is_answered_with_advice() -> None:
    text = '{"contacts": [' + ",".join(json.dumps(AMINA) for _ in range(10_000)) + "]}"
    problem = read(text)[0]
    assert isinstance(problem, RowProblem)
    assert "give an array of objects" in problem.reason


def test_text_that_is_not_utf_8_is_told_before_the_first_row() -> None:
    with pytest.raises(Invalid, match="not UTF-8"):
        open_table(io.BytesIO('[{"name": "Amélie"}]'.encode("latin-1")), "json")


people = st.lists(
    st.dictionaries(
        st.sampled_from(["name", "phone", "group"]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
        | st.integers()
        | st.none(),
        min_size=1,
    ),
    min_size=1,
    max_size=400,
)


@settings(max_examples=40, deadline=None)
@given(people, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_written_is_read_back_across_chunks(
    rows: list[dict[str, object]], as_lines: bool, indent: int | None
) -> None:
    padding: dict[str, object] = {"padding": "x" * 65_500}  # so that the rows fall on the edge of a chunk
    every: list[dict[str, object]] = [padding, *rows]
    text = (
        "\n".join(json.dumps(row, ensure_ascii=False) for row in every)
        if as_lines
        else json.dumps(every, ensure_ascii=False, indent=indent)
    )
    found = read(text)
    expected = [{k: "" if v is None else str(v) for k, v in row.items()} for row in every]
    assert [r.values for r in found if isinstance(r, Row)] == expected
