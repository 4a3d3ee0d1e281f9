"""Settings and the roster: clear errors, nothing silently ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarion.errors import Invalid
from clarion.sandbox.client import SandboxProcess, SandboxRefusal
from clarion.sandbox.config import load_config, merge, parse_config
from clarion.sandbox.roster import load_roster, parse_roster
from tests.sandbox.ends import AMINA, BEKELE, Caller


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"windw": "open"}, "windw"),
        ({"window": "ajar"}, "window"),
        ({"lookup": {"lag": -1}}, "lookup.lag"),
        ({"receipts": {"mode": "sometimes"}}, "receipts.mode"),
        ({"receipts": {"batch_size": 0}}, "receipts.batch_size"),
        ({"faults": {"probabilities": {"explode": 0.1}}}, "faults.probabilities"),
        ({"faults": {"probabilities": {"refuse_500": 0.6, "slow": 0.6}}}, "faults.probabilities"),
        ({"faults": {"parameters": {"slow": -3}}}, "faults.parameters"),
        ({"callback_url": "ftp://example.org"}, "callback_url"),
        ({"numbers": {"777": {"callback_url": "example.org"}}}, "numbers.777.callback_url"),
        ({"numbers": {"777": {"provider": "pigeon"}}}, "numbers.777.provider"),
        ({"roster": [{"number": "Amina", "behaviour": "slow"}]}, "roster.0.number"),
        ({"roster": [{"number": AMINA, "behaviour": "sleepy"}]}, "roster.0.behaviour"),
        ({"roster": [{"number": AMINA, "behaviour": "refuse_500", "parameter": 3}]}, "roster.0"),
        ({"templates": [{"name": "closed"}]}, "templates.0.language"),
    ],
)
def test_a_wrong_setting_is_refused_and_told_where(document: object, where: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_config(document)
    assert [problem.where for problem in refusal.value.problems] == [where]


def test_a_refused_setting_changes_nothing(sandbox: SandboxProcess) -> None:
    before = sandbox.call("GET", "config")
    with pytest.raises(SandboxRefusal) as refusal:
        sandbox.configure(window="enforced", lookup={"lag": -1})
    assert refusal.value.status == 422
    assert refusal.value.problem["problems"][0]["where"] == "lookup.lag"
    assert sandbox.call("GET", "config") == before


def test_all_settings_can_be_read_and_put_back(sandbox: SandboxProcess) -> None:
    sandbox.configure(rate=5, receipts={"late_by": 3}, numbers={"777": {"window": "open"}})
    document = sandbox.call("GET", "config")
    sandbox.reset(config=True)
    assert sandbox.call("PUT", "config", document) == document


def test_a_patch_leaves_the_rest_and_null_brings_the_default_back() -> None:
    config = parse_config({"window": "open", "receipts": {"mode": "late", "late_by": 3}})
    patched = merge(config, {"window": None, "receipts": {"late_by": 4}})
    assert (patched.window, patched.receipts.mode, patched.receipts.late_by) == ("enforced", "late", 4)
    with pytest.raises(Invalid, match="JSON object"):
        merge(config, ["window"])


def test_a_settings_file_that_is_no_json_is_told_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{window: open}")
    for path in (file, tmp_path / "absent.json"):
        with pytest.raises(Invalid) as refused:
            load_config(path)
        assert refused.value.where == str(path)


ROSTER = f"""\ufeffnumber,behaviour,parameter,times\r
# people who are hard to reach\r
+{AMINA},slow,1.5,\r
\r
{BEKELE},refuse_500,,2\r
{BEKELE},receipts_late,30\r
"""


def test_a_roster_is_read_with_its_marks_comments_and_gaps(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_bytes(ROSTER.encode())
    lines = [(line.number, line.behaviour, line.parameter, line.times) for line in load_roster(file)]
    assert lines == [
        (AMINA, "slow", 1.5, None),
        (BEKELE, "refuse_500", None, 2),
        (BEKELE, "receipts_late", 30.0, None),
    ]


def test_every_bad_line_of_a_roster_is_told_with_its_number() -> None:
    bad = ["Amina,slow,1", "251911000002,sleepy,", "251911000003,slow,soon", "251911000004,slow,1,2,3"]
    text = "\n".join(["number,behaviour,parameter", *bad])
    with pytest.raises(Invalid) as refusal:
        parse_roster(text, "people.csv")
    told = [(problem.where, problem.what.split(":")[0]) for problem in refusal.value.problems]
    assert told == [
        ("people.csv line 2", "number"),
        ("people.csv line 3", "behaviour"),
        ("people.csv line 4", "parameter"),
        ("people.csv line 5", "5 cells, but the header has 3"),
    ]


@pytest.mark.parametrize(
    "text", ["phone,behaviour\n1,slow\n", "number\n251911000001\n", "251911000001,slow\n"]
)
def test_a_roster_without_its_header_is_refused_with_the_header_that_is_meant(text: str) -> None:
    with pytest.raises(Invalid, match="number,behaviour,parameter,times"):
        parse_roster(text)


def test_a_roster_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_bytes(b"number,behaviour\n# caf\xe9\n")
    with pytest.raises(Invalid, match="not UTF-8"):
        load_roster(file)


def test_a_roster_file_is_obeyed(folder: Path) -> None:
    folder.mkdir()
    roster = folder / "roster.csv"
    roster.write_bytes(ROSTER.encode())
    with SandboxProcess.start(folder, roster=roster, window="open") as own, Caller(own.url) as caller:
        assert [caller.text(BEKELE).status for _ in range(3)] == [500, 500, 200]
