"""A CommCare project forwards its cases to us, badly too, and ours end as the project's are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from clarion.sandbox.client import SandboxProcess
from tests.api.client import Api
from tests.sandbox.commcare import AMINA, BABY, Project


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(tmp_path_factory.mktemp("commcare")) as running:
        yield running


@pytest.fixture
def project(sandbox: SandboxProcess) -> Project:
    sandbox.reset(config=True)
    return Project(sandbox)


async def until(api: Api, path: str, **wanted: object) -> dict[str, object]:
    """The case there, as soon as it is as it is wanted."""
    shown: dict[str, object] = {}
    for _ in range(100):
        reply = await api.get(path)
        shown = reply.json if reply.status == 200 else {}
        if {**shown, **shown.get("properties", {})}.items() >= wanted.items():  # type: ignore[dict-item]
            return shown
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} is {shown}, not {wanted}")


async def test_what_is_saved_there_is_a_case_here_however_often_and_in_whatever_order_it_comes(
    selam: Api, project: Project
) -> None:
    forward = {
        "url": f"{selam.base}/api/v1/commcare/cases", "headers": {"Authorization": f"Bearer {selam.key}"},
        "duplicates": 1, "reorder": 3,
    }  # fmt: skip
    project.sandbox.configure(commcare={"forward": forward})
    for visit in range(1, 6):
        project.save(AMINA, properties={"visit": str(visit), "edd": "2026-09-14"})
    project.save(BABY, case_type="baby", properties={"weight": "3.1"})
    project.sandbox.call("POST", "commcare/forward", {})
    shown = await until(selam, f"/api/v1/cases/{AMINA}", visit="5")
    await until(selam, f"/api/v1/cases/{BABY}", weight="3.1", type="baby")
    assert shown["type"] == "pregnancy"


async def test_what_is_no_case_is_refused_with_what_to_do(selam: Api) -> None:
    reply = await selam.post("/api/v1/commcare/cases", {"form": {}})
    assert reply.status == 422
    assert reply.json["detail"]
