"""From bodies to events: what a batch of the inbox says, sorted for the ledger. Pure.

Values from outside are made fit for the database here (no NUL character, no moment in the future), so
that one odd body cannot stop a batch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from clarion.domain.address import Address, parse_address
from clarion.domain.consent_words import Meaning
from clarion.domain.message import parse_reference
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid
from clarion.kit.db import fit
from clarion.providers.abilities import Naming
from clarion.providers.contract import Account, Call, Evidence, Fault, Inbound, OptOut, Provider, Receipt
from clarion.store import alias, inbound
from clarion.store.alias import Known
from clarion.store.inbox import Waiting
from clarion.store.receipt import Said

_LONGEST_CODE = 100
_LONGEST_PAYLOAD = 1000


@dataclass(frozen=True, slots=True)
class Nameless:
    """A receipt that brings no reference of ours, in this body of the inbox."""

    body: UUID
    status: str
    at: datetime
    code: str | None
    fault: Fault | None


@dataclass(slots=True)
class Batch:
    """Events by cohort; `faults` of failed attempts, by attempt; `opt_outs` are addresses, and when they said
    so; `read` is (body, its problem). `named` is what the provider was heard to call our tries, `unnamed` the
    receipts that say only that name, both by `alias.key`."""

    said: dict[date, list[Said]] = field(default_factory=lambda: defaultdict(list))
    faults: dict[UUID, tuple[Fault, Said]] = field(default_factory=dict)
    inbound: list[inbound.Said] = field(default_factory=list)  # their meaning as the provider took it
    opt_outs: list[tuple[Address, datetime]] = field(default_factory=list)
    read: list[tuple[UUID, str | None]] = field(default_factory=list)
    named: dict[str, tuple[date, UUID]] = field(default_factory=dict)
    unnamed: dict[str, list[Nameless]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    _references: dict[str, tuple[date, UUID] | None] = field(default_factory=dict)

    def add(self, provider: Provider, account: Account, waiting: Waiting, now: datetime) -> None:
        """Read one call: all of it, or its problem. What tells no moment is of when the call came."""
        came = waiting.received_at
        try:
            events = provider.read(account, call_of(account, waiting))
            receipts = [(e, self._receipt(e, came, now)) for e in events if isinstance(e, Receipt)]
            heard = [_inbound(event, came, now) for event in events if isinstance(event, Inbound)]
            out = [
                (_address(e.scheme, e.address), min(e.at or came, now))
                for e in events
                if isinstance(e, OptOut)
            ]
        except Exception as error:  # a provider's file that fails must not stop the inbox
            self.counts["unreadable"] += 1
            told = fit(str(error))[:500] if isinstance(error, ValueError) else ""
            self.read.append((waiting.id, told or f"it cannot be read: {type(error).__name__}"))
            return
        names = isinstance(provider, Naming)
        for receipt, found in receipts:
            if found is not None:
                self._say(*found)
                if names and found[1].provider_id:
                    self.named[alias.key(found[1].provider_id)] = (found[0], found[1].attempt_id)
            elif names and receipt.provider_id and receipt.reference is None:
                self._wait(waiting.id, receipt, came, now)
            else:
                self.counts["unreferenced"] += 1
        self.inbound += heard
        self.opt_outs += out
        self.read.append((waiting.id, None))

    def know(self, known: Mapping[str, Known]) -> None:
        """Whose the names are: these receipts are said of them; the others wait in the store."""
        for name, receipts in self.unnamed.items():
            one = known.get(name)
            if one is None:
                self.counts["waiting"] += len(receipts)
                continue
            for told in receipts:
                said = Said(one.attempt_id, told.status, told.at, told.code, name)
                self._say(one.cohort, said, told.fault)
        self.unnamed.clear()

    def _say(self, cohort: date, said: Said, fault: Fault | None) -> None:
        self.said[cohort].append(said)
        if fault is not None:
            self.faults[said.attempt_id] = (fault, said)

    def _wait(self, body: UUID, receipt: Receipt, came: datetime, now: datetime) -> None:
        code = None if receipt.code is None else fit(receipt.code)[:_LONGEST_CODE]
        fault = receipt.fault if receipt.evidence is Evidence.FAILED else None
        told = Nameless(body, receipt.evidence.value, min(receipt.at or came, now), code, fault)
        self.unnamed[alias.key(fit(receipt.provider_id or ""))].append(told)

    def _receipt(
        self, receipt: Receipt, came: datetime, now: datetime
    ) -> tuple[date, Said, Fault | None] | None:
        found = self._attempt(receipt.reference)
        if found is None:
            return None
        cohort, attempt_id = found
        code = None if receipt.code is None else fit(receipt.code)[:_LONGEST_CODE]
        provider_id = None if receipt.provider_id is None else fit(receipt.provider_id)
        said = Said(attempt_id, receipt.evidence.value, min(receipt.at or came, now), code, provider_id)
        return cohort, said, receipt.fault if receipt.evidence is Evidence.FAILED else None

    def _attempt(self, reference: str | None) -> tuple[date, UUID] | None:
        """The attempt that a reference of ours names. Several statuses of one come together."""
        if reference is None:
            return None
        try:
            return self._references[reference]
        except KeyError:
            pass
        try:
            found = parse_reference(reference)
        except Invalid:
            found = None
        self._references[reference] = found
        return found


def call_of(account: Account, waiting: Waiting) -> Call:
    """A call of the inbox as its provider reads it."""
    url = f"{account.hook}?{waiting.query}" if waiting.query else account.hook
    return Call(waiting.method, url, {"content-type": waiting.content_type}, waiting.body)


def _inbound(said: Inbound, came: datetime, now: datetime) -> inbound.Said:
    address = _address(said.scheme, said.address)
    text = fit(said.text)
    return inbound.Said(
        provider_id=alias.key(fit(said.provider_id)),
        urn=address.urn,
        path=address.path,
        text=text,
        at=min(said.at or came, now),
        meaning=said.meaning.value if isinstance(said.meaning, Meaning) else "",
        payload=fit(said.payload)[:_LONGEST_PAYLOAD],
        also=_address(said.scheme, said.also).path if said.also else "",
    )


def _address(scheme: str, told: str) -> Address:
    """In its only spelling; what cannot be read is kept as it was told."""
    spelled = fit(told)
    read = parse_address(spelled, scheme)
    return Address(scheme, spelled) if isinstance(read, Refusal) else read
