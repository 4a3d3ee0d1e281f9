"""What the pages promise is there: files, tests, commands, settings, words. And the house stays tidy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from clarion.api import routers
from clarion.cli import EX_USAGE
from clarion.cli.commands import COMMANDS, load
from clarion.domain.channel import ChannelConfig
from clarion.errors import ClarionError
from clarion.settings import Settings
from tests import external

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
WHY = [ROOT / "docs" / "why-duplicates.md", ROOT / "docs" / "why-no-floods.md"]
RUNNING = ROOT / "docs" / "running.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
LONGEST = 300  # lines of a module
# Long because they are one table or one protocol; none may grow for ever.
LONG = {
    "clarion/flow/ingest.py": 400,
    "clarion/store/intake.py": 350,
}
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_MACHINE = re.compile(r"(?<![\w.])/(?:root|home|work|Users)/\w|(?<![\w.])/tmp/(?!clarion)[a-z]\w*/")
_INDEX = re.compile(r"(?i)index-url\W+https?://|https?://\S+/simple\b|@https?://")


def files() -> Iterator[Path]:
    """Every text file of the project that somebody wrote."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        ours = parts[0] == ".ci" or not parts[0].startswith(".")
        made = {"__pycache__", "build", "bench-results"} & set(parts) or parts[0].endswith(".egg-info")
        if ours and not made and path.is_file():
            yield path


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


# --- links


