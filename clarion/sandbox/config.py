"""All settings of a sandbox, one JSON document (`GET`, `PUT` and `PATCH /sandbox/config`, `--config FILE`).

Durations are seconds, shares and probabilities are 0..1, numbers of people are digits with country code.
Every field has a default, so that `{}` is a working provider. docs/sandbox.md tells each in words.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from clarion.errors import Invalid, Problem
from clarion.sandbox.commcare.settings import CommCareSettings
from clarion.sandbox.faults import FAULTS, check_fault, check_parameter
from clarion.sandbox.rapidpro.settings import RapidProSettings

Seconds = Annotated[float, Field(ge=0, le=86_400 * 30, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ReceiptMode = Literal["normal", "none", "early", "late", "five_times", "reversed", "missing"]


def _http(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("a callback address begins with http:// or https://")
    return value


def _known_provider(value: str) -> str:
    known = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent / "twins")]))
    if value not in known:
        raise ValueError(f"no provider is named {value!r}; there are {', '.join(known)}")
    return value


Provider = Annotated[str, AfterValidator(_known_provider)]
Address = Annotated[str, AfterValidator(_http)]


class _Strict(BaseModel):
    """A misspelt setting is an error, never silently the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TemplateButton(_Strict):
    """A button of a template, as it is listed. An address may end in {{1}}."""

    type: Literal["QUICK_REPLY", "URL", "COPY_CODE", "PHONE_NUMBER"]
    text: str = Field(min_length=1, max_length=25)
    url: str | None = None

    @property
    def takes(self) -> str:
        """The `sub_type` of what may fill it; empty for nothing."""
        if self.type == "URL":
            return "url" if "{{1}}" in (self.url or "") else ""
        return "" if self.type == "PHONE_NUMBER" else self.type.lower()

    @property
    def needs(self) -> bool:
        """Whether it must be filled."""
        return self.takes in ("url", "copy_code")


class Template(_Strict):
    """One template.

    `parameters` counts those of its body; None accepts any count. `body` is what a phone shows, with
    {{1}}, {{2}} … for them; without it a phone shows the name and the values. `header` is IMAGE, VIDEO or
    DOCUMENT, or a text in which {{1}} may stand.
    """

    name: str
    language: str
    parameters: int | None = Field(default=None, ge=0, le=1000)
    body: str | None = Field(default=None, max_length=1024)
    category: Literal["MARKETING", "UTILITY", "AUTHENTICATION"] = "UTILITY"
    status: Literal["APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED"] = "APPROVED"
    parameter_format: Literal["POSITIONAL", "NAMED"] = "POSITIONAL"
    header: str | None = Field(default=None, max_length=60)
    buttons: list[TemplateButton] = Field(default_factory=list, max_length=10)


class PairRate(_Strict):
    """How often one number may write to one person: one in `every`, with `burst` borrowed from the future."""

    every: Annotated[float, Field(gt=0, le=86_400)] = 6.0
    burst: int = Field(default=45, ge=1)


class Lookup(_Strict):
    """`GET …/messages?reference=`: "off" answers as a provider without one; `lag` hides younger messages."""

    mode: Literal["on", "off"] = "on"
    lag: Seconds = 0.0


class Receipts(_Strict):
    """When and how statuses are posted to the callback address."""

    mode: ReceiptMode = "normal"
    sent_after: Seconds = 0.05
    delivered_after: Seconds = 0.2
    read_after: Seconds = 1.0
    read_share: Share = 0.5
    late_by: Seconds = 30.0
    missing_share: Share = 0.5
    batch_size: int = Field(default=100, ge=1, le=1000)
    batch_within: Seconds = 0.05
    concurrency: int = Field(default=4, ge=1, le=64)
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0
    retries: int = Field(default=8, ge=0, le=100)
    backoff: Annotated[float, Field(gt=0, le=3600)] = 0.2
    backoff_cap: Annotated[float, Field(gt=0, le=3600)] = 5.0


