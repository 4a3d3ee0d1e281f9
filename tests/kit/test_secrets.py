"""Sealed secrets and keys to the API."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from clarion.errors import Misconfigured
from clarion.kit.secrets import SecretBox, binding, new_api_key, parse_api_key, same
from clarion.settings import Settings

SELAM = UUID("01930000-0000-7000-8000-000000000001")
NYOTA = UUID("01930000-0000-7000-8000-000000000002")
OLD, NEW = "o" * 40, "n" * 40
HERE = binding("credentials", SELAM)


@given(st.binary(max_size=500))
def test_what_was_sealed_opens(plain: bytes) -> None:
    box = SecretBox([NEW])
    assert box.open(box.seal(plain, bound_to=HERE), bound_to=HERE) == plain


def test_the_same_secret_is_never_sealed_the_same_way() -> None:
    box = SecretBox([NEW])
    assert box.seal(b"token", bound_to=HERE) != box.seal(b"token", bound_to=HERE)


@pytest.mark.parametrize("elsewhere", [binding("credentials", NYOTA), binding("replies", SELAM)])
def test_it_opens_only_where_it_belongs(elsewhere: bytes) -> None:
    box = SecretBox([NEW])
    with pytest.raises(Misconfigured):
        box.open(box.seal(b"token", bound_to=HERE), bound_to=elsewhere)


def test_every_changed_byte_is_noticed() -> None:
    box = SecretBox([NEW])
    sealed = box.seal(b"token", bound_to=HERE)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(Misconfigured):
            box.open(changed, bound_to=HERE)


@pytest.mark.parametrize("nothing", [b"", b"\x01", b"\x01abcd", b"\x01abcd" + bytes(12)])
def test_what_was_never_sealed_does_not_open(nothing: bytes) -> None:
    with pytest.raises(Misconfigured):
        SecretBox([NEW]).open(nothing, bound_to=HERE)


def test_an_older_key_still_opens_and_is_replaced() -> None:
    sealed = SecretBox([OLD]).seal(b"token", bound_to=HERE)
    both, only_new = SecretBox([NEW, OLD]), SecretBox([NEW])
    assert both.open(sealed, bound_to=HERE) == b"token"
    assert both.stale(sealed)
    rotated = both.rotate(sealed, bound_to=HERE)
    assert only_new.open(rotated, bound_to=HERE) == b"token"
    assert both.rotate(rotated, bound_to=HERE) == rotated
    with pytest.raises(Misconfigured, match="does not have"):
        only_new.open(sealed, bound_to=HERE)


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(Misconfigured) as told:
        SecretBox(["hunter2"])
    assert "hunter2" not in str(told.value)


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    sealed = SecretBox.from_settings(settings).seal(b"token", bound_to=HERE)
    file = tmp_path / "state" / "secret.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert SecretBox.from_settings(settings).open(sealed, bound_to=HERE) == b"token"
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]


def test_many_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    start, boxes = threading.Barrier(8), []

    def run() -> None:
        start.wait()
        boxes.append(SecretBox.from_settings(settings))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = boxes[0].seal(b"token", bound_to=HERE)
    assert [box.open(sealed, bound_to=HERE) for box in boxes] == [b"token"] * 8
    assert os.listdir(tmp_path) == ["secret.key"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    SecretBox.from_settings(settings)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        SecretBox.from_settings(settings)


def test_a_key_from_the_environment_needs_no_file(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, secret_key=SecretStr(NEW), previous_secret_keys=[SecretStr(OLD)])
    sealed = SecretBox([OLD]).seal(b"token", bound_to=HERE)
    assert SecretBox.from_settings(settings).open(sealed, bound_to=HERE) == b"token"
    assert os.listdir(tmp_path) == []


def test_an_api_key_is_read_back_from_what_is_shown() -> None:
    key = new_api_key(SELAM, NYOTA)
    assert parse_api_key(key.shown()) == key
    assert len(key.secret) == 43  # 256 bits


def test_an_api_key_does_not_show_its_secret_by_accident() -> None:
    key = new_api_key(SELAM, NYOTA)
    assert key.secret not in repr(key)
    assert key.secret.encode() not in key.digest()


@given(st.text(max_size=120))
def test_anything_else_is_no_key_of_ours(text: str) -> None:
    assert parse_api_key(text) is None


def test_two_keys_are_never_alike() -> None:
    assert len({new_api_key(SELAM, NYOTA).secret for _ in range(100)}) == 100


def test_same_tells_apart() -> None:
    assert same(b"a" * 32, b"a" * 32)
    assert not same(b"a" * 32, b"a" * 31 + b"b")
    assert not same(b"a", b"aa")
