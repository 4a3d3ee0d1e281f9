"""CommCare's list of cases in the sandbox: what is asked for, its pages, and who may ask."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from clarion.sandbox.client import SandboxProcess, SandboxRefusal
from tests.sandbox.commcare import AMINA, BABY, Project, ids


@pytest.fixture
def project(sandbox: SandboxProcess) -> Project:
    return Project(sandbox)


def test_a_case_is_told_by_both_documents_as_commcare_documents_them(project: Project) -> None:
    project.save(AMINA, case_name="Amina Wanjiru", owner_id="worker-1", opened="2026-03-01T06:30:00.123456Z")
    link = {"case_id": AMINA, "case_type": "pregnancy", "relationship": "child"}
    shown = project.save(
        BABY, case_type="child", case_name="Baby", external_id="B-1", owner_id="clinic", user_id="worker-2",
        properties={"due": "2026-04-01"}, indices={"parent": link}, opened="2026-03-02T09:00:00.123456Z",
        modified="2026-03-02T09:00:01Z",
    )  # fmt: skip
    (_, row) = project.get().body["cases"]
    stored = row["server_last_modified"]
    assert row == shown["listed"]
    assert row == {
        "domain": "selam", "case_id": BABY, "case_type": "child", "case_name": "Baby", "external_id": "B-1",
        "owner_id": "clinic", "date_opened": "2026-03-02T09:00:00.123456Z",
        "last_modified": "2026-03-02T09:00:01.000000Z", "server_last_modified": stored, "indexed_on": stored,
        "closed": False, "date_closed": None, "properties": {"due": "2026-04-01"},
        "indices": {"parent": link},
    }  # fmt: skip
    assert shown["forwarded"] == {
        "domain": "selam", "case_id": BABY, "user_id": "worker-2", "closed": False,
        "xform_ids": shown["forwarded"]["xform_ids"], "date_closed": None,
        "date_modified": "2026-03-02T09:00:01.000000Z", "server_date_modified": stored,
        "properties": {
            "due": "2026-04-01", "external_id": "B-1", "owner_id": "clinic", "case_name": "Baby",
            "case_type": "child", "date_opened": "2026-03-02T09:00:00.123",
        },
        "indices": {"parent": link}, "attachments": {},
    }  # fmt: skip


def test_a_save_changes_what_it_names_and_the_servers_clock_goes_on(project: Project) -> None:
    first = project.save(properties={"due": "2026-04-01", "risk": "low"})
    second = project.save(properties={"risk": "high"}, modified="1999-01-01T00:00:00Z")
    assert (first["version"], second["version"]) == (1, 2)
    now = second["listed"]
    assert now["properties"] == {"due": "2026-04-01", "risk": "high"}
    assert now["server_last_modified"] > first["listed"]["server_last_modified"]
    assert now["last_modified"] == "1999-01-01T00:00:00.000000Z"
    closed = project.save(close=True)
    assert closed["listed"]["closed"] is True
    assert closed["listed"]["date_closed"] == closed["listed"]["server_last_modified"]
    assert project.save(close=False)["listed"]["date_closed"] is None


def test_a_deleted_case_is_in_no_list_and_stays_in_the_truth(project: Project) -> None:
    project.save()
    project.delete(AMINA)
    assert project.found() == []
    assert project.truth()[AMINA]["deleted"] is True


@pytest.fixture
def four(project: Project) -> Project:
    """Amina's pregnancy, her baby, a case that is closed, and one of long ago."""
    project.save(AMINA, case_name="Amina", owner_id="worker-1", external_id="A-1", opened="2026-03-01")
    link = {"case_id": AMINA, "case_type": "pregnancy"}
    project.save(BABY, case_type="child", indices={"parent": link}, opened="2026-03-02T12:00:00")
    project.save("closed", properties={"risk": "high"}, close=True, opened="2026-03-03")
    project.save("old", case_type="visit", opened="1999-01-01T00:00:00", modified="1999-01-01T00:00:00")
    return project


QUESTIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all": ({}, [AMINA, BABY, "closed", "old"]),
    "a type": ({"case_type": "pregnancy"}, [AMINA, "closed"]),
    "either of two types": ({"case_type": ["child", "visit"]}, [BABY, "old"]),
    "an owner": ({"owner_id": "worker-1"}, [AMINA]),
    "a name": ({"case_name": "Amina"}, [AMINA]),
    "an external id": ({"external_id": "A-1"}, [AMINA]),
    "closed": ({"closed": "true"}, ["closed"]),
    "open": ({"closed": "false"}, [AMINA, BABY, "old"]),
    "a property": ({"properties__risk": "high"}, ["closed"]),
    "no such property": ({"properties__risk": ""}, [AMINA, BABY, "old"]),
    "children": ({"indices__parent": AMINA}, [BABY]),
    "opened before a day": ({"date_opened__lt": "2026-03-02"}, [AMINA, "old"]),
    "opened until a day": ({"date_opened__lte": "2026-03-02"}, [AMINA, BABY, "old"]),
    "opened after a day": ({"date_opened__gt": "2026-03-02"}, ["closed"]),
    "opened since a moment": ({"date_opened__gte": "2026-03-02T12:00:00Z"}, [BABY, "closed"]),
    "modified since": ({"last_modified__gte": "2001-01-01"}, [AMINA, BABY, "closed"]),
    "never closed": ({"date_closed__gte": "2001-01-01"}, ["closed"]),
}