class Seeded(_Strict):
    """Faults by chance that are the same on every run: drawn from the seed and the reference (or ordinal)."""

    seed: int = 0
    by: Literal["reference", "ordinal"] = "reference"
    probabilities: dict[str, Share] = Field(default_factory=dict)
    parameters: dict[str, float] = Field(default_factory=dict)

    @field_validator("probabilities")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            check_fault(name)
        for receipts in (False, True):
            if sum(value[n] for n in value if FAULTS[n].receipts is receipts) > 1 + 1e-9:
                which = "of the receipts" if receipts else "of the call"
                raise ValueError(f"the probabilities of the faults {which} add up to more than 1")
        return value

    @field_validator("parameters")
    @classmethod
    def _fitting(cls, value: dict[str, float]) -> dict[str, float]:
        for name, parameter in value.items():
            check_parameter(name, parameter)
        return value


class RosterLine(_Strict):
    """How one person's phone behaves; what `parameter` means depends on the behaviour."""

    number: str
    behaviour: str
    parameter: float | None = None
    times: int | None = Field(default=None, ge=1)

    @field_validator("number")
    @classmethod
    def _digits(cls, value: str) -> str:
        digits = value.strip().lstrip("+")
        if not digits.isdecimal() or not digits.isascii() or not 5 <= len(digits) <= 20:
            raise ValueError(f"{value!r} is no number: 5 to 20 digits with the country's code, + allowed")
        return digits

    @field_validator("behaviour")
    @classmethod
    def _known(cls, value: str) -> str:
        check_fault(value)
        return value

    @model_validator(mode="after")
    def _fitting(self) -> RosterLine:
        if self.parameter is not None:
            check_parameter(self.behaviour, self.parameter)
        return self


class NumberOverrides(_Strict):
    """What one sending number has of its own; what is absent comes from the document's top level."""

    provider: Provider = "whatsapp"
    tokens: list[str] | None = None
    app_secret: str | None = None
    verify_token: str | None = None
    callback_url: Address | None = None
    window: Literal["enforced", "open"] | None = None
    templates: list[Template] | None = None
    rate: float | None = Field(default=None, gt=0)
    pair_rate: PairRate | None = None
    display_phone_number: str | None = None
    business_account_id: str | None = None


class Config(_Strict):
    """The whole document."""

    tokens: list[str] = ["sandbox-token"]
    app_secret: str = Field(default="sandbox-secret")
    verify_token: str = Field(default="sandbox-verify")
    callback_url: Address | None = None
    window: Literal["enforced", "open"] = "enforced"
    templates: list[Template] | None = None
    rate: float | None = Field(default=None, gt=0)
    pair_rate: PairRate | None = None
    display_phone_number: str = "15550100000"
    business_account_id: str = "100000000000001"
    numbers: dict[str, NumberOverrides] = Field(default_factory=dict)
    only_listed_numbers: bool = False
    lookup: Lookup = Lookup()
    receipts: Receipts = Receipts()
    faults: Seeded = Seeded()
    roster: list[RosterLine] = Field(default_factory=list)
    rapidpro: RapidProSettings = RapidProSettings()
    commcare: CommCareSettings = CommCareSettings()
    keep_alive: Annotated[float, Field(gt=0, le=86_400)] = 75.0
    clock_offset: Annotated[float, Field(ge=-86_400 * 3650, le=86_400 * 3650, allow_inf_nan=False)] = 0.0
    record_sync: Literal["batched", "each"] = "batched"


M = TypeVar("M", bound=BaseModel)


def parse_config(document: object) -> Config:
    """Check a decoded JSON document. Raises Invalid with one problem a wrong field."""
    return checked(Config, document, "the sandbox's settings are not valid")


def checked(model: type[M], document: object, what: str = "the request is not valid") -> M:
    """A decoded JSON document as this model. Raises Invalid with one problem a wrong field."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = tuple(
            Problem(".".join(str(part) for part in e["loc"]), e["msg"].removeprefix("Value error, "))
            for e in error.errors(include_url=False, include_context=False)
        )
        raise Invalid(what, problems=problems) from error


def merge(config: Config, patch: object) -> Config:
    """A JSON merge patch (RFC 7396) on the settings: null brings a field back to its default."""
    if not isinstance(patch, dict):
        raise Invalid("a patch of the settings is a JSON object")
    return parse_config(_merge(config.model_dump(exclude_unset=True), patch))


def _merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = _merge(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def load_config(path: Path) -> Config:
    """Read a settings file (JSON, UTF-8). Raises Invalid with the file's path."""
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise Invalid(f"the settings cannot be read: {error.strerror}", where=str(path)) from error
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the settings are not JSON: {error}", where=str(path)) from error
    return parse_config(document)
