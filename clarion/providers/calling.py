"""What providers over HTTP share: one call as its end, and an answer that no table knows.

`asked` makes the one request of a try. When no answer came it says so as the contract wants it; what an
answer means is each provider's own.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from yarl import URL

from clarion.kit.http import Answer, Http, NeverSent, Unanswered
from clarion.providers.contract import Account, Answered, Fault, Pairs, Told

FORM = "application/x-www-form-urlencoded"


async def asked(
    http: Http, account: Account, method: str, url: URL, headers: Mapping[str, str], body: bytes | None = None
) -> Answer | Told:
    """The answer to this request, made once; or what it means that there is none."""
    try:
        return await http.call(
            method,
            url,
            headers=headers,
            body=body,
            connect_timeout=account.connect_timeout,
            total_timeout=account.total_timeout,
        )
    except NeverSent as error:
        return Told(Answered.LATER, fault=Fault.NETWORK, code="unreachable", detail=str(error))
    except Unanswered as error:
        return Told(Answered.UNKNOWN, fault=Fault.NETWORK, code="unanswered", detail=str(error))


def by_status(answer: Answer, code: str | None = None, detail: str | None = None) -> Told:
    """What an answer means whose code no table has. A 2xx that cannot be read, or a 5xx, is unknown."""
    answered, fault = Answered.UNKNOWN, Fault.PROVIDER
    if answer.status == 429:
        answered, fault = Answered.LATER, Fault.RATE
    elif answer.status in (401, 403):
        answered, fault = Answered.LATER, Fault.ACCOUNT
    elif 400 <= answer.status < 500:
        answered = Answered.REFUSED
    wait = retry_after(answer.headers) if fault is Fault.RATE else None
    code = code or f"http_{answer.status}"
    return Told(answered, fault=fault, code=code, detail=detail, retry_after=wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 10.2.3, the delay form), at most a day."""
    given = headers.get("Retry-After", "").strip()
    return min(float(given), 86_400.0) if given.isdigit() else None


def text_only(what: str) -> Told:
    """The end of a try to send anything but text over a provider that carries nothing else."""
    return other_than(what, "text")


def other_than(what: str, carried: str) -> Told:
    """The end of a try to send what this provider does not carry: only older content comes so far."""
    detail = f"{what} carries {carried}; what was to be sent is something else"
    return Told(Answered.LATER, fault=Fault.CONTENT, code=f"not_{carried}", detail=detail)


def encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """Fields of a form, or of a query: percent-encoded UTF-8, spaces too."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def proof(key: str, reference: str) -> str:
    """What only we can say of a reference, for addresses that we hand out. Hexadecimal, so that nobody
    takes a part of it for a name of theirs."""
    return hmac.new(key.encode(), reference.encode(), hashlib.sha256).hexdigest()[:32]


def proves(key: str, query: Pairs) -> bool:
    """Whether an address shows that we handed it out: by the proof of its `ref`, or, where it has none, by
    the key itself. In constant time; never without a key."""
    said = dict(query)
    made = proof(key, said["ref"]) if "ref" in said else key
    given = said.get("proof" if "ref" in said else "key", "")
    return bool(key) and hmac.compare_digest(made.encode(), given.encode(errors="replace"))


def called_back(hook: str, **more: str) -> str:
    """The address of our hook with these values in its query."""
    return f"{hook}?{encoded(more.items())}"
