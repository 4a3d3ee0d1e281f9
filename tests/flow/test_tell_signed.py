"""What we sign, the verifier that receivers use takes; and it refuses what must be refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from clarion.flow import subscribe
from clarion.flow.services import Services
from clarion.kit.clock import Clock, FakeClock
from tests.flow.telling import Told, a_test, subscribed, subscriber, tell


@pytest.fixture
def services(services: Services) -> Services:
    """At the present moment, which the verifier compares with its own."""
    return replace(services, clock=FakeClock(Clock().now()))


async def one_told(services: Services, workspace: UUID) -> tuple[Told, str]:
    """A request as a receiver gets it, and the secret that was shown."""
    async with subscriber() as portal:
        portal_id, secret = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        (told,) = portal.told
    return told, secret


async def test_what_we_tell_is_verified_by_the_secret_that_was_shown(
    services: Services, workspace: UUID
) -> None:
    told, secret = await one_told(services, workspace)
    verified = Webhook(secret).verify(told.body, told.headers)
    assert (verified["type"], verified) == ("subscription.test", json.loads(told.body))
    assert told.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "01930000-0000-7000-8000-000000000000"),
        ("webhook-timestamp", "later"),
        ("webhook-signature", "v1,"),
    ],
)
async def test_a_header_that_was_changed_is_refused(
    services: Services, workspace: UUID, name: str, value: str
) -> None:
    told, secret = await one_told(services, workspace)
    if value == "later":
        value = str(int(told.headers[name]) + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(told.body, {**told.headers, name: value})


async def test_a_body_that_was_changed_is_refused(services: Services, workspace: UUID) -> None:
    told, secret = await one_told(services, workspace)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(told.body.replace(b"portal", b"portaL"), told.headers)


async def test_another_subscriptions_secret_does_not_verify_it(services: Services, workspace: UUID) -> None:
    told, _ = await one_told(services, workspace)
    _, other = await subscribed(services, workspace, "http://127.0.0.1:9/", name="another")
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(told.body, told.headers)


async def test_a_request_that_is_played_again_later_is_refused(services: Services, workspace: UUID) -> None:
    assert isinstance(services.clock, FakeClock)
    services.clock.advance(-600)
    told, secret = await one_told(services, workspace)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(told.body, told.headers)


async def test_every_try_is_signed_anew_under_the_same_identifier(
    services: Services, workspace: UUID
) -> None:
    assert isinstance(services.clock, FakeClock)
    async with subscriber() as portal:
        portal.answers = [500]
        portal_id, secret = await subscribed(services, workspace, portal.url)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        services.clock.advance(6)
        await tell(services, workspace)
        first, second = portal.told
    assert first.id == second.id
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 6
    assert Webhook(secret).verify(second.body, second.headers) == first.event


async def test_while_a_secret_is_rotated_the_old_and_the_new_one_verify_and_then_the_new_one_alone(
    services: Services, workspace: UUID
) -> None:
    assert isinstance(services.clock, FakeClock)
    async with subscriber() as portal:
        portal_id, old = await subscribed(services, workspace, portal.url)
        async with services.db.tenant(workspace) as connection:
            new = await subscribe.rotate(connection, services, workspace, portal_id, timedelta(seconds=100))
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        services.clock.advance(100)
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        during, after = portal.told
    assert new != old
    for secret in (old, new):
        assert Webhook(secret).verify(during.body, during.headers)
    assert Webhook(new).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(after.body, after.headers)


async def test_a_secret_that_leaked_can_be_ended_at_once(services: Services, workspace: UUID) -> None:
    async with subscriber() as portal:
        portal_id, leaked = await subscribed(services, workspace, portal.url)
        async with services.db.tenant(workspace) as connection:
            new = await subscribe.rotate(connection, services, workspace, portal_id, timedelta(0))
        await a_test(services, workspace, portal_id)
        await tell(services, workspace)
        (told,) = portal.told
    assert Webhook(new).verify(told.body, told.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(leaked).verify(told.body, told.headers)
