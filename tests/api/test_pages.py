"""Lists in pages."""

from __future__ import annotations

import pytest

from tests.api.client import Api, Reply


async def _add(api: Api, name: str) -> Reply:
    body = {"name": name, "email": f"{name}@selam.example", "role": "viewer"}
    return await api.post("/api/v1/members", body)


async def _several(api: Api, count: int) -> list[dict[str, str]]:
    """Members in the order of their identifiers (two may be made in one millisecond)."""
    made = [(await _add(api, f"m{n}")).json for n in range(count)]
    return sorted(made, key=lambda member: str(member["id"]))


async def _walk(api: Api, path: str) -> list[list[str]]:
    pages, following = [], path
    while following:
        reply = await api.get(following)
        pages.append([item["name"] for item in reply.json["items"]])
        following = reply.json["next"]
    return pages


async def test_following_next_shows_everything_once_in_order(selam: Api) -> None:
    names = [member["name"] for member in await _several(selam, 7)]
    assert await _walk(selam, "/api/v1/members?limit=3") == [names[:3], names[3:6], names[6:]]
    assert await _walk(selam, "/api/v1/members?limit=7") == [names]


async def test_what_goes_meanwhile_moves_nothing(selam: Api) -> None:
    made = await _several(selam, 4)
    first = await selam.get("/api/v1/members?limit=2")
    await selam.send("DELETE", f"/api/v1/members/{made[0]['id']}")
    rest = await selam.get(first.json["next"])
    assert [item["name"] for item in rest.json["items"]] == [member["name"] for member in made[2:]]


async def test_an_empty_list_has_no_next(selam: Api) -> None:
    assert (await selam.get("/api/v1/members")).json == {"items": [], "next": None}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=many", "cursor=zzz", "cursor=é", "cursor=%2B%2B"]
)
async def test_an_odd_page_is_refused(selam: Api, query: str) -> None:
    reply = await selam.get(f"/api/v1/members?{query}")
    assert reply.status == 422
    assert reply.json["where"] == "query.cursor" or reply.json["problems"][0]["where"] == "query.limit"


async def test_a_cursor_of_another_workspace_shows_nothing_of_it(selam: Api, nyota: Api) -> None:
    await _several(nyota, 3)
    theirs = (await nyota.get("/api/v1/members?limit=1")).json["next"]
    assert (await selam.get(theirs)).json["items"] == []
