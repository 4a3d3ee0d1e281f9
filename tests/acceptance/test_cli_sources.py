"""Where cases come from by the command line: CommCare's are pulled, other systems' mappings are tried, and
groups own cases."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.acceptance.command import Terminal
from tests.sandbox.commcare import AMINA, DOMAIN, KEY, USERNAME, Project

MAPPING = {"type": {"value": "visit"}, "external_id": "id", "properties": {"phone": "patient.phone"}}


@pytest.fixture(scope="module")
def project(bare: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project of CommCare's with twelve cases, which a workspace knows."""
    bare.ok("workspace", "create", "Selam Clinic", "--country", "KE", "--timezone", "Africa/Nairobi")
    with SandboxProcess.start(tmp_path_factory.mktemp("commcare")) as sandbox:
        there = Project(sandbox)
        for number in range(12):
            there.save(f"case-{number}", case_name=f"Person {number}")
        bare.ok(
            "commcare", "connect", "selam", "--url", sandbox.url, "--project", DOMAIN, "--user", USERNAME,
            "--key", KEY, "--page", "4",
        )  # fmt: skip
        yield there


def test_killed_in_the_middle_it_goes_on_and_again_it_changes_nothing(
    bare: Terminal, project: Project
) -> None:
    project.sandbox.configure(commcare={"requests": 1, "window": 60})
    process = bare.start("commcare", "pull")
    for _ in range(600):
        (row,) = bare.ok("commcare", "list", "--json").json
        if row["counts"]:
            break
        time.sleep(0.1)
    process.kill()
    process.communicate()
    project.sandbox.configure(commcare={"requests": 1000, "window": 60})
    ended = bare.ok("commcare", "pull", "selam", "--report", "refused.csv", "--json").json
    assert (ended["state"], ended["counts"]["created"]) == ("done", 12)
    project.save(AMINA, case_name="Amina")
    again = bare.ok("commcare", "pull").out
    assert ["created", "1"] in [line.split() for line in again.splitlines()]
    assert bare.ok("case", "show", AMINA, "--json").json["name"] == "Amina"
    told = bare.ok("commcare", "list")
    assert KEY not in told.out + told.err


def test_a_project_that_is_not_known_is_told_with_those_there_are(bare: Terminal, project: Project) -> None:
    told = bare.run("commcare", "pull", "selma")
    assert (told.code, "There are: selam." in told.err) == (65, True)


def test_a_mapping_is_tried_before_anything_is_posted(bare: Terminal, project: Project) -> None:
    bare.write("mapping.json", json.dumps(MAPPING))
    bare.write("sample.json", json.dumps({"id": "V-1", "patient": {"phone": "0712000001"}}))
    (record,) = bare.ok("source", "try", "--mapping", "mapping.json", "--body", "sample.json", "--json").json
    assert record["taken"]
    assert record["document"]["properties"] == {"phone": "0712000001"}
    made = bare.ok("source", "create", "hmis", "--mapping", "mapping.json", "--json").json
    assert made["address"].endswith("/hmis")
    assert "record 1: a case" in bare.ok("source", "try", "hmis", "--body", "sample.json").out
    assert made["secret"] not in bare.ok("source", "list", "--json").out
    assert bare.ok("source", "rotate", "hmis", "--json").json["secret"] != made["secret"]
    bare.write("wrong.json", json.dumps({**MAPPING, "name": "a..b"}))
    wrong = bare.run("source", "set", "hmis", "--mapping", "wrong.json")
    assert (wrong.code, "settings.mapping.name" in wrong.err) == (65, True)
    bare.ok("source", "remove", "hmis")
    assert bare.run("source", "try", "hmis", "--body", "sample.json").code == 66


def test_groups_are_made_with_the_external_ids_by_which_they_own_cases(
    bare: Terminal, project: Project
) -> None:
    bare.ok("group", "create", "Kisumu", "--external-id", "L-1")
    bare.ok("group", "create", "East", "--external-id", "L-2", "--parent", "L-1")
    told = bare.ok("group", "set", "east", "--external-id", "L-3", "--json").json
    assert (told["name"], told["external_id"]) == ("East", "L-3")
    (kisumu, east) = bare.ok("group", "list", "--json").json
    assert east["parent_id"] == kisumu["id"]
    assert bare.run("group", "create", "West", "--external-id", "L-3").code == 75
    assert (
        bare.ok("group", "set", "East", "--external-id", "", "--parent", "", "--json").json["parent_id"]
        is None
    )
