"""Files and replies to tap as content: what is sent, and what is refused when it is written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clarion.domain.content import Content
from clarion.domain.field import FieldType
from clarion.domain.part import Attachment, Button
from clarion.domain.refusal import Refusal
from clarion.domain.rendering import render
from clarion.domain.said import Said, SaidButton, SaidInteractive, SaidMedia, SaidTemplate
from clarion.domain.sayable import check_content
from clarion.domain.saying import Chosen, choose, variables
from clarion.domain.template import known_variables

KNOWN = known_variables({"appointment": FieldType.TEXT})
AMINA = {"contact": {"name": "Amina", "appointment": "A-7"}}
NOBODY: dict[str, Any] = {"contact": {}}
KINDS = frozenset(("text", "template", "media", "interactive"))
FILE = "https://files.example/plan.pdf"
YES, NO = {"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}


def content(form: dict[str, Any], place: str = "content") -> Content:
    return Content.model_validate({"variants": [{place: form}]})


def media(kind: str = "image", **more: Any) -> dict[str, Any]:
    return {"kind": "media", "media": kind, "url": FILE, **more}


def buttons(*some: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"kind": "interactive", "text": "Come, {{ contact.name }}?", "buttons": list(some), **more}


def menu(*sections: dict[str, Any], label: str = "Days", **more: Any) -> dict[str, Any]:
    return {
        "kind": "interactive",
        "text": "When?",
        "menu": {"label": label, "sections": list(sections)},
        **more,
    }


def rows(count: int, first: int = 0, **more: Any) -> dict[str, Any]:
    return {"rows": [{"id": str(n), "title": f"Day {n}"} for n in range(first, first + count)], **more}


def template(**more: Any) -> dict[str, Any]:
    return {"kind": "template", "name": "payday", "language": "en", **more}


def told(form: dict[str, Any], values: dict[str, Any] = AMINA) -> Said | Refusal:
    found = content(form).variants[0].content
    assert found is not None
    return render(found, values)


def problems(form: dict[str, Any], place: str = "content") -> list[tuple[str, str]]:
    found = check_content(
        content(form, place), KNOWN, text_limit=4096, has_window=True, channel_kind="whatsapp", kinds=KINDS
    )
    return [(one.where.removeprefix("variants[0]."), one.what) for one in found]


# --- what one person reads

READ: dict[str, tuple[dict[str, Any], Said]] = {
    "a picture with a caption of their own": (
        media(caption=" Dear {{ contact.name }}\n"), SaidMedia("image", FILE, "Dear Amina")),
    "a document with its name": (
        media("document", filename="plan.pdf"), SaidMedia("document", FILE, None, "plan.pdf")),
    "a recording": (media("audio"), SaidMedia("audio", FILE)),
    "buttons with a line above and below": (
        buttons(YES, NO, header="Visit of {{ contact.name }}", footer="{{ contact.appointment }}"),
        SaidInteractive("Come, Amina?", "Visit of Amina", "A-7", (Button(**YES), Button(**NO)))),
    "a button below a picture": (
        buttons(YES, header={"media": "image", "url": FILE}),
        SaidInteractive("Come, Amina?", Attachment(media="image", url=FILE), None, (Button(**YES),))),
    "a template with a line above and buttons": (
        template(header="{{ contact.name }}", buttons=[
            {"index": 1, "kind": "url", "value": "visit/{{ contact.appointment }}"}]),
        SaidTemplate("payday", "en", (), "Amina", (SaidButton(1, "url", "visit/A-7"),))),
    "a template with a picture": (
        template(parameters=["x"], header={"media": "image", "url": FILE}),
        SaidTemplate("payday", "en", ("x",), Attachment(media="image", url=FILE))),
}  # fmt: skip


@pytest.mark.parametrize("label", READ)
def test_it_is_made_for_each_person(label: str) -> None:
    form, said = READ[label]
    assert problems(form) == []
    assert told(form) == said


def test_a_menu_is_the_same_for_everybody() -> None:
    said = told(menu(rows(1, title="This week"), rows(1, 1, title="Later")))
    assert isinstance(said, SaidInteractive)
    assert said.menu is not None
    assert [row.title for row in said.menu.rows] == ["Day 0", "Day 1"]
    assert said.plain == "When?\n[Day 0]\n[Day 1]"


def test_all_that_is_personal_in_it_is_fetched() -> None:
    both = Content.model_validate({
        "variants": [
            {"language": "en", "content": media(caption="{{ contact.name }}")},
            {"language": "sw", "content": template(header="{{ contact.appointment }}")},
        ]
    })  # fmt: skip
    assert variables(both) == {"contact.name", "contact.appointment"}


def test_what_is_not_known_of_a_person_leaves_the_picture_and_the_question() -> None:
    assert told(media(caption="{{ contact.name }}"), NOBODY) == SaidMedia("image", FILE)
    said = told(buttons(YES, header="{{ contact.name }}", footer="{{ contact.name }}"), NOBODY)
    assert isinstance(said, SaidInteractive)
    assert (said.text, said.header, said.footer) == ("Come, ?", None, None)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (template(header="{{ contact.name }}"), "empty_parameter"),
        (template(buttons=[{"index": 0, "kind": "url", "value": "{{ contact.name }}"}]), "empty_parameter"),
        (buttons(YES) | {"text": "{{ contact.name }}"}, "empty_text"),
    ],
)
def test_what_would_be_refused_for_a_person_is_not_sent(form: dict[str, Any], reason: str) -> None:
    said = told(form, NOBODY)
    assert isinstance(said, Refusal)
    assert said.reason == reason


@pytest.mark.parametrize(
    ("form", "longest"),
    [
        (media(caption="{{ contact.name }}"), 1024),
        (buttons(YES) | {"text": "{{ contact.name }}"}, 1024),
        (menu(rows(1)) | {"text": "{{ contact.name }}"}, 4096),
        (buttons(YES, footer="{{ contact.name }}"), 60),
        (template(buttons=[{"index": 0, "kind": "copy_code", "value": "{{ contact.name }}"}]), 15),
    ],
    ids=["a caption", "a text over buttons", "a text over a menu", "a footer", "a code"],
)
def test_a_name_that_makes_it_too_long_is_told_for_that_person(form: dict[str, Any], longest: int) -> None:
    assert not isinstance(told(form, {"contact": {"name": "x" * longest}}), Refusal)
    said = told(form, {"contact": {"name": "x" * (longest + 1)}})
    assert isinstance(said, Refusal)
    assert said.reason == "too_long"


# --- what is refused when it is written

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an address without a scheme": (media() | {"url": "files.example/a.png"}, "url"),
    "an unencrypted address": (media() | {"url": "http://files.example/a.png"}, "url"),
    "an address with Liquid": (media() | {"url": "https://files.example/{{ contact.name }}"}, "url"),
    "an address of this machine": (media() | {"url": "https://localhost/a.png"}, "its own network"),
    "an address of a network": (media() | {"url": "https://192.168.1.7/a.png"}, "loopback or private"),
    "an address in disguise": (media() | {"url": "https://0x7f.1/a.png"}, "usual form"),
    "an address within another": (media() | {"url": "https://[::ffff:10.0.0.1]/a"}, "loopback or private"),
    "an address that names a network": (media() | {"url": "https://files.internal/a.png"}, "its own network"),
    "an address with a password": (media() | {"url": "https://me:hush@files.example/a"}, "credentials"),
    "a port that is none": (media() | {"url": "https://files.example:99999/a"}, "not an address"),
    "a recording with a caption": (media("audio", caption="x"), "no caption"),
    "a picture with a filename": (media(filename="a.png"), "only a document"),
    "another kind of file": (media("sticker"), "media"),
    "neither buttons nor a menu": (buttons(), "either buttons or a menu"),
    "buttons and a menu": (buttons(YES) | {"menu": menu(rows(1))["menu"]}, "either buttons or a menu"),
    "four buttons": (buttons(*({"id": str(n), "title": str(n)} for n in range(4))), "at most 3"),
    "a long title": (buttons({"id": "a", "title": "x" * 21}), "at most 20"),
    "a title with Liquid": (buttons({"id": "a", "title": "{{ contact.name }}"}), "no Liquid"),
    "a title of two lines": (buttons({"id": "a", "title": "a\nb"}), "one line"),
    "a title with spaces around it": (buttons({"id": "a", "title": " a"}), "without spaces"),
    "a title twice": (buttons(YES, {"id": "other", "title": "Yes"}), "same id or title"),
    "an id twice": (buttons(YES, {"id": "yes", "title": "Other"}), "same id or title"),
    "a long id": (buttons({"id": "x" * 257, "title": "a"}), "at most 256"),
    "an id with spaces around it": (buttons({"id": "a ", "title": "a"}), "without spaces"),
    "eleven rows": (menu(rows(6, title="a"), rows(5, 6, title="b")), "at most 10 rows"),
    "no rows": (menu({"rows": []}), "at least 1"),
    "a long row": (menu({"rows": [{"id": "a", "title": "x" * 25}]}), "at most 24"),
    "a long row's id": (menu({"rows": [{"id": "x" * 201, "title": "a"}]}), "at most 200"),
    "a long description": (
        menu({"rows": [{"id": "a", "title": "a", "description": "x" * 73}]}), "at most 72"),
    "a row twice": (menu(rows(2), rows(1, title="x")), "each has a title"),
    "a row's id twice": (menu(rows(1, title="a"), rows(1, title="b")), "same id"),
    "a long label": (menu(rows(1), label="x" * 21), "at most 20"),
    "a picture above a menu": (menu(rows(1), header={"media": "image", "url": FILE}), "no file"),
    "a recording above buttons": (buttons(YES, header={"media": "audio", "url": FILE}), "image"),
    "a private file above buttons": (
        buttons(YES, header={"media": "image", "url": "https://10.0.0.1/a"}), "loopback or private"),
    "a template's button twice": (
        template(buttons=[{"index": 0, "kind": "url", "value": "a"}] * 2), "filled once"),
}  # fmt: skip


@pytest.mark.parametrize("label", WRONG)
def test_what_no_provider_would_take_cannot_be_written(label: str) -> None:
    form, what = WRONG[label]
    with pytest.raises(ValidationError, match=what):
        content(form)


@pytest.mark.parametrize(
    ("form", "place"),
    [
        (buttons(YES, header={"media": "image", "url": "https://10.0.0.1/a"}), ("header", "file", "url")),
        (template(header=""), ("header", "line")),
        (buttons({"id": "a", "title": "x" * 21}), ("buttons", 0, "title")),
    ],
)
def test_its_place_is_told_in_the_words_of_the_form(
    form: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as error:
        content(form)
    assert error.value.errors()[0]["loc"] == ("variants", 0, "content", form["kind"], *place)


LONG = "x" * 5000
UNSAYABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown name": (media(caption="{{ contact.nme }}"), "content.caption, line 1", "unknown variable"),
    "a long caption": (media(caption="x" * 1025), "content.caption", "1,025 characters; at most 1,024"),
    "a long text over buttons": (buttons(YES) | {"text": "x" * 1025}, "content.text", "at most 1,024"),
    "a long text over a menu": (menu(rows(1)) | {"text": LONG}, "content.text", "at most 4,096"),
    "a long line above": (buttons(YES, header="x" * 61), "content.header", "at most 60"),
    "a long line below": (buttons(YES, footer="x" * 61), "content.footer", "at most 60"),
    "a long header of a template": (template(header="x" * 61), "content.header", "at most 60"),
    "a broken one of a button": (
        template(buttons=[{"index": 0, "kind": "url", "value": "{{ contact.name"}]),
        "content.buttons[0].value, line 1", "broken template"),
}  # fmt: skip


@pytest.mark.parametrize("label", UNSAYABLE)
def test_what_could_not_be_sent_is_told_by_its_place(label: str) -> None:
    form, where, what = UNSAYABLE[label]
    ((place, told),) = problems(form)
    assert place.startswith(where)
    assert what in told


@pytest.mark.parametrize("form", [media(), buttons(YES)], ids=["media", "interactive"])
def test_outside_the_window_only_a_template_is_taken(form: dict[str, Any]) -> None:
    ((where, what),) = problems(form, "outside")
    assert where == "outside"
    assert what == f"content of the kind '{form['kind']}' outside the service window"
    for in_window in (True, False):
        chosen = choose(
            content(form), contact_language=None, workspace_language=None, channel_kind="whatsapp",
            in_window=in_window,
        )  # fmt: skip
        assert isinstance(chosen, Chosen) is in_window


def test_a_provider_that_carries_no_files_is_told_of_them_when_they_are_written() -> None:
    found = check_content(content(media()), KNOWN, channel_kind="kannel", kinds=frozenset({"text"}))
    assert [one.what for one in found] == ["a channel of kannel does not carry content of the kind 'media'"]
