"""Logs hold no number, no text and no secret, whoever writes the line."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clarion
from clarion.errors import Conflict
from clarion.kit.log import correlated, logger
from clarion.kit.redact import message, scrub, shown
from tests.kit.logged import captured

PHONE = "+254712345678"
TEXT = "Dear Amina, your shift moved to Friday"
SECRET = "hunter2-EAAG9xyz"
CANARIES = ("254712345678", "712345678", "0712 345 678", "712-345", "Amina", "shift", "hunter2", "EAAG9")
REQUEST = UUID("0193b1f0-1111-7111-8111-111111111111")

log = logger("clarion.tests")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What is logged, as JSON lines."""
    with captured() as stream:
        yield stream


def _lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def _clean(out: io.StringIO) -> None:
    assert out.getvalue(), "nothing was logged, so nothing was checked"
    for canary in CANARIES:
        assert canary not in out.getvalue()


def test_our_own_lines_withhold_what_is_not_known_to_be_safe(out: io.StringIO) -> None:
    log.info(f"to {PHONE}", to=PHONE, text=TEXT, token=SECRET, number=254712345678)
    log.info("nested", who={"name": TEXT, PHONE: 1}, parts=[PHONE, TEXT], error=TEXT, thing=object())
    log.bind(text=TEXT, state=f"to {PHONE}").warning("bound")
    _clean(out)
    first = _lines(out)[0]
    assert first["event"] == "to [number]"
    assert {first[name] for name in ("to", "text", "token", "number")} == {"[withheld]"}


def test_a_word_of_ours_under_a_known_key_is_shown(out: io.StringIO) -> None:
    log.info("a channel paused", state="paused", channel_id=REQUEST, verdicts=12, seconds=0.25, bytes=10**9)
    line = _lines(out)[0]
    said = {name: line[name] for name in ("event", "level", "state", "channel_id", "verdicts", "seconds")}
    assert said == {
        "event": "a channel paused",
        "level": "info",
        "state": "paused",
        "channel_id": str(REQUEST),
        "verdicts": 12,
        "seconds": 0.25,
    }
    assert line["bytes"] == 10**9
    assert line["timestamp"].endswith("Z")


async def test_identifiers_go_with_every_line_over_await_and_end_with_their_block(out: io.StringIO) -> None:
    async def deep() -> None:
        await asyncio.sleep(0)
        log.info("inside")
        logging.getLogger("procrastinate").info("theirs")

    with correlated(request_id=REQUEST, job_id=7):
        await asyncio.create_task(deep())
    log.info("outside")
    inside, theirs, outside = [line for line in _lines(out) if line["logger"] != "asyncio"]
    assert inside["request_id"] == theirs["request_id"] == str(REQUEST)
    assert inside["job_id"] == 7
    assert "request_id" not in outside


@pytest.mark.parametrize(
    "name",
    ["uvicorn", "uvicorn.error", "procrastinate.worker", "aiohttp.client", "psycopg.pool", "asyncio", "x"],
)
def test_lines_of_other_libraries_are_scrubbed(out: io.StringIO, name: str) -> None:
    theirs = logging.getLogger(name)
    theirs.error("cannot reach %s with %r: %s", PHONE, {"body": TEXT}, TEXT)
    theirs.error(f"failed for {PHONE}, password={SECRET}\n{TEXT}")
    theirs.error("%(who)s said %(what)s", {"who": PHONE, "what": TEXT})
    theirs.error(f"GET https://user:{SECRET}@host/path?to={PHONE}&text=Amina HTTP/1.1")
    theirs.error("Authorization: Bearer %s", SECRET, exc_info=ValueError(TEXT))
    theirs.error(ValueError(PHONE))
    _clean(out)
    assert all(line["logger"] == name for line in _lines(out))


