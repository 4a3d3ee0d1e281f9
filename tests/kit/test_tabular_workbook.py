"""XLSX files: real workbooks, and archives made to harm."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest

from clarion.errors import Invalid, TooLarge
from clarion.kit.tabular import Limits, Row, RowProblem, open_table


def workbook(*rows: Sequence[object], others: Sequence[str] = (), hidden_first: bool = False) -> io.BytesIO:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    if hidden_first:
        sheet.sheet_state = "hidden"
        sheet.append(["secret"])
        sheet = book.create_sheet("Staff")
    sheet.title = "Staff"
    for row in rows:
        sheet.append(list(row))
    for name in others:
        book.create_sheet(name).append(["x", name])
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file


def read(
    file: io.BytesIO, *, limits: Limits | None = None, sheet: str | None = None
) -> list[Row | RowProblem]:
    with open_table(file, limits=limits, sheet=sheet) as table:
        return list(table)


def with_part(file: io.BytesIO, name: str, content: bytes) -> io.BytesIO:
    """The same archive with one part replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
        if name not in old.namelist():
            new.writestr(name, content)
    out.seek(0)
    return out


SHEET = "xl/worksheets/sheet1.xml"


def sheet_xml(rows: str, dimension: str = "A1:B2") -> bytes:
    return (
        '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<dimension ref="{dimension}"/><sheetData>{rows}</sheetData></worksheet>'
    ).encode()


def test_every_kind_of_cell_becomes_the_text_that_was_typed() -> None:
    values = ["አበበ", 712123456, 254712123456.0, 0.5, True, None, date(2026, 3, 1), time(9, 30)]
    moments = [datetime(2026, 3, 1, 9, 30), timedelta(hours=30)]  # noqa: DTZ001
    names = [f"c{n}" for n in range(10)]
    (found,) = read(workbook(names, values + moments))
    assert isinstance(found, Row)
    assert list(found.values.values()) == [
        "አበበ", "712123456", "254712123456", "0.5", "true", "",
        "2026-03-01", "09:30:00", "2026-03-01T09:30:00", "1 day, 6:00:00",
    ]  # fmt: skip


def test_rows_keep_the_numbers_that_they_have_in_the_sheet() -> None:
    found = read(workbook((), ("name", "phone"), ("Amina", "1"), (), ("Baraka", "2", "extra")))
    assert found == [
        Row(3, {"name": "Amina", "phone": "1"}),
        RowProblem(5, "3 cells, but the heading names 2 columns"),
    ]


def test_the_first_visible_sheet_is_read_and_the_others_are_mentioned() -> None:
    file = workbook(("name",), ("Amina",), others=("Notes",), hidden_first=True)
    with open_table(file) as table:
        assert table.kind == "xlsx"
        assert table.notes == ("only the sheet 'Staff' is read, of 3",)
        assert list(table) == [Row(2, {"name": "Amina"})]


def test_a_sheet_can_be_chosen_by_name() -> None:
    file = workbook(("name",), ("Amina",), others=("Notes",))
    with pytest.raises(Invalid, match="no rows"):
        read(file, sheet="Notes")
    with pytest.raises(Invalid, match="no such sheet"):
        read(file, sheet="Nobody")


def test_progress_ends_at_the_files_size() -> None:
    file = workbook(("name",), *((f"P{n}",) for n in range(500)))
    with open_table(file) as table:
        seen = [table.bytes_read for _ in table]
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1] <= table.bytes_total == table.bytes_read


def test_an_empty_sheet_and_a_bare_heading_are_refused() -> None:
    with pytest.raises(Invalid, match="sheet is empty"):
        read(workbook())
    with pytest.raises(Invalid, match="no rows"):
        read(workbook(("name", "phone")))


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 and then nothing",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an old workbook",
    ],
)
def test_what_is_no_workbook_is_refused_with_advice(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        open_table(io.BytesIO(data))
    assert ".xlsx" in caught.value.hint


def test_another_archive_is_no_workbook() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    file.seek(0)
    with pytest.raises(Invalid, match="not an Excel workbook"):
        open_table(file)


def test_a_zip_bomb_is_refused_by_its_directory_alone() -> None:
    bomb = with_part(workbook(("name",), ("Amina",)), SHEET, b" " * 300_000_000)
    with pytest.raises(TooLarge, match="times its size"):
        open_table(bomb)


def test_a_workbook_that_unpacks_to_too_much_is_refused() -> None:
    file = workbook(("name",), *((f"Person number {n}",) for n in range(2000)))
    with pytest.raises(TooLarge, match="unpacks to"):
        open_table(file, limits=Limits(unzipped_bytes=50_000))


def test_a_part_larger_than_its_declared_size_is_not_read_beyond_it() -> None:
    good = with_part(workbook(("name",), ("Amina",)), SHEET, sheet_xml("<row r='1'/>" * 5000))
    raw = bytearray(good.getvalue())
    with zipfile.ZipFile(good) as archive:
        size = archive.getinfo(SHEET).file_size
    lie = (100).to_bytes(4, "little")
    true = size.to_bytes(4, "little")
    assert raw.count(true) >= 1
    with pytest.raises(Invalid, match="not an Excel workbook"):
        read(io.BytesIO(bytes(raw.replace(true, lie))))


def test_entities_are_not_expanded() -> None:
    laughs = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="str"><v>&b;</v></c></row></sheetData></worksheet>'
    )
    with pytest.raises(Invalid, match="not an Excel workbook"):
        read(with_part(workbook(("name",), ("Amina",)), SHEET, laughs))


def test_a_false_dimension_costs_nothing() -> None:
    cells = ("<c r='A1' t='str'><v>name</v></c>", "<c r='A2' t='str'><v>Amina</v></c>")
    rows = "".join(f"<row r='{n}'>{cell}</row>" for n, cell in enumerate(cells, 1))
    file = with_part(workbook(("x",)), SHEET, sheet_xml(rows, "A1:XFD1048576"))
    assert read(file) == [Row(2, {"name": "Amina"})]


def test_a_row_numbered_beyond_all_sheets_ends_the_reading() -> None:
    rows = (
        "<row r='1'><c r='A1' t='str'><v>name</v></c></row><row r='99999999999'><c t='str'><v>A</v></c></row>"
    )
    file = with_part(workbook(("x",)), SHEET, sheet_xml(rows))
    with pytest.raises(TooLarge, match="more than 1,000 rows"):
        read(file, limits=Limits(rows=1000))


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(TooLarge, match="columns"):
        read(workbook([f"c{n}" for n in range(600)], ["x"]))
