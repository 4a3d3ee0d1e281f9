"""What a content of ours is in a campaign of RapidPro's: a text by language, or the start of a flow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from clarion.connectors.rapidpro.people import SOURCE, STATUS_FIELD, key_there
from clarion.connectors.rapidpro.plan import KEY, LONGEST_MESSAGE, said
from clarion.domain.content import Content, FlowStartForm, Form, TextForm
from clarion.domain.field import Field, FieldType
from clarion.domain.language import three_letters
from clarion.domain.missing import needed
from clarion.domain.template import spot
from clarion.errors import Problem

_DATES = (FieldType.DATE, FieldType.DATETIME)
_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{\{|\{%", re.DOTALL)
_PLAIN = re.compile(r"\{\{\s*contact\.(\w+)\s*\}\}")
_GOES_ON = re.compile(r"[\w.(\[]")  # what RapidPro might read as more of a bare expression
_ONLY_PLAIN = "RapidPro gets {{ contact.name }} and {{ contact.FIELD }} only, without filters."


@dataclass(frozen=True, slots=True)
class Names:
    """What things are called: the campaign and its group there, the UUIDs of flows by our names for them,
    and `fields`, ours by key. Texts without a language stand there under `language` (ISO 639-3)."""

    campaign: str
    group: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    flows: Mapping[str, str] = field(default_factory=dict)
    language: str = "eng"


@dataclass(slots=True)
class Words:
    """What is said: a message by language, or a flow's UUID. `mentioned`: the fields in it, by their keys
    there. What cannot be said stands in `problems`."""

    message: tuple[tuple[str, str], ...] = ()
    flow: str | None = None
    mentioned: dict[str, Field] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def words(content: Content, where: str, names: Names) -> Words:
    """A content as RapidPro would say it; `where` is its place in the sequence."""
    found = Words()
    texts: dict[str, tuple[str | None, str]] = {}
    flows: set[str] = set()
    for place, language, form in _forms(content, where):
        if isinstance(form, TextForm):
            _add(texts, language, _text(form.text, f"{place}.text", names, found), place, names, found)
        elif isinstance(form, FlowStartForm):
            flows.add(_flow(form, place, names, found))
        else:
            what = f"a campaign of RapidPro says texts and starts flows, and this is {form.kind!r}"
            hint = 'Add a variant for it: "channel_kind": "rapidpro".'
            found.problems.append(Problem(place, what, hint))
    if needed(content.missing):
        what = "a campaign of RapidPro leaves out what it does not know"
        found.problems.append(Problem(f"{where}.missing", what, 'Say "fallback".'))
    if not (texts or flows or found.problems):
        what = "it says nothing on a channel of RapidPro"
        found.problems.append(Problem(where, what, "Add a variant without a channel_kind."))
    if len(flows) + bool(texts) > 1 and not found.problems:
        what = "an event of RapidPro's is one flow for everybody, or a text"
        found.problems.append(Problem(where, what, "Choose between languages in the flow."))
    found.message = said({code: text for code, (_, text) in texts.items()})
    found.flow = next(iter(flows), None)
    return found


def _forms(content: Content, where: str) -> Iterator[tuple[str, str | None, Form]]:
    """What is said on such a channel, with its place and language: the form that `saying.choose` takes."""
    own = {one.language for one in content.variants if one.channel_kind == SOURCE}
    for number, one in enumerate(content.variants):
        if one.channel_kind == SOURCE or (one.channel_kind is None and one.language not in own):
            # it has no service window: what is said inside of one is always right
            place, form = next((pair for pair in one.forms if pair[0] != "outside"), one.forms[0])
            yield f"{where}.variants[{number}].{place}", one.language, form


def _add(
    texts: dict[str, tuple[str | None, str]], language: str | None, text: str, place: str, names: Names,
    found: Words,
) -> None:  # fmt: skip
    code = three_letters(language) if language else names.language
    before = texts.setdefault(code, (language, text))
    if before[1] != text:
        both = " and ".join(one or "no language" for one in (before[0], language))
        what = f"RapidPro has one text for {both}: that of {code}"
        found.problems.append(Problem(place, what, "Say the same in both, or leave one out."))


def _flow(form: FlowStartForm, place: str, names: Names, found: Words) -> str:
    if form.params:
        what = "a campaign's flow is begun without values"
        found.problems.append(Problem(f"{place}.params", what, "Let the flow read the contact's fields."))
    named = names.flows.get(form.flow, form.flow)
    try:
        return str(UUID(named))
    except ValueError:
        what = f"the channel's option `flows` has no {form.flow[:100]!r}"
        found.problems.append(Problem(f"{place}.flow", what, "Name it there, or say its UUID."))
        return named


def _text(source: str, where: str, names: Names, found: Words) -> str:
    """A text of ours as a template of RapidPro's."""
    parts, end, refusals = [], 0, len(found.problems)
    for piece in _LIQUID.finditer(source):
        parts.append(_literal(source[end : piece.start()]))
        end = piece.end()
        plain = _PLAIN.fullmatch(piece[0])
        refused = _ONLY_PLAIN if plain is None else _refused(plain[1], names.fields)
        if refused or plain is None:
            what = f"{spot(source, piece.start())}: {piece[0][:80]} cannot be said there"
            found.problems.append(Problem(where, what, refused))
            continue
        parts.append(_expression(plain[1], source[end : end + 1], names.fields, found))
    text = "".join((*parts, _literal(source[end:]))).strip()
    if len(found.problems) == refusals and not 0 < len(text) <= LONGEST_MESSAGE:
        what = f"RapidPro takes texts of 1 to {LONGEST_MESSAGE:,} characters, and this has {len(text):,}"
        found.problems.append(Problem(where, what))
    return text


def _refused(key: str, fields: Mapping[str, Field]) -> str:
    """Why RapidPro cannot say this of a contact; "" where it can."""
    if key == "name":
        return ""
    one = fields.get(key)
    if one is None or key == STATUS_FIELD.key:
        return _ONLY_PLAIN
    if one.type in _DATES:
        return "RapidPro writes dates in a form of its own. Keep what is to be read in a text field."
    if not KEY.fullmatch(key_there(key)):
        return "RapidPro's keys have small letters, digits and _, at most 36."
    return ""


def _expression(key: str, following: str, fields: Mapping[str, Field], found: Words) -> str:
    path = "contact.name"
    if key != "name":
        there, one = key_there(key), fields[key]
        found.mentioned[there] = Field(there, one.name, one.type)
        path = f"fields.{there}"
    return f"@({path})" if _GOES_ON.match(following) else f"@{path}"


def _literal(text: str) -> str:
    return text.replace("@", "@@")
