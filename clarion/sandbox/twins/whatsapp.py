"""The twin of the WhatsApp Cloud API: its addresses, its checks, its words.

Shapes and codes follow Meta's public reference (Messages, Webhooks, Error codes). HTTP statuses are those of
its table of error codes, where throttling by rate is a 400: a caller must decide by `code`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from clarion.sandbox.calls import Calls
from clarion.sandbox.dialect import Example, Refusal, Submission, Told, Webhook
from clarion.sandbox.head import Handler, Head, response
from clarion.sandbox.record import FAILED, STATUSES, Entry
from clarion.sandbox.server import Exchange
from clarion.sandbox.world import Inbound, Number, World

_PATH = re.compile(r"/v\d{1,3}(?:\.\d{1,2})?/([^/]{1,64})/messages")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}")  # a business-scoped user id
_PLACE = re.compile(r"\{\{(\d{1,4})\}\}")
_PUNCTUATION = str.maketrans("", "", "+-() ")
MAX_TEXT = 4096
MAX_REFERENCE = 512

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n"
_ACCEPTED = (
    b'{"messaging_product":"whatsapp","contacts":[{"input":"%b","wa_id":"%b"}],'
    b'"messages":[{"id":"%b","message_status":"accepted"}]}'
)
_ACCEPTED_USER = _ACCEPTED.replace(b'"wa_id"', b'"user_id"')
_OTHER_TYPES = frozenset(
    ("image", "audio", "video", "document", "sticker", "location", "contacts", "interactive", "reaction")
)


@dataclass(frozen=True, slots=True)
class Code:
    """One line of the provider's table of errors."""

    status: int
    title: str
    details: str


