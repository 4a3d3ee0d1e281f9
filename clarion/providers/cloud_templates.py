"""WhatsApp Cloud API: the templates of a business account.

Shapes follow Meta's public reference (Template management: Get templates; Components; Parameter formats).
The address of a next page is not followed, since it is the other side's word: its cursor is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson
from yarl import URL

from clarion.domain.catalogue import Kept, Shape
from clarion.errors import Misconfigured, Unavailable
from clarion.kit.http import Answer, Http, NeverSent, Unanswered, prepared
from clarion.providers.contract import Account

OPTION = "business_account_id"
_FIELDS = "name,language,status,category,parameter_format,components"
_PAGE, _MOST_PAGES = 100, 200
_PATIENCE = 15.0  # seconds for one page
_PLACE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_RATE = frozenset((4, 80007, 80008, 130429))
_HINT = "The token needs the permission whatsapp_business_management on this business account."


async def listed(account: Account, http: Http, version: str) -> tuple[Kept, ...]:
    """Every template of the business account that the option names. Raises Unavailable where it cannot be
    had now, Misconfigured where it will not be until somebody acts."""
    business = quote(str(account.options[OPTION]), safe="")
    url = URL(f"{account.base_url.rstrip('/')}/{version}/{business}/message_templates")
    headers = prepared({"Authorization": f"Bearer {account.credentials.get('token', '')}"})
    found: list[Kept] = []
    after: str | None = None
    for _ in range(_MOST_PAGES):
        query = {"fields": _FIELDS, "limit": str(_PAGE)} | ({"after": after} if after else {})
        document = await _asked(http, account, url.with_query(query), headers)
        try:
            found += [_kept(one) for one in document["data"]]
            paging = document.get("paging") or {}
            before, after = after, (paging.get("cursors") or {}).get("after") if paging.get("next") else None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unavailable("the list of templates cannot be read", where="channel") from error
        if after is None or after == before:
            return tuple(found)
    raise Unavailable("the list of templates has no end", where="channel")


async def _asked(http: Http, account: Account, url: URL, headers: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        answer = await http.call(
            "GET", url, headers=headers,
            connect_timeout=account.connect_timeout, total_timeout=min(account.total_timeout, _PATIENCE),
        )  # fmt: skip
    except (NeverSent, Unanswered) as error:
        raise Unavailable(f"WhatsApp was not reached: {error}", where="channel") from error
    try:
        document = orjson.loads(answer.body)
    except ValueError:
        document = None
    said: dict[str, Any] = document if isinstance(document, dict) else {}
    if answer.status != 200 or "data" not in said:
        raise _refused(answer, said.get("error"))
    return said


def _refused(answer: Answer, wrong: Any) -> Unavailable | Misconfigured:
    code = wrong.get("code") if isinstance(wrong, dict) else None
    told = f"WhatsApp answered {answer.status}" + (f", code {code}" if isinstance(code, int) else "")
    if 400 <= answer.status < 500 and answer.status != 429 and code not in _RATE:
        return Misconfigured(
            f"the templates were refused: {told}", where=f"config.options.{OPTION}", hint=_HINT
        )
    return Unavailable(f"the templates were not told: {told}", where="channel")


def _kept(one: Mapping[str, Any]) -> Kept:
    return Kept(
        str(one["name"]), str(one["language"]), str(one.get("category") or "").upper(),
        str(one["status"]).upper(), _shape(one.get("components") or (), one.get("parameter_format")),
    )  # fmt: skip


def _shape(components: Sequence[Mapping[str, Any]], named: object) -> Shape:
    by_type = {str(one.get("type", "")).upper(): one for one in components}
    places = _places(by_type.get("BODY", {}).get("text"))
    header = by_type.get("HEADER", {})
    format = str(header.get("format") or ("TEXT" if header else "")).lower()
    above = _places(header.get("text"))
    buttons = by_type.get("BUTTONS", {}).get("buttons") or ()
    beyond = set(by_type) - {"BODY", "HEADER", "FOOTER", "BUTTONS"}
    return Shape(
        parameters=len(places),
        named=named == "NAMED" or any(not place.isdigit() for place in places | above),
        header=format,
        header_parameters=len(above),
        buttons=tuple(_takes(button) for button in buttons),
        beyond=", ".join(sorted(beyond)).lower(),
    )


def _places(text: object) -> set[str]:
    return set(_PLACE.findall(text)) if isinstance(text, str) else set()


def _takes(button: Mapping[str, Any]) -> str:
    match str(button.get("type", "")).upper():
        case "QUICK_REPLY":
            return "quick_reply"
        case "COPY_CODE":
            return "copy_code"
        case "URL" if _places(button.get("url")):
            return "url"
        case "OTP":  # of older answers: its code is the address's end
            return "url"
        case _:
            return ""
