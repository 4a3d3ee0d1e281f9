"""What the command line tells of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clarion.cli.commands import COMMANDS, Line, load
from tests.acceptance.command import Terminal

HEAVY = (
    "psycopg",
    "sqlalchemy",
    "fastapi",
    "uvicorn",
    "pydantic",
    "procrastinate",
    "phonenumbers",
    "aiohttp",
)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_help_names_every_command(terminal: Terminal) -> None:
    said = terminal.ok("--help").out

    assert [line.name for line in COMMANDS if line.name not in said] == []


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.name)
def test_every_command_is_there_and_explains_itself(line: Line) -> None:
    command = load(line)

    assert command.name == line.name
    assert command.help


def test_help_needs_nothing_that_is_slow_to_load() -> None:
    """Its speed is what it imports; a clock would depend on the machine."""
    code = "import sys; sys.argv = ['clarion', '--help']\nfrom clarion.cli import main\n"
    code += (
        f"try: main()\nexcept SystemExit: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"


def test_a_command_that_does_not_exist_is_a_wrong_use_and_the_nearest_is_named(terminal: Terminal) -> None:
    ended = terminal.run("wokspace")

    assert ended.code == 64
    assert "workspace" in ended.err


def test_a_wrong_setting_is_named_as_it_is_written_in_the_environment(terminal: Terminal) -> None:
    ended = terminal.run("workspace", "list", CLARION_PORT="many")

    assert ended.code == 78
    assert "CLARION_PORT" in ended.err
    assert "Traceback" not in ended.err


def test_a_database_that_cannot_be_reached_is_told_without_a_traceback(terminal: Terminal) -> None:
    ended = terminal.run("workspace", "list", CLARION_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert ended.code == 69
    assert "Traceback" not in ended.err
    assert "clarion doctor" in ended.err


def test_the_sandbox_says_where_it_listens_and_refuses_a_public_address(terminal: Terminal) -> None:
    ended = terminal.run("sandbox", "--host", "0.0.0.0")

    assert ended.code == 78
    assert "--allow-public" in ended.err
