"""Words about consent and their answers, over the API."""

from __future__ import annotations

import pytest

from tests.api.client import Api, Reply

PATH = "/api/v1/consent"
NOBODY = "01930000-0000-7000-8000-000000000000"


def _words(reply: Reply) -> set[tuple[str, str, str]]:
    return {(one["language"], one["meaning"], one["word"]) for one in reply.json["words"]}


async def test_the_words_of_every_language_are_shown_with_their_answers(selam: Api) -> None:
    shown = await selam.get(PATH)
    assert {("en", "stop", "stop"), ("am", "stop", "አቁም"), ("en", "yes", "yes")} <= _words(shown)
    assert shown.json["removed"] == []
    assert [(one["meaning"], one["channel_id"], one["on"]) for one in shown.json["courtesies"]] == [
        ("stop", None, True), ("start", None, True), ("help", None, True),
    ]  # fmt: skip


async def test_a_word_is_added_and_taken_out_for_this_workspace_alone(selam: Api, nyota: Api) -> None:
    added = await selam.post(
        f"{PATH}/words", {"language": "Swahili", "meaning": "stop", "word": "Acha kabisa"}
    )
    assert (added.status, ("sw", "stop", "Acha kabisa") in _words(added)) == (201, True)
    removed = await selam.send("DELETE", f"{PATH}/words", params={"language": "es", "word": "ALTO"})
    assert [one["word"] for one in removed.json["removed"]] == ["alto"]
    elsewhere = _words(await nyota.get(PATH))
    assert ("sw", "stop", "Acha kabisa") not in elsewhere
    assert ("es", "stop", "alto") in elsewhere


async def test_an_answer_is_changed_for_one_channel(selam: Api) -> None:
    made = await selam.post("/api/v1/channels", {"name": "answers", "provider": "whatsapp"})
    channel = made.json["id"]
    changed = await selam.patch(
        f"{PATH}/courtesies/stop", {"channel_id": channel, "texts": {"en": "Bye."}, "on": True}
    )
    everywhere, here = (
        next(
            one
            for one in changed.json["courtesies"]
            if (one["meaning"], one["channel_id"]) == ("stop", where)
        )
        for where in (None, channel)
    )
    assert here["texts"]["en"] == "Bye."
    assert everywhere["texts"]["en"] != "Bye."
    again = await selam.patch(f"{PATH}/courtesies/stop", {"channel_id": channel, "texts": {"en": None}})
    assert next(one for one in again.json["courtesies"] if one["channel_id"])["texts"] == everywhere["texts"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "words", {"language": "en", "meaning": "stop", "word": "!!"}, 422),
        ("POST", "words", {"language": "xx-nowhere", "meaning": "stop", "word": "no more"}, 422),
        ("POST", "words", {"language": "en", "meaning": "start", "word": "stop"}, 422),
        ("PATCH", "courtesies/stop", {"texts": {"en": "Bye {{ contact.name }}"}}, 422),
        ("PATCH", "courtesies/yes", {"on": False}, 422),
        ("PATCH", "courtesies/stop", {"channel_id": NOBODY, "on": False}, 404),
        ("DELETE", "words?language=en&word=stop", None, 422),
        ("DELETE", "words?language=en&word=arigato", None, 404),
    ],
)
async def test_what_cannot_be_is_refused(
    selam: Api, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    reply = await selam.send(method, f"{PATH}/{path}", json=body)
    assert reply.status == status, reply.json
