"""What the rows say: each content once, by a name that it keeps when the table is read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clarion.domain.content import Content, TextForm, Variant
from clarion.domain.schedule.sheet.document import Document
from clarion.domain.schedule.sheet.rows import Entry, Texts
from clarion.errors import Problem


def named(
    entries: Sequence[Entry], numbers: Sequence[int], before: Document | None
) -> tuple[list[str], dict[str, Content], list[Problem]]:
    """The name of what each row says, the contents by name, and names that are given to two.

    A name is the row's own; else what the same was called before; else what the row's step said before, where
    nobody says that any more; else "message-" and the first of its steps.
    """
    own, problems = _own(entries)
    names: dict[Texts, str] = dict(own)
    taken = set(names.values())
    known = _before(before)
    for entry in entries:
        if entry.texts not in names and (name := known.get(entry.texts)) is not None and name not in taken:
            names[entry.texts] = name
            taken.add(name)
    said = {step.number: step.content for step in before.schedule.steps} if before else {}
    for entry, number in zip(entries, numbers, strict=True):
        if entry.texts not in names:
            wished = said.get(number)
            name = wished if wished and wished not in taken else _free(f"message-{number}", taken)
            names[entry.texts] = name
            taken.add(name)
    contents = {names[entry.texts]: _content(entry.texts) for entry in entries}
    return [names[entry.texts] for entry in entries], contents, problems


def _own(entries: Sequence[Entry]) -> tuple[dict[Texts, str], list[Problem]]:
    names: dict[Texts, str] = {}
    first: dict[str, Entry] = {}
    problems = []
    for entry in entries:
        if not entry.name:
            continue
        before = first.setdefault(entry.name, entry)
        if before.texts != entry.texts:
            what = f"{entry.name!r} says something else on line {before.line}"
            problems.append(Problem(f"line {entry.line}", what, "Give it a name of its own."))
        else:
            names.setdefault(entry.texts, entry.name)
    return names, problems


def _before(document: Document | None) -> Mapping[Texts, str]:
    contents = document.contents if document else {}
    return {texts: name for name, content in contents.items() if (texts := texts_of(content)) is not None}


def texts_of(content: Content) -> Texts | None:
    """What a content says by language; None where it is more than texts."""
    found: list[tuple[str | None, str]] = []
    for one in content.variants:
        if not isinstance(one.content, TextForm) or one.channel_kind is not None:
            return None
        found.append((one.language, one.content.text))
    return tuple(found)


def _free(name: str, taken: set[str]) -> str:
    found, more = name, 2
    while found in taken:
        found, more = f"{name}-{more}", more + 1
    return found


def _content(texts: Texts) -> Content:
    return Content(
        variants=tuple(
            Variant(language=language, content=TextForm(kind="text", text=text)) for language, text in texts
        )
    )