CODES: dict[int, Code] = {
    0: Code(401, "AuthException", "We were unable to authenticate the app user."),
    1: Code(400, "API Unknown", "Invalid request or possible server error."),
    2: Code(503, "API Service", "Temporary due to downtime or due to being overloaded."),
    3: Code(500, "API Method", "Capability or permissions issue."),
    4: Code(400, "API Too Many Calls", "The app has reached its API call rate limit."),
    10: Code(403, "Permission Denied", "Permission is either not granted or has been removed."),
    33: Code(400, "Parameter value is not valid", "The business phone number has been deleted."),
    100: Code(400, "Invalid parameter", "A parameter is missing, unsupported or misspelled."),
    190: Code(401, "Invalid OAuth access token - Cannot parse access token", "The token is not valid."),
    200: Code(403, "API Permission", "Permission is either not granted or has been removed."),
    368: Code(403, "Temporarily blocked for policies violations", "The account has been restricted."),
    80007: Code(400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: Code(400, "Rate limit hit", "Cloud API message throughput has been reached."),
    130472: Code(400, "User's number is part of an experiment", "The message was not sent."),
    131000: Code(500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: Code(403, "Access denied", "Permission is either not granted or has been removed."),
    131008: Code(400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: Code(400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: Code(500, "Service unavailable", "A service is temporarily unavailable."),
    131026: Code(400, "Message undeliverable", "Unable to deliver message."),
    131031: Code(403, "Account has been locked", "The account has been restricted or disabled."),
    131042: Code(400, "Business eligibility payment issue", "There was an error with the payment method."),
    131047: Code(400, "Re-engagement message", "More than 24 hours have passed since the last reply."),
    131048: Code(400, "Spam rate limit hit", "There are restrictions on how many messages can be sent."),
    131049: Code(400, "Meta chose not to deliver", "Not delivered, to keep up healthy ecosystem engagement."),
    131050: Code(400, "User has stopped marketing messages", "The recipient has opted out."),
    131051: Code(400, "Unsupported message type", "Message type unknown."),
    131056: Code(400, "(Business Account, Consumer Account) pair rate limit hit",
                 "Too many messages from this number to the same person in a short time."),
    131057: Code(500, "Account in maintenance mode", "The account is in maintenance mode."),
    132000: Code(400, "Number of parameters does not match the expected number of params", ""),
    132001: Code(404, "Template name does not exist in the translation", ""),
    132012: Code(400, "Template parameter format mismatch", "Parameter values are formatted incorrectly."),
    132015: Code(400, "Template is paused", "The template is paused due to low quality."),
    132016: Code(400, "Template is disabled", "The template has been disabled due to low quality."),
    133004: Code(503, "Server temporarily unavailable", "The server is temporarily unavailable."),
    133016: Code(400, "Account register deregister rate limit exceeded", "Too many attempts; not processed."),
}  # fmt: skip
_UNKNOWN = Code(400, "Unknown error", "")


class WhatsApp:
    """Speaks for one world. Implements dialect.Twin."""

    batches: ClassVar[bool] = True
    example: ClassVar[Example] = Example(
        "100200300",
        {"token": "sandbox-token", "app_secret": "sandbox-secret", "verify_token": "sandbox-verify"},
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Calls | None = None

    def serve(self, calls: Calls) -> None:
        """Take messages from now on."""
        self._calls = calls

    # --- addresses

    def route(self, head: Head) -> Handler | None:
        """The handler of this head, when the address is this provider's."""
        match = _PATH.fullmatch(head.path)
        if match is None or self._calls is None:
            return None
        number = self._world.number(match[1], "whatsapp")
        calls = self._calls
        authorised = head.headers.get("authorization", "")
        allowed = number.tokens if number else frozenset(f"Bearer {t}" for t in self._world.config.tokens)
        if authorised not in allowed:
            refusal = Refusal(190, "" if authorised else "An access token is required.")
            return lambda _exchange: calls.invalid(self, refusal)
        if number is None:
            missing = Refusal(100, f"Object with ID '{match[1]}' does not exist.", subcode=33)
            return lambda _exchange: calls.invalid(self, missing)
        if head.method == "POST":
            return lambda exchange: self._send(exchange, number, calls)
        if head.method == "GET" and self._world.config.lookup.mode == "on":
            return lambda exchange: self._look_up(exchange)
        unsupported = self.refused(Refusal(100, f"Unsupported {head.method.lower()} request."))
        return lambda _exchange: unsupported

    def _send(self, exchange: Exchange, number: Number, calls: Calls) -> bytes | None:
        try:
            document = orjson.loads(exchange.body)
        except orjson.JSONDecodeError:
            return calls.invalid(self, Refusal(100, "The body is not JSON."), sender=number.sender)
        read = _read(document, number)
        if isinstance(read, Submission):
            return calls.submit(exchange, self, read)
        to, reference = _whose(document)
        return calls.invalid(self, read, to, reference, sender=number.sender)

    def _look_up(self, exchange: Exchange) -> bytes:
        """A sandbox extension, for providers that can be asked what became of a reference."""
        reference = exchange.head.first("reference")
        if reference is None:
            return self.refused(Refusal(100, "The parameter reference is required."))
        world = self._world
        world.lookups += 1
        seen = world.clock.now() - world.config.lookup.lag
        found = [
            {
                "id": world.record.wamid(entry.row),
                "to": entry.to,
                "biz_opaque_callback_data": entry.reference,
                "status": entry.status,
                "timestamp": str(int(entry.accepted_at)),
            }
            for entry in world.record.with_reference(reference)
            if entry.accepted_at is not None and entry.accepted_at <= seen
        ]
        return response(200, orjson.dumps({"data": found}))

    # --- words

    def objection(self, submission: Submission, now: float, mono: float) -> Refusal | None:
        number = submission.number
        if number.bucket is not None and not number.bucket.take(mono):
            return Refusal(130429)
        if number.pair_rate is not None and not number.may_write_to(submission.to, mono):
            return Refusal(131056)
        if submission.template is not None:
            return None if number.templates is None else _template_objection(number, submission.template)
        if number.window_enforced and not self._world.window_open(number, submission.to, now):
            return Refusal(131047)
        return None

    def throttled(self, retry_after: float | None) -> Refusal:
        return Refusal(130429, status=429, retry_after=retry_after)

    def not_processed(self, code: int) -> Refusal:
        return Refusal(code, status=503)

    def accepted(self, submission: Submission, wamid: str) -> bytes:
        to = submission.to.encode()
        given = submission.given
        if "." in submission.to:
            body = _ACCEPTED_USER % (to, to, wamid.encode())
            return _OK % len(body) + body
        echoed = to if given == submission.to else orjson.dumps(given)[1:-1]
        body = _ACCEPTED % (echoed, to, wamid.encode())
        return _OK % len(body) + body

    def refused(self, refusal: Refusal) -> bytes:
        known = CODES.get(refusal.code, _UNKNOWN)
        status = refusal.status or known.status
        error: dict[str, Any] = {
            "message": f"(#{refusal.code}) {known.title}" if refusal.code != 190 else known.title,
            "type": "OAuthException",
            "code": refusal.code,
            "error_data": {"messaging_product": "whatsapp", "details": refusal.details or known.details},
            "fbtrace_id": f"A{len(self._world.record):011X}",
        }
        if refusal.subcode:
            error["error_subcode"] = refusal.subcode
        headers = [] if refusal.retry_after is None else [("Retry-After", f"{refusal.retry_after:g}")]
        return response(status, orjson.dumps({"error": error}), "application/json; charset=UTF-8", headers)

    def broken(self) -> bytes:
        return response(
            500,
            b"<html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>",
            "text/html",
        )

    def malformed(self) -> bytes:
        return response(
            200, b'{"messaging_product":"whatsapp","contacts":[{"inp', "application/json; charset=UTF-8"
        )

    # --- webhooks

    def statuses(self, number: Number, told: Sequence[Told]) -> Webhook | None:
        record = self._world.record
        return _webhook(
            number, {"statuses": [_status(number, record.wamid(t.row), record.entry(t.row), t) for t in told]}
        )

    def inbound(self, number: Number, messages: Sequence[Inbound]) -> Webhook | None:
        people = dict.fromkeys(m.person for m in messages)
        contacts = [
            {"profile": {"name": f"Person {person[-4:]}"}, **_identity("wa_id", "user_id", person)}
            for person in people
        ]
        said = [
            {
                **_identity("from", "from_user_id", m.person),
                "id": m.id,
                "timestamp": str(int(m.at)),
                "type": "text",
                "text": {"body": m.text},
            }
            for m in messages
        ]
        return _webhook(number, {"contacts": contacts, "messages": said})


def _webhook(number: Number, value: dict[str, Any]) -> Webhook | None:
    if number.callback_url is None:
        return None
    metadata = {"display_phone_number": number.display, "phone_number_id": number.id}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    body = orjson.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": number.account, "changes": [change]}]}
    )
    digest = hmac.new(number.app_secret, body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
    return Webhook(number.callback_url, headers, body)


def _identity(by_number: str, by_user: str, person: str) -> dict[str, str]:
    """A person is told by their number, or by the user id of those who show none."""
    return {by_user: person} if "." in person else {by_number: person}


def _status(number: Number, wamid: str, entry: Entry, told: Told) -> dict[str, Any]:
    name = STATUSES[told.status]
    status: dict[str, Any] = {
        "id": wamid,
        "status": name,
        "timestamp": str(int(told.at)),
        **_identity("recipient_id", "recipient_user_id", entry.to),
    }
    if entry.reference:
        status["biz_opaque_callback_data"] = entry.reference
    if told.status == FAILED:
        known = CODES.get(told.code, _UNKNOWN)
        status["errors"] = [
            {"code": told.code, "title": known.title, "message": known.title,
             "error_data": {"details": known.details}}
        ]  # fmt: skip
    else:
        category = "utility" if entry.kind == "template" else "service"
        status["conversation"] = {"id": f"{number.id}-{entry.to}", "origin": {"type": category}}
        status["pricing"] = {"billable": category == "utility", "pricing_model": "PMP", "category": category}
    return status


# --- reading a submission


def _read(document: object, number: Number) -> Submission | Refusal:
    """A submission out of a decoded body, or what is wrong with it."""
    if not isinstance(document, dict):
        return Refusal(100, "The body must be a JSON object.")
    if document.get("messaging_product") != "whatsapp":
        return Refusal(100, "The parameter messaging_product is required and must be 'whatsapp'.")
    given = document.get("to") or document.get("recipient")
    if not isinstance(given, str):
        return (
            Refusal(131008, "Parameter 'to' is missing.")
            if given is None
            else Refusal(100, "'to' must be a string.")
        )
    to = given if given.isdigit() else given.translate(_PUNCTUATION)
    if not (to.isascii() and to.isdigit() and 5 <= len(to) <= 20) and not _USER_ID.fullmatch(given):
        return Refusal(131009, "Parameter value is not valid: to")
    to = to if to.isdigit() else given
    reference = document.get("biz_opaque_callback_data", "")
    if not isinstance(reference, str) or len(reference) > MAX_REFERENCE:
        return Refusal(
            100, f"biz_opaque_callback_data must be a string of at most {MAX_REFERENCE} characters."
        )
    if document.get("type", "text") == "text":
        text = document.get("text")
        body = text.get("body") if isinstance(text, dict) else None
        if not isinstance(body, str) or not body:
            return Refusal(131008, "Parameter 'text.body' is missing.")
        if len(body) > MAX_TEXT:
            return Refusal(100, f"Param text['body'] must be at most {MAX_TEXT} characters long.")
        return Submission(number, to, reference, 0, body, given)
    return _read_other(document, number, to, reference, given)


def _read_other(
    document: dict[str, Any], number: Number, to: str, reference: str, given: str
) -> Submission | Refusal:
    kind = document["type"]
    if kind != "template":
        content = document.get(kind) if isinstance(kind, str) and kind in _OTHER_TYPES else None
        if content is None:
            return Refusal(131051, "Message type is not supported, or its content is missing.")
        return Submission(number, to, reference, 2, f"{kind} {orjson.dumps(content).decode()}", given)
    template = document.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("name"), str) or not template["name"]:
        return Refusal(131008, "Parameter 'template.name' is missing.")
    language = template.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    if not isinstance(code, str) or not code:
        return Refusal(131008, "Parameter 'template.language.code' is missing.")
    values = _parameters(template.get("components", []))
    if isinstance(values, Refusal):
        return values
    name = template["name"]
    filled = [value for part, value in values if part == "body"]
    known = (number.templates or {}).get((name, code))
    if known is not None and known.body is not None:
        text = _PLACE.sub(lambda place: _fill(place, filled), known.body)
    else:
        text = " | ".join([f"{name} ({code})", *(value for _, value in values)])
    return Submission(number, to, reference, 1, text, given, (name, code, len(filled)))


def _fill(place: re.Match[str], values: list[str]) -> str:
    which = int(place[1])
    return values[which - 1] if 1 <= which <= len(values) else place[0]


def _parameters(components: object) -> list[tuple[str, str]] | Refusal:
    """All parameters of a template's components in order, as (component, what the phone shows)."""
    wrong = Refusal(132012, "components must be a list of {type, parameters}.")
    if not isinstance(components, list):
        return wrong
    values: list[tuple[str, str]] = []
    for component in components:
        parameters = component.get("parameters", []) if isinstance(component, dict) else None
        if not isinstance(parameters, list):
            return wrong
        for parameter in parameters:
            if not isinstance(parameter, dict) or not isinstance(parameter.get("type"), str):
                return wrong
            shown = parameter.get(parameter["type"])
            if shown is None:
                return Refusal(131008, f"A parameter of the template lacks its {parameter['type']!r}.")
            text = shown if isinstance(shown, str) else orjson.dumps(shown).decode()
            values.append((str(component.get("type", "")).lower(), text))
    return values


def _template_objection(number: Number, template: tuple[str, str, int]) -> Refusal | None:
    name, language, count = template
    known = (number.templates or {}).get((name, language))
    if known is None:
        return Refusal(132001, f"template name ({name}) does not exist in {language}")
    if known.parameters is not None and known.parameters != count:
        return Refusal(
            132000,
            f"body: number of localizable_params ({count}) does not match the expected"
            f" number of params ({known.parameters})",
        )
    return None


def _whose(document: object) -> tuple[str, str]:
    """The person and the reference of a request that is not valid, as far as it names them."""
    if not isinstance(document, dict):
        return "", ""
    to, reference = document.get("to"), document.get("biz_opaque_callback_data")
    return (to[:64] if isinstance(to, str) else ""), (
        reference[:MAX_REFERENCE] if isinstance(reference, str) else ""
    )


TWIN = WhatsApp
