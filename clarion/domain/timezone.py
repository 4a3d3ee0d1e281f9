"""Time zones, by their names in the IANA database ("Africa/Nairobi", "UTC")."""

from __future__ import annotations

import difflib
from functools import cache
from zoneinfo import available_timezones

from clarion.domain.refusal import Refusal

_WITHOUT_PLACE = ("UTC", "GMT")


def parse_timezone(raw: str) -> str | Refusal:
    """The exact name of a zone given in any case, with a space or an underscore ("africa/nairobi").

    Abbreviations (EST, IST) are refused, since one stands for several zones. Refusal: `unknown_zone`,
    whose hint names the nearest zones.
    """
    key = raw.strip().replace(" ", "_").casefold()
    zones = _zones()
    if key in zones:
        return zones[key]
    return Refusal("unknown_zone", "not a time zone that we know", _nearest(key))


def _nearest(key: str) -> str:
    zones = _zones()
    cities = {name.rsplit("/", 1)[-1]: name for name in zones}
    near = [
        zones[cities[city]]
        for city in difflib.get_close_matches(key.rsplit("/", 1)[-1], cities, n=3, cutoff=0.7)
    ]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "use a name such as Africa/Nairobi"


@cache
def _zones() -> dict[str, str]:
    """Casefolded name to name, of the zones that are places, and UTC."""
    # "posix/…" and "right/…" are copies; "Etc/GMT+3" means three hours WEST and misleads everyone
    return {
        name.casefold(): name
        for name in sorted(available_timezones())
        if name in _WITHOUT_PLACE or ("/" in name and not name.startswith(("posix/", "right/", "Etc/")))
    }
