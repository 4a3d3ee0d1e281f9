"""Any aggregator that takes a message by one HTTP request, described in the channel's options.

What is said stands in `described`; docs/generic-http.md tells it to people. An answer is judged by the
described rule and table; what neither knows ends by its status, and a 2xx that does not say what was
described is unknown. There is no look-up: a receipt that carries our reference settles what went unanswered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
from yarl import URL

from clarion.domain.limits import Limits
from clarion.errors import Invalid, Misconfigured
from clarion.kit.http import Answer, Http, prepared
from clarion.providers.calling import (
    FORM,
    asked,
    by_status,
    called_back,
    proof,
    proves,
    retry_after,
    text_only,
)
from clarion.providers.contract import (
    Account,
    Answered,
    Call,
    Fault,
    Found,
    Inbound,
    Parcel,
    Receipt,
    Sender,
    Text,
    Told,
)
from clarion.providers.described import (
    ENDS,
    SECRETS,
    Description,
    Message,
    Report,
    at,
    check,
    described,
    document_of,
    filled,
    in_json,
    in_pairs,
    in_path,
    in_xml,
    placeholders,
    text_at,
)

# The first request is still being processed, or the key was used for another: nothing is said of this message
# (IETF, The Idempotency-Key HTTP Header Field; RFC 8470).
_ABOUT_THE_KEY = (409, 422, 425)


class _Sender:
    def __init__(self, account: Account, http: Http) -> None:
        try:
            check(account.options)
            self._description = described(account.options)
        except Invalid as error:
            raise Misconfigured(error.what, where="channel", problems=error.problems) from error
        self._account = account
        self._http = http
        self._known = _known(account, self._description)

    async def send(self, parcel: Parcel) -> Told:
        if not isinstance(parcel.content, Text):
            return text_only("This channel")
        values = self._known | _of(self._account, parcel, parcel.content.body)
        request = self._description.request
        url = self._account.base_url.rstrip("/") + in_path(request.path, values)
        if request.query:
            url += "?" + in_pairs(request.query, values)
        kind, body = _body(self._description, values)
        headers = {name: filled(text, values) for name, text in request.headers.items()}
        sent = prepared(({"Content-Type": kind} if kind else {}) | headers)
        answer = await asked(self._http, self._account, request.method, URL(url, encoded=True), sent, body)
        return answer if isinstance(answer, Told) else told(self._description, answer)

    async def look_up(self, reference: str) -> Found | None:
        """Nothing is described that could be asked."""
        return None


def _known(account: Account, description: Description) -> dict[str, str]:
    """What placeholders stand for that no message changes. Raises Misconfigured for what is not there."""
    secrets = {name: account.credentials.get(name, "") for name in SECRETS}
    login = f"{secrets['username']}:{secrets['password']}"
    known = {**secrets, "sender": account.sender, "basic": base64.b64encode(login.encode()).decode()}
    used = placeholders(description.request)
    needed = (used & {*SECRETS, "sender"}) | ({"username", "password"} if "basic" in used else set())
    lacking = sorted(name for name in needed if not known[name])
    if not account.base_url:
        lacking.append("base_url")
    if "hook" in used and not account.hook:
        lacking.append("CLARION_PUBLIC_URL")
    in_headers = "".join(
        filled(text, known | {"reference": ""}) for text in description.request.headers.values()
    )
    if lacking or any(ord(letter) < 32 for letter in in_headers):
        what = "needs " + ", ".join(lacking) if lacking else "has a line break in what goes into a header"
        raise Misconfigured(f"the channel's description {what}", where="channel")
    return known


def _of(account: Account, parcel: Parcel, text: str) -> dict[str, str]:
    """What placeholders stand for in one message."""
    more = {"ref": parcel.reference}
    if key := account.credentials.get("hook_key"):
        more["proof"] = proof(key, parcel.reference)
    return {
        "to": parcel.address,
        "digits": parcel.address.removeprefix("+"),
        "text": text,
        "reference": parcel.reference,
        "hook": called_back(account.hook, **more) if account.hook else "",
    }


def _body(description: Description, values: Mapping[str, str]) -> tuple[str, bytes | None]:
    """The body and its type."""
    request = description.request
    if request.json_body is not None:
        return "application/json", orjson.dumps(in_json(request.json_body, values))
    if request.form is not None:
        return FORM, in_pairs(request.form, values).encode()
    if request.xml is not None:
        return "text/xml; charset=utf-8", in_xml(request.xml, values).encode()
    return "", None


def told(description: Description, answer: Answer) -> Told:
    """What an answer means, by the description; else by its status."""
    reply, document = description.answer, document_of(answer.body)
    code = text_at(document, reply.code)
    rule = reply.accepted
    said = answer.status in reply.status and (rule is None or at(document, rule.at) in rule.one_of)
    name = text_at(document, reply.id)
    if said and not (rule is None and code in description.errors) and (reply.id is None or name):
        return Told(Answered.ACCEPTED, provider_id=name)
    for known in (code, f"http_{answer.status}"):
        if known is not None and known in description.errors:
            answered, fault = ENDS[description.errors[known]]
            wait = retry_after(answer.headers) if fault is Fault.RATE else None
            return Told(answered, fault=fault, code=known, retry_after=wait)
    if description.request.replays_for and answer.status in _ABOUT_THE_KEY:
        return Told(Answered.UNKNOWN, fault=Fault.PROVIDER, code=f"http_{answer.status}")
    return by_status(answer, code)


class GenericHttp:
    """The provider. Its options are the description."""

    name: ClassVar[str] = "generic_http"
    base_url: ClassVar[str] = ""
    schemes: ClassVar[tuple[str, ...]] = ("tel",)
    can_look_up: ClassVar[bool] = False
    has_window: ClassVar[bool] = False
    text_limit: ClassVar[int] = 1530  # ten segments of GSM's alphabet
    kinds: ClassVar[frozenset[str]] = frozenset(("text",))
    credentials: ClassVar[dict[str, str]] = {
        "token": "what {token} stands for",
        "username": "what {username} stands for, and the first half of {basic}",
        "password": "what {password} stands for, and the second half of {basic}",
        "key": "what {key} stands for",
        "hook_key": "makes calls to our hook genuine, as options.hook says: without it none is taken",
    }
    speaks_http: ClassVar[bool] = True
    limits: ClassVar[Limits] = Limits(rate=10)  # nobody knows: what small aggregators commonly take
    counts_segments: ClassVar[bool] = True
    thanks: ClassVar[tuple[str, str]] = ("", "")

    def check_options(self, options: Mapping[str, Any]) -> None:
        check(options)

    def replays_for(self, options: Mapping[str, Any]) -> float:
        return described(options).request.replays_for

    def sender(self, account: Account, http: Http) -> Sender:
        return _Sender(account, http)

    def verified(self, account: Account, call: Call) -> bool:
        key = account.credentials.get("hook_key", "")
        how = described(account.options).hook
        given = call.headers.get(how.name.lower(), "")
        if how.by == "key":
            return proves(key, call.query)
        if how.by == "header":
            made = how.prefix + key
        else:
            digest = hmac.new(key.encode(), call.body, how.digest).digest()
            made = how.prefix + (digest.hex() if how.encoding == "hex" else base64.b64encode(digest).decode())
        return bool(key) and hmac.compare_digest(made.encode(), given.encode(errors="replace"))

    def challenge(self, account: Account, call: Call) -> str | None:
        return None

    def read(self, account: Account, call: Call) -> Sequence[Receipt | Inbound]:
        description, document = described(account.options), _said(call)
        found: list[Receipt | Inbound] = []
        understood = False
        for report in filter(None, (description.receipt,)):
            for one in _each(document, report.each):
                if at(one, report.status) is not None:
                    understood = True
                    found += _receipt(description, report, one, call)
        for message in filter(None, (description.reply,)) if not understood else ():
            for one in _each(document, message.each):
                if at(one, message.text) is not None and text_at(one, message.sender):
                    understood = True
                    found.append(_inbound(message, one, call))
        if not understood:
            raise ValueError("this is neither a receipt nor a reply, as the channel describes them")
        return found


def _said(call: Call) -> object:
    """All that a call says: its query, and its form or JSON. JSON that is a list stays one."""
    pairs: dict[str, object] = {**dict(call.query), **dict(call.form)}
    if not call.body or call.form:
        return pairs
    document = document_of(call.body)
    return pairs | document if isinstance(document, dict) else document


def _each(document: object, path: str | None) -> list[object]:
    found = at(document, path) if path else document
    return found if isinstance(found, list) else [found]


def _receipt(description: Description, report: Report, said: object, call: Call) -> list[Receipt]:
    evidence = report.values.get(text_at(said, report.status) or "")
    if evidence is None:
        return []
    code = text_at(said, report.code)
    end = description.errors.get(code or "")
    reference = text_at(said, report.reference) if report.reference else dict(call.query).get("ref")
    fault = ENDS[end][1] if end else None
    return [Receipt(evidence, _moment(at(said, report.at)), reference, text_at(said, report.id), code, fault)]


def _inbound(message: Message, said: object, call: Call) -> Inbound:
    number = text_at(said, message.sender) or ""
    # some write numbers without their plus; a short code has fewer digits
    address = f"+{number}" if number.isdigit() and len(number) > 7 else number
    # a call that is repeated is the same message, where the provider does not name it
    whole = hashlib.sha256(call.url.encode() + b"\0" + call.body + b"\0" + repr(said).encode()).hexdigest()
    name = text_at(said, message.id) or whole[:32]
    return Inbound(name, "tel", address, text_at(said, message.text) or "", _moment(at(said, message.at)))


def _moment(value: object) -> datetime | None:
    """Seconds or milliseconds since 1970, or ISO 8601 with its zone; None for anything else."""
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo is not None else None
        seconds = float(value) if isinstance(value, (str, int, float)) else None
        if seconds is None:
            return None
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


provider = GenericHttp()
