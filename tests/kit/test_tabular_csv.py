"""CSV files as people send them: nothing of them is silently dropped."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import Invalid, NotFound, TooLarge
from clarion.kit.tabular import Limits, Row, RowProblem, open_table
from clarion.kit.tabular.delimited import separator_of


def read(
    data: bytes | str, *, limits: Limits | None = None, encoding: str | None = None
) -> list[Row | RowProblem]:
    raw = data if isinstance(data, bytes) else data.encode()
    with open_table(io.BytesIO(raw), "csv", limits=limits, encoding=encoding) as table:
        return list(table)


def test_a_sheet_of_what_is_no_workbook_is_refused() -> None:
    for data, kind in ((b"name\nAmina\n", "CSV"), (b'[{"name": "Amina"}]', "JSON")):
        with pytest.raises(Invalid, match=f"this is {kind}"):
            open_table(io.BytesIO(data), sheet="Staff")


def row(line: int, **values: str) -> Row:
    return Row(line, values)


AMINA = row(2, name="Amina", phone="0712123456")


@pytest.mark.parametrize(
    "text",
    [
        "name,phone\nAmina,0712123456\n",
        "name,phone\r\nAmina,0712123456",
        "name,phone\rAmina,0712123456\r",
        "\ufeffname,phone\r\nAmina,0712123456\r\n",
        "name;phone\nAmina;0712123456\n",
        "name\tphone\nAmina\t0712123456\n",
        "name|phone\nAmina|0712123456\n",
        '"name","phone"\n"Amina","0712123456"\n',
        "name,phone,,\nAmina,0712123456,,\n",
        " name , phone \nAmina,0712123456\n",
    ],
)
def test_every_habit_of_csv_gives_the_same_row(text: str) -> None:
    assert read(text) == [AMINA]


def test_excels_own_separator_line_is_obeyed() -> None:
    assert read("sep=;\r\nname;phone\r\nAmina;0712123456\r\n") == [Row(3, AMINA.values)]


def test_utf_16_with_its_mark_is_read() -> None:
    assert read("name\tphone\nAmina\t0712123456\n".encode("utf-16")) == [AMINA]


def test_a_row_is_numbered_by_the_line_on_which_it_begins() -> None:
    text = 'name,note\nAmina,"two\r\nlines"\n\n,\nBaraka,one\n'
    assert read(text) == [row(2, name="Amina", note="two\r\nlines"), row(6, name="Baraka", note="one")]


def test_a_short_row_has_blanks_and_a_long_row_is_a_problem_of_its_own() -> None:
    found = read("name,phone,group\nAmina\nBaraka,1,2,3\nChidi,1,2,,\n")
    assert found == [
        row(2, name="Amina", phone="", group=""),
        RowProblem(3, "4 cells, but the heading names 3 columns"),
        row(4, name="Chidi", phone="1", group="2"),
    ]


def test_a_value_without_a_heading_is_a_problem_of_its_row() -> None:
    found = read("name,,phone\nAmina,,1\nBaraka,x,2\n")
    assert found == [
        row(2, name="Amina", phone="1"),
        RowProblem(3, "a value in a column that has no name in the heading"),
    ]


def test_a_nul_spoils_only_its_row() -> None:
    assert read(b"name,phone\nAm\0ina,1\nBaraka,2\n") == [
        RowProblem(2, "holds a NUL character"),
        row(3, name="Baraka", phone="2"),
    ]


@pytest.mark.parametrize("broken", ['"Baraka,2', 'x,"never closed', '"O"Brien,2'])
def test_a_stray_quotation_mark_spoils_only_its_line(broken: str) -> None:
    found = read(f'name,phone\nAmina,1\n{broken}\n"Chidi",3\nDalia,4\n')
    assert [type(r) for r in found] == [Row, RowProblem, Row, Row]
    assert [r.line for r in found] == [2, 3, 4, 5]
    assert found[2:] == [row(4, name="Chidi", phone="3"), row(5, name="Dalia", phone="4")]


def test_a_quotation_mark_open_to_the_end_of_the_file_loses_no_later_row() -> None:
    people = "".join(f"P{n},{n}\n" for n in range(50))
    found = read(f'name,phone\n"Amina,1\n{people}')
    assert isinstance(found[0], RowProblem)
    assert found[0].line == 2
    assert [r.values["name"] for r in found[1:] if isinstance(r, Row)] == [f"P{n}" for n in range(50)]


def test_a_row_over_the_limit_is_a_problem_and_the_next_is_read() -> None:
    found = read(f"name,phone\n{'x' * 5000},1\nBaraka,2\n", limits=Limits(row_chars=1000))
    assert isinstance(found[0], RowProblem)
    assert "too long" in found[0].reason
    assert found[1:] == [row(3, name="Baraka", phone="2")]


def test_a_file_full_of_open_quotes_is_given_up_rather_than_read_for_ever() -> None:
    # a line that leaves a quote open whether it is read from its start or inside a quoted cell
    with pytest.raises(Invalid, match="never closed"):
        read("name,a,b\n" + 'x",",\n' * 2000, limits=Limits(row_chars=4000))


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", Invalid, "empty"),
        (b"\xef\xbb\xbf", Invalid, "empty"),
        (b"\n\n ,\n", Invalid, "empty"),
        (b"name,phone\n", Invalid, "no rows"),
        (b"name,phone\n\n,,\n", Invalid, "no rows"),
        (b"name,phone,Name \nA,1,B\n", Invalid, "columns 1 and 3 are both named"),
        (b"a\0b,c\nA,1\n", Invalid, "NUL"),
        (",".join(f"c{n}" for n in range(10_000)).encode() + b"\n1\n", TooLarge, "10,000 columns"),
        (b'"name,phone\nAmina,1\n', Invalid, "heading cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_in_clear_words(data: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read(data)


def test_text_that_is_not_utf_8_is_told_by_line_and_byte_before_the_first_row() -> None:
    data = "name,phone\nAmina,1\nAmélie,2\n".encode("cp1252")
    with pytest.raises(Invalid) as caught:
        open_table(io.BytesIO(data), "csv")
    assert caught.value.where == "line 3, byte 21"
    assert data[21:22] == b"\xe9"
    assert "windows-1252" in caught.value.hint
    assert read(data, encoding="windows-1252")[1] == row(3, name="Amélie", phone="2")


def test_a_wrong_byte_far_down_and_one_at_the_very_end_are_found_where_they_are() -> None:
    start = b"name,phone\n" + "Añina,1\n".encode() * 300_000
    for tail in (b"\xff,2\n", b"Baraka\xc3"):
        with pytest.raises(Invalid) as caught:
            open_table(io.BytesIO(start + tail), "csv")
        at = len(start) + tail.index(b"\xff" if b"\xff" in tail else b"\xc3")
        assert caught.value.where == f"line 300002, byte {at:,}"


def test_utf_16_without_its_mark_is_guessed() -> None:
    with pytest.raises(Invalid) as caught:
        read("name,phone\nAmélie,1\n".encode("utf-16-le"))
    assert "utf-16-le" in caught.value.hint


@pytest.mark.parametrize("encoding", ["klingon", "zlib", "hex"])
def test_an_encoding_that_does_not_exist_is_refused(encoding: str) -> None:
    with pytest.raises(Invalid, match="no such encoding"):
        read("name\nAmina\n", encoding=encoding)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(1_000_000_000)  # sparse: it takes no room
    with pytest.raises(TooLarge, match="1,000 MB"):
        open_table(path)


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(TooLarge, match="more than 10 rows"):
        read("name\n" + "Amina\n" * 20, limits=Limits(rows=10))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_table(tmp_path / "nobody.csv")
    with pytest.raises(Invalid, match="cannot be read"):
        open_table(tmp_path)


def test_progress_runs_from_nothing_to_the_files_size(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("name,phone\n" + "Amina,0712123456\n" * 20_000)
    with open_table(str(path)) as table:
        assert (table.kind, table.columns, table.notes) == ("csv", ("name", "phone"), ())
        seen = [table.bytes_read for _ in table]
    assert seen == sorted(seen)
    assert seen[0] < table.bytes_total == seen[-1] == path.stat().st_size


def test_a_given_file_stays_open() -> None:
    mine = io.BytesIO(b"name\nAmina\n")
    with open_table(mine, "csv") as table:
        list(table)
    assert not mine.closed


def test_memory_stays_flat_however_long_the_file(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    with path.open("w") as file:
        file.write("name,phone\n")
        for n in range(100_000):
            file.write(f"Person {n},+254712{n:06}\n")
    tracemalloc.start()
    try:
        with open_table(path) as table:
            count = sum(1 for _ in table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 100_000
    assert peak < path.stat().st_size  # 2.6 MB of file; all rows kept would be ten times that


cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_the_csv_module_writes_is_read_back(
    people: list[list[str]], separator: str, end: str, marked: bool
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["name", "phone", "group"])
    writer.writerows([["start", "1", "x"], *people])
    found = read(("\ufeff" if marked else "") + file.getvalue())
    expected = [dict(zip(("name", "phone", "group"), person, strict=True)) for person in people]
    kept = [values for values in expected if any(v.strip() for v in values.values())]
    assert [r.values for r in found if isinstance(r, Row)][1:] == kept
    assert all(isinstance(r, Row) for r in found)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text('ab",;\n\r\t ', max_size=60).map(str.encode))
def test_any_bytes_give_rows_or_problems_in_order_or_a_clear_error(data: bytes) -> None:
    try:
        found = read(b"name,phone\n" + data)
    except Invalid:
        return
    lines = [r.line for r in found]
    assert lines == sorted(set(lines))
    assert lines[0] >= 2


def test_the_separator_is_what_the_rows_agree_on() -> None:
    assert separator_of("name;note\nAmina;a, b, c\nBaraka;d\n") == ";"
    assert separator_of("name\nAmina\n") == ","
    assert separator_of("") == ","