@pytest.mark.parametrize("label", QUESTIONS)
def test_a_question_is_answered_as_the_api_says(four: Project, label: str) -> None:
    query, told = QUESTIONS[label]
    assert four.found(**query) == told


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "limit": ({"limit": "many"}, "'many' is not a valid value for 'limit'"),
    "too many": ({"limit": 5001}, "You cannot request more than 5000 cases per request."),
    "a parameter": ({"password": "1234"}, "'password' is not a valid parameter."),
    "a range": ({"date_opened__start": "2026-03-01"}, "'start' is not a valid type of date range."),
    "a day": ({"date_opened__lt": "2026-02-30"}, "Cannot parse datetime '2026-02-30'"),
}


@pytest.mark.parametrize("label", BAD)
def test_a_question_that_is_none_is_a_400_that_says_why(project: Project, label: str) -> None:
    query, told = BAD[label]
    answered = project.get(**query)
    assert (answered.status, answered.body) == (400, {"error": told})


def test_a_list_is_read_in_pages_and_who_changes_meanwhile_comes_again_at_the_end(project: Project) -> None:
    for number in range(5):
        project.save(f"case-{number}")
    first = project.get(limit=2, case_type="pregnancy")
    project.save("case-0", properties={"risk": "high"})
    second = project.ask(first.body["next"])
    third = project.ask(second.body["next"])
    assert [ids(one) for one in (first, second, third)] == [
        ["case-0", "case-1"],
        ["case-2", "case-3"],
        ["case-4", "case-0"],
    ]
    assert [one.body["matching_records"] for one in (first, second, third)] == [5, 4, 2]
    assert "next" not in third.body


def test_cases_that_were_indexed_at_one_moment_are_told_apart_by_their_id(project: Project) -> None:
    for number in (3, 1, 2):
        project.save(f"case-{number}")
    assert project.index_anew() == 3
    first = project.get(limit=2)
    second = project.ask(first.body["next"])
    assert ids(first) + ids(second) == ["case-1", "case-2", "case-3"]
    assert len({one["indexed_on"] for one in first.body["cases"]}) == 1


def test_a_question_since_a_moment_hears_its_first_page_twice(project: Project) -> None:
    rows = [project.save(f"case-{number}")["listed"] for number in range(4)]
    first = project.get(limit=2, indexed_on__gte=rows[0]["indexed_on"])
    second = project.ask(first.body["next"])
    third = project.ask(second.body["next"])
    assert ids(first) == ["case-0", "case-1"]
    assert ids(second) == ["case-1", "case-2"]
    assert ids(third) == ["case-3"]


def test_a_save_is_found_when_it_has_been_indexed(project: Project) -> None:
    project.sandbox.configure(commcare={"index_lag": 0.4})
    shown = project.save()
    assert project.found() == []
    time.sleep(0.5)
    (row,) = project.get().body["cases"]
    assert row["indexed_on"] > row["server_last_modified"] == shown["listed"]["server_last_modified"]


def test_who_has_no_key_hears_401_and_another_project_is_404(project: Project) -> None:
    assert replace(project, key="stolen").get().status == 401
    assert replace(project, username="bekele@example.org").get().status == 401
    assert replace(project, domain="another").get().status == 404
    assert project.ask(f"{project.sandbox.url}/a/selam/api/case/v2/", "POST").status == 405


def test_a_cursor_that_is_none_breaks_it(project: Project) -> None:
    assert project.get(cursor="xyz").status == 500


def test_too_many_requests_are_told_when_to_come_again(project: Project) -> None:
    project.sandbox.configure(commcare={"requests": 2, "window": 30})
    assert [project.get().status for _ in range(2)] == [200, 200]
    refused = project.get()
    assert (refused.status, 20 < float(refused.headers["Retry-After"]) <= 30) == (429, True)


def test_what_cannot_happen_is_told(project: Project) -> None:
    with pytest.raises(SandboxRefusal, match="has a type"):
        project.save("new", case_type=None)
    with pytest.raises(SandboxRefusal, match="no moment"):
        project.save(modified="soon")
    with pytest.raises(SandboxRefusal, match="no such case"):
        project.delete("nobody")
    project.save()
    with pytest.raises(SandboxRefusal, match="nothing is forwarded"):
        project.again(AMINA)
    with pytest.raises(SandboxRefusal, match="say which case"):
        project.sandbox.call("DELETE", "commcare/cases")


def test_a_sandbox_that_is_emptied_has_no_cases(project: Project) -> None:
    project.save()
    project.sandbox.reset()
    assert (project.found(), project.truth()) == ([], {})
