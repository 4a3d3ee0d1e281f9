"""Values that are given as KEY=VALUE on the command line: settings of a channel, and its credentials."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from clarion.domain.channel import ChannelConfig
from clarion.domain.refusal import Refusal
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.written_hours import read_hours
from clarion.errors import Invalid, NotFound

_TEXTS = ("base_url", "sender", "api_version")


def hours_of(given: str | None) -> Hours | None:
    """ "08:00-20:00" or "mon-fri 08:00-20:00; sat 10:00-12:00" as hours. Raises Invalid."""
    if given is None:
        return None
    found = read_hours(given)
    if isinstance(found, Refusal):
        raise found.error("--between")
    return found


def pairs_from(given: Sequence[str], option: str) -> dict[str, str]:
    """KEY=VALUE, several times. Raises Invalid for what has no `=`, and for a key that is given twice."""
    found: dict[str, str] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key.strip():
            # the text itself is not repeated: it may be a secret
            raise Invalid("write KEY=VALUE", where=option)
        if key.strip() in found:
            raise Invalid(f"{key.strip()} is given twice", where=option)
        found[key.strip()] = value
    return found


def settings_from(given: Sequence[str]) -> dict[str, object]:
    """A channel's configuration as the domain takes it; an empty value is None: back to the default.

    A value may stand in a file (`options=@FILE`). Raises NotFound for one that is not there, and
    Invalid for a key that there is not, or a value that is no number where one is needed.
    """
    found: dict[str, object] = {}
    for key, value in pairs_from(given, "--set").items():
        if key not in ChannelConfig.model_fields:
            known = ", ".join(ChannelConfig.model_fields)
            raise Invalid(f"a channel has no setting {key!r}", where="--set", hint=f"There are: {known}.")
        if value == "":
            found[key] = None
        elif key in _TEXTS:
            found[key] = value
        else:
            found[key] = _json(key, value)
    return found


def _json(key: str, value: str) -> object:
    try:
        return json.loads(_file(Path(value[1:])) if value.startswith("@") else value)
    except ValueError as error:
        if key == "options":
            raise Invalid(f"the options are not JSON: {error}", where="--set options") from None
        raise Invalid(f"{value!r} is not a value for {key}", where="--set", hint="Write a number.") from None


def credentials_from(given: Sequence[str]) -> dict[str, str]:
    """Credentials: as they are, from a file (`@FILE`) or from standard input (`-`, asked for unseen in a
    terminal). A line's end is taken off. Raises Invalid, NotFound."""
    found: dict[str, str] = {}
    for key, value in pairs_from(given, "--credential").items():
        if value == "-":
            found[key] = _asked(key)
        elif value.startswith("@"):
            found[key] = _file(Path(value[1:]))
        else:
            found[key] = value
    return found


def _asked(key: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"{key}: ", stream=sys.stderr)
    return sys.stdin.readline().rstrip("\r\n")


def _file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise NotFound("no such file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the file cannot be read: {type(error).__name__}", where=str(path)) from None
