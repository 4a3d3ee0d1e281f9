"""The API's documentation page, where there is no way to the internet."""

from __future__ import annotations

import re

from tests.api.client import Api


async def test_the_documentation_page_loads_nothing_from_elsewhere(stranger: Api) -> None:
    page = (await stranger.get("/docs")).body.decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert len([one for one in named if one.endswith((".js", ".css"))]) >= 2
    assert "//" not in page, "no other host is named"
    assert '"validatorUrl": "none"' in page, "nor does the page's own program ask one"
    replies = [await stranger.get(one) for one in named]
    assert [reply.status for reply in replies] == [200] * len(named)
    assert [reply.headers["content-type"].split(";")[0] for reply in replies if len(reply.body) > 50_000] == [
        "text/css", "text/javascript",
    ]  # fmt: skip


async def test_the_documentation_page_shows_the_document_that_is_served(stranger: Api) -> None:
    page = (await stranger.get("/docs")).body.decode()
    found = re.search(r"url: '([^']+)'", page)

    assert found is not None
    assert (await stranger.get(found[1])).json["info"]["title"] == "Clarion"


async def test_a_file_of_the_documentation_that_is_not_there_is_a_problem_in_words(stranger: Api) -> None:
    reply = await stranger.get("/docs-files/nothing.js")

    assert (reply.status, reply.json["code"]) == (404, "not-found")
