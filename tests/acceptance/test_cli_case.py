"""Cases by the command line: types, a file of them, and one looked at."""

from __future__ import annotations

import pytest

from tests.acceptance.command import Terminal

FILE = "Case ID,Name,EDD,Phone,Supervisor\nP-1,Amina,2026-09-14,+254712000001,\nP-2,Rosa,soon,,E-99\n,,,,\n"


@pytest.fixture(scope="module")
def clinic(bare: Terminal) -> Terminal:
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE", "--timezone", "Africa/Nairobi")
    return bare


def test_cases_come_in_from_a_file_and_are_shown(clinic: Terminal) -> None:
    clinic.ok("case", "type", "pregnancy", "--property", "edd=date", "--property", "phone=address")
    clinic.write("cases.csv", FILE)
    done = clinic.ok(
        "case",
        "import",
        "cases.csv",
        "--type",
        "pregnancy",
        "--column",
        "Supervisor=contact:supervisor",
        "--json",
    )
    assert (done.json["created"], done.json["refused"]) == (2, 0)
    assert {one["field"] for one in done.json["problems"]} == {"EDD", "Supervisor"}
    again = clinic.ok("case", "import", "cases.csv", "--type", "pregnancy")
    assert "unchanged" in again.out

    shown = clinic.ok("case", "show", "P-1", "--json").json
    assert shown["contacts"]["phone"][0]["name"] == "Amina"
    assert "2026-09-14" in clinic.ok("case", "show", "P-1", "--history").out
    kinds = {one["name"]: one["open"] for one in clinic.ok("case", "types", "--json").json}
    assert kinds["pregnancy"] == 2
    assert "phone (tel)" in clinic.ok("case", "types").out


def test_what_is_wrong_is_told_with_what_may_be_meant(clinic: Terminal) -> None:
    kind = clinic.run("case", "type", "birth", "--property", "edd=dat")
    assert (kind.code, "did you mean date?" in kind.err) == (65, True)
    clinic.ok("case", "type", "birth")
    clinic.write("births.csv", "Case ID,Name\nB-1,Eve\n")
    missing = clinic.run("case", "import", "births.csv", "--type", "birht")
    assert (missing.code, "did you mean birth?" in missing.err) == (66, True)
    assert clinic.run("case", "show", "P-99").code == 66