def test_short_words_and_numbers_of_other_libraries_are_kept(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Uvicorn running on %s://%s:%d", "http", "127.0.0.1", 8600)
    logging.getLogger("procrastinate").info(f"Starting job import_file[12](import_id={str(REQUEST)!r})")
    first, second = _lines(out)
    assert first["event"] == "Uvicorn running on http://127.0.0.1:8600"
    assert second["event"] == f"Starting job import_file[12](import_id={REQUEST})"


def test_request_lines_of_the_server_are_silent(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").error('%s - "GET /x?to=%s"', "127.0.0.1", PHONE)
    assert out.getvalue() == ""


def test_an_exception_is_told_by_type_and_place(out: io.StringIO) -> None:
    def send() -> None:
        try:
            raise ValueError(f"{TEXT} to {PHONE}")
        except ValueError as error:
            raise Conflict(f"cannot send {TEXT}", where=PHONE) from error

    try:
        send()
    except Conflict:
        log.exception("a call failed")
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: %r", TEXT)
    ours, theirs = _lines(out)
    for line in (ours, theirs):
        assert line["error"] == "Conflict"
        assert line["errors"] == ["Conflict:conflict", "ValueError"]
        assert line["frames"][-1].endswith(" send")
    _clean(out)


async def test_a_task_that_nobody_awaited_tells_nothing_of_its_data(out: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": f"lost\n{TEXT}", "exception": ValueError(PHONE), "text": TEXT})
    _clean(out)


def test_a_crash_and_a_warning_go_the_same_way(out: io.StringIO) -> None:
    try:
        raise RuntimeError(TEXT)
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    logging.getLogger("py.warnings").warning("%s", f"x.py:3: UserWarning: slow for {PHONE}\n  say({TEXT!r})")
    _clean(out)
    assert _lines(out)[0]["event"] == "crashed"


def test_a_terminal_gets_the_same_line_without_the_canaries() -> None:
    with captured("console") as stream:
        log.info("a channel paused", state="paused", text=TEXT, error=f"to {PHONE}")
    assert "a channel paused" in stream.getvalue()
    _clean(stream)


@pytest.mark.parametrize(
    "phone",
    [
        "+254712345678",
        "254712345678",
        "0712 345 678",
        "0712-345-678",
        "(0712) 345.678",
        "+1 (202) 555-0143",
        "٠٧١٢٣٤٥٦٧٨",
        "०७१२३४५६७८",
        "0712\u00a0345\u2011678",
        "tel:+254712345678;x",
        "x254712345678x",
    ],
)
def test_a_telephone_number_is_found_however_it_is_written(phone: str) -> None:
    cleaned = scrub(f"to {phone} now")
    assert "[number]" in cleaned
    assert sum(character.isdigit() for character in cleaned) == 0


@given(st.from_regex(r"\+?[0-9]{7,15}", fullmatch=True))
def test_no_run_of_seven_digits_survives(number: str) -> None:
    assert "[number]" in scrub(f"a {number} b")


@pytest.mark.parametrize(
    "kept",
    [
        str(REQUEST),
        REQUEST.hex,
        datetime(2026, 7, 31, 6, 30, tzinfo=UTC).isoformat(),
        "2026-07-31",
        "took 1234 ms, 99.5 %",
        "127.0.0.1:8600",
    ],
)
def test_identifiers_moments_and_small_numbers_stay(kept: str) -> None:
    assert scrub(f"x {kept} y") == f"x {kept} y"


def test_an_identifier_does_not_hide_a_number_beside_it() -> None:
    assert scrub(f"{REQUEST}{PHONE} 2026-07-31{PHONE}").count("254712345678") == 0


@pytest.mark.parametrize("secret", ["amina@selam.example", "clarion_" + "0" * 64 + "_" + "s" * 43])
def test_addresses_and_keys_are_found(secret: str) -> None:
    assert secret not in scrub(f"for {secret}.")


def test_a_template_that_does_not_fit_its_arguments_is_shown_as_it_is() -> None:
    assert message("not enough %s %s", (PHONE,)) == "not enough %s %s"


def test_a_sentence_of_ours_keeps_its_apostrophes() -> None:
    told = "this machine's clock is +3.0 s from the database's; synchronise it (NTP)"
    assert shown("why", told) == told
    assert shown("why", f"said 'Amina's shift' to \"{TEXT}\"") == "said [text] to [text]"


def test_depth_and_length_are_bounded() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert "[withheld]" in str(shown("state", endless))
    assert len(str(shown("state", "word " * 1000))) <= 300


def test_every_line_that_clarion_logs_begins_with_a_constant() -> None:
    """What varies is a keyword, so that the two nets see it."""
    root = Path(clarion.__file__).parent
    found, wrong = 0, []
    for path in root.rglob("*.py"):
        for call in _log_calls(ast.parse(path.read_text(encoding="utf-8"))):
            found += 1
            if not (call.args and isinstance(call.args[0], ast.Constant)):
                wrong.append(f"{path.relative_to(root)}:{call.lineno}")
    assert found
    assert wrong == []


def _log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("debug", "info", "warning", "error", "critical", "exception")
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("log", "logger")
        ):
            yield node