def anchor(heading: str) -> str:
    """How a heading is linked to, as code hosts make it."""
    words = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip()).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _CODE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, part = target.partition("#")
        led_to = (page.parent / place).resolve() if place else page
        inside = led_to.exists() and ROOT in (led_to, *led_to.parents)
        if not inside or (part and part not in _anchors(led_to)):
            broken.append(target)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """Paths in backticks are of the project, or of the package (`store/queue.py`)."""
    text = page.read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sql|md|csv|toml|svg))`", text))
    missing = [p for p in sorted(paths) if not _somewhere(p)]
    assert missing == []


def _somewhere(path: str) -> bool:
    places = (ROOT, ROOT / "clarion", ROOT / "clarion/store/migrations/versions", ROOT / "docs")
    return path.startswith((".venv/", "postgres/")) or any((place / path).exists() for place in places)


# --- tests, words, settings


@pytest.mark.parametrize("page", WHY, ids=named)
def test_every_test_that_is_named_is_there(page: Path) -> None:
    nodes = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8"))
    assert len(nodes) > 20
    missing = [f"{path}::{name}" for path, name in nodes if name not in _tests(path)]
    assert missing == []


@cache
def _tests(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.exists():
        return frozenset()
    return frozenset(re.findall(r"^\s*(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.M))


def test_the_words_of_the_glossary_are_those_of_the_code() -> None:
    text = GLOSSARY.read_text(encoding="utf-8").partition("## Kept for what comes next")[0]
    words = re.findall(r"^\| \*\*([^*]+)\*\* \|", text, re.M)
    code = "\n".join(
        path.read_text(encoding="utf-8").lower().replace("_", " ")
        for path in (ROOT / "clarion").rglob("*")
        if path.suffix in (".py", ".sql")
    )
    assert len(words) > 70
    unused = [word for word in words if not re.search(rf"\b{re.escape(word)}", code)]
    assert unused == []
    assert len(words) == len(set(words)), "one word, one line"


def test_the_table_of_settings_is_that_of_the_code() -> None:
    table = r"^\| `(CLARION_\w+)` \| (?:`([^`]*)`)? ?\|"
    told = dict(re.findall(table, RUNNING.read_text(encoding="utf-8"), re.M))
    assert told.pop("CLARION_WORKSPACE") == ""  # of commands, not of a process
    assert told == {
        f"CLARION_{name.upper()}": _default(field.get_default(call_default_factory=True, validated_data={}))
        for name, field in Settings.model_fields.items()
    }


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    told = {int(code) for code in re.findall(r"^\| `(\d+)` \|", RUNNING.read_text(encoding="utf-8"), re.M)}
    ours = {kind.exit_code for kind in ClarionError.__subclasses__()} | {ClarionError.exit_code}
    assert told == ours | {0, 1, EX_USAGE}


def _default(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_table_of_a_channels_settings_is_that_of_the_code() -> None:
    table = RUNNING.read_text(encoding="utf-8").partition("### A channel's settings")[2]
    told = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`|[^|]*?) ?\|", table, re.M))
    assert set(told) == set(ChannelConfig.model_fields)
    numbers = {
        name: str(field.default).removesuffix(".0")
        for name, field in ChannelConfig.model_fields.items()
        if isinstance(field.default, int | float)
    }
    assert {name: told[name] for name in numbers} == numbers


# --- commands and addresses


def commands(page: Path) -> Iterator[list[str]]:
    """Every `clarion …` that a page tells its reader to type, as words."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            found = re.search(r"(?:^|\s|/)clarion ([a-z].*)$", line)
            if found and not line.lstrip().startswith(("clarion/", "#", "import", "from")):
                yield found[1].partition("  #")[0].split()
    for inline in re.findall(r"`clarion ([a-z][^`]*)`", text):
        yield inline.split()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_is_told_is_there(page: Path) -> None:
    wrong = [" ".join(words) for words in commands(page) if not _is_command(words)]
    assert wrong == []


def _is_command(words: list[str]) -> bool:
    line = next((line for line in COMMANDS if line.name == words[0]), None)
    if line is None:
        return False
    command: Any = load(line)
    inner = getattr(command, "commands", {})
    if inner and len(words) > 1 and not words[1].startswith("-"):
        if words[1] not in inner:
            return False
        command = inner[words[1]]
    known = {word for one in command.params for word in (*one.opts, *one.secondary_opts)} | {"--help"}
    return all(word.partition("=")[0] in known for word in words if re.match(r"--[a-z]", word))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_address_of_the_api_that_is_told_is_there(page: Path) -> None:
    known = {
        re.sub(r"\{\w+\}", "*", getattr(route, "path", ""))
        for router in routers.found()
        for route in router.routes
    }
    told = re.findall(r"(?:8600|`)(/(?:api/v1|hooks)/[\w/$<>{}*-]+)", page.read_text(encoding="utf-8"))
    asked = {re.sub(r"(?<=/)(?:\$\w+|<\w+>|\{\w+\})", "*", address) for address in told}
    assert sorted(asked - known) == []


# --- a tidy house


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    wrong = []
    for path in files():
        if path == Path(__file__) or path.suffix in (".xlsx", ".png"):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        wrong += [f"{named(path)}: {found.group()}" for found in _MACHINE.finditer(text)]
        wrong += [f"{named(path)}: {found.group()}" for found in _INDEX.finditer(text)]
    assert wrong == []


def test_the_lock_names_versions_and_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    pinned = re.findall(r"^([a-z0-9][\w.\[\],-]*)==", text, re.M | re.I)
    assert len(pinned) > 50
    assert text.count("--hash=sha256:") >= len(pinned)


def test_modules_are_short_enough_to_be_read() -> None:
    lengths = {
        named(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "clarion").rglob("*.py")
    }
    too_long = {name: lines for name, lines in lengths.items() if lines > LONG.get(name, LONGEST)}
    assert too_long == {}
    assert set(LONG) <= set(lengths), "the list of long modules names one that is gone"


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"(?:#|--|<!--)\s*(?:TODO|FIXME|XXX)\b")
    left = [
        f"{named(path)}: {found.group()}"
        for path in files()
        if path.suffix in (".py", ".sql", ".md", ".toml")
        for found in marks.finditer(path.read_text(encoding="utf-8"))
    ]
    assert left == []


def test_the_newest_server_of_the_distribution_is_taken(tmp_path: Path) -> None:
    """`make test-external` says so itself where there is none that is new enough."""
    assert external.newest(tmp_path) is None
    for version in ("9.6", "13", "15", "17"):
        programs = tmp_path / version / "bin"
        programs.mkdir(parents=True)
        (programs / "postgres").touch()
        (programs / "initdb").touch()
    assert external.newest(tmp_path) == tmp_path / "17" / "bin"
