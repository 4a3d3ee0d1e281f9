"""Starts of flows by the API: what is written, previewed and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarion.sandbox.twins.rapidpro import WELCOME
from tests.api.client import Api
from tests.api.people import given
from tests.api.test_push import PATH, announcement, channel
from tests.store.people import AMINA

RAPIDPRO = {"config": {"base_url": "https://rapidpro.example.org"}, "credentials": {"token": "t0ken"}}
START = {"kind": "flow_start", "flow": WELCOME, "params": {"first_name": "{{ contact.name }}"}}


async def test_a_flow_start_is_kept_as_written_and_previewed(selam: Api) -> None:
    (amina,) = await given(selam, {"name": "Amina", "addresses": [f"tel:{AMINA}"]})
    rapid = await channel(selam, "rapidpro", **RAPIDPRO)
    made = await selam.post(PATH, announcement(rapid, START))
    assert made.status == 201, made.json
    (variant,) = made.json["content"]["variants"]
    assert variant["content"] == START
    told = (await selam.get(f"{PATH}/{made.json['id']}/preview")).json
    (example,) = told["examples"]
    assert {key: example[key] for key in ("contact_id", "kind", "flow", "text", "segments")} == {
        "contact_id": amina, "kind": "flow_start", "flow": WELCOME, "text": "first_name: Amina",
        "segments": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "content", "what"),
    [
        ("twilio", START, "a channel of twilio does not carry content of the kind 'flow_start'"),
        ("rapidpro", {**START, "flow": "Welcom"}, "the channel 'rapidpro' knows no flow 'Welcom'"),
        ("rapidpro", {"kind": "push", "title": "a", "body": "b"}, "it carries text and flow_start"),
        ("rapidpro", {**START, "params": {"clarion": "x"}}, "'clarion' is a name that we use ourselves"),
        ("rapidpro", {**START, "params": {"a": "{{ contact.nam }}"}}, "content.params.a, line 1 column 4"),
        ("rapidpro", {**START, "params": {"a": "x" * 641}}, "641 characters; at most 640"),
        ("rapidpro", {"kind": "text", "text": "x" * 4097}, "4,097 characters; at most 4,096"),
    ],
)
async def test_what_could_not_be_started_is_refused_when_it_is_written(
    selam: Api, provider: str, content: dict[str, Any], what: str
) -> None:
    more = RAPIDPRO if provider == "rapidpro" else {}
    refused = await selam.post(PATH, announcement(await channel(selam, provider, **more), content))
    assert refused.status == 422
    assert what in json.dumps(refused.json, ensure_ascii=False)


async def test_wrong_options_of_a_channel_are_refused_with_their_place(selam: Api) -> None:
    config = {**RAPIDPRO["config"], "options": {"flows": {"Welcome": "no"}, "poll_every": 1}}
    refused = await selam.post(
        "/api/v1/channels", {"name": "r", "provider": "rapidpro", **RAPIDPRO, "config": config}
    )
    assert refused.status == 422
    places = json.dumps(refused.json)
    assert "config.options.flows" in places
    assert "config.options.poll_every" in places


async def test_a_flow_by_name_goes_over_a_channel_that_names_it_and_no_other(selam: Api) -> None:
    config = {**RAPIDPRO["config"], "options": {"flows": {"Welcome": WELCOME}}}
    named = await selam.post(
        "/api/v1/channels", {"name": "named", "provider": "rapidpro", **RAPIDPRO, "config": config}
    )
    unnamed = await channel(selam, "rapidpro", **RAPIDPRO)
    start = {"kind": "flow_start", "flow": "Welcome"}
    taken = await selam.post(PATH, announcement(named.json["id"], start))
    refused = await selam.post(
        PATH, {**announcement(named.json["id"], start), "fallback": [{"channel_id": unnamed}]}
    )
    assert (taken.status, refused.status) == (201, 422)
    assert "the channel 'rapidpro' knows no flow 'Welcome'" in json.dumps(refused.json)
    assert "content.variants[0].content.flow" in json.dumps(refused.json)
