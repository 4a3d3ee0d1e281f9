"""A channel's configuration and its back-off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.channel import ChannelConfig, backoff, limits, read_config
from clarion.domain.limits import Limits
from clarion.errors import Invalid


def _refused(given: dict[str, object], *, allow_private: bool = False) -> Invalid:
    with pytest.raises(Invalid) as told:
        read_config(given, allow_private=allow_private)
    return told.value


def test_what_is_not_set_has_the_documented_default() -> None:
    config = read_config({}, allow_private=False)
    assert config.model_dump(exclude={"options", "max_in_flight", "breaker"}) == {
        "base_url": None,
        "sender": "",
        "api_version": None,
        "connect_timeout": 5,
        "total_timeout": 30,
        "attempts": 5,
        "backoff_base": 2,
        "backoff_cap": 300,
        "lookup_lag": 60,
        "capacity": None,
        "collect_after": 300,
        "pair_interval": None,
        "pair_burst": None,
        "uniques": None,
        "daily": None,
        "account": None,
        "prices": None,
    }
    assert all(field.description for field in ChannelConfig.model_fields.values())


def test_a_provider_says_what_a_channel_may_carry_where_nobody_says_otherwise() -> None:
    usual = Limits(rate=80.0, pair_interval=6.0, pair_burst=45)
    plain = read_config({}, allow_private=False)
    ours = read_config({"pair_interval": 0, "pair_burst": 2, "capacity": 100}, allow_private=False)
    assert limits(plain, 20.0, usual) == replace(usual, rate=20.0)
    assert limits(ours, 20.0, usual) == Limits(rate=20.0, capacity=100, pair_interval=None, pair_burst=2)


def test_every_wrong_member_is_named() -> None:
    told = _refused(
        {"attempts": 0, "connect_timeout": -1, "speed": 3, "sender": "a/b", "api_version": "../x"}
    )
    assert {problem.where for problem in told.problems} == {
        "config.attempts",
        "config.connect_timeout",
        "config.speed",
        "config.sender",
        "config.api_version",
    }


@pytest.mark.parametrize(
    "given", [{"connect_timeout": 10, "total_timeout": 5}, {"backoff_base": 10, "backoff_cap": 5}]
)
def test_times_are_in_order(given: dict[str, object]) -> None:
    assert "shorter" in _refused(given).problems[0].what


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e9, "soon", None])
def test_seconds_are_finite(seconds: object) -> None:
    assert _refused({"total_timeout": seconds}).problems


@pytest.mark.parametrize(
    "url",
    [
        "graph.example.org",
        "ftp://graph.example.org",
        "https://",
        "https://user:word@graph.example.org",
        "https://graph.example.org?a=1",
        "https://graph.example.org#a",
        "https://graph.example.org:99999",
        "https://[::1",
        "https://a b.org",
        "https://graph.example.org\\@evil.example",
        "javascript:alert(1)",
        "https://graph.example.org/\x00",
    ],
)
def test_what_is_no_provider_address_is_refused_everywhere(url: str) -> None:
    assert _refused({"base_url": url}, allow_private=True).problems[0].where == "config.base_url"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "https://127.9.9.9:8080/v1",
        "https://10.0.0.1",
        "https://192.168.1.1",
        "https://172.16.0.1",
        "https://169.254.169.254/latest",
        "https://100.64.0.1",
        "https://0.0.0.0",
        "https://224.0.0.1",
        "https://[::1]",
        "https://[fe80::1]",
        "https://[fc00::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[ff02::1]",
        "https://2130706433",
        "https://0x7f000001",
        "https://127.1",
        "https://0177.0.0.1",
        "https://localhost",
        "https://LOCALHOST.",
        "https://api.localhost",
        "https://printer.local",
        "https://metadata.google.internal",
        "https://intranet",
        "http://graph.example.org",
    ],
)
def test_private_and_unencrypted_addresses_need_the_setting(url: str) -> None:
    told = _refused({"base_url": url})
    assert told.where == "config.base_url"
    assert "CLARION_ALLOW_PRIVATE_ADDRESSES" in told.hint
    assert read_config({"base_url": url}, allow_private=True).base_url == url


@pytest.mark.parametrize(
    "url",
    ["https://graph.facebook.com", "https://graph.example.org:8443/v1", "https://8.8.8.8", "https://b.de."],
)
def test_public_addresses_are_taken(url: str) -> None:
    assert read_config({"base_url": url + "/"}, allow_private=False).base_url == url


@given(st.integers(-3, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_anywhere_up_to_a_ceiling_that_doubles_to_the_cap(attempt: int, rng: float) -> None:
    config = ChannelConfig(backoff_base=2, backoff_cap=300)
    wait = backoff(attempt, config, rng)
    ceiling = min(300.0, 2.0 * 2 ** (min(max(attempt, 1), 20) - 1))
    assert 0 <= wait <= ceiling
    assert wait == pytest.approx(rng * ceiling)


def test_the_first_waits_are_those_of_the_table() -> None:
    config = ChannelConfig()
    assert [backoff(n, config, 0.5) for n in range(1, 10)] == [1, 2, 4, 8, 16, 32, 64, 128, 150]
