"""Whether what a campaign says goes with what it declares of who is outside the service window."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.domain import outside
from clarion.domain.content import Content
from clarion.domain.outside import Outside

TEXT = {"kind": "text", "text": "Hello"}
FILE = {"kind": "media", "media": "image", "url": "https://files.selam.example/plan.png"}
NOTICE = {"kind": "template", "name": "notice", "language": "en"}


def content(*variants: dict[str, Any]) -> Content:
    return Content.model_validate({"variants": list(variants)})


def places(said: Content, declared: Outside | None, channel: str = "whatsapp") -> list[str]:
    return [one.where for one in outside.problems(said, declared, channel)]


@pytest.mark.parametrize("declared", [None, *Outside])
def test_a_template_for_everybody_goes_with_whatever_is_declared(declared: Outside | None) -> None:
    assert places(content({"content": NOTICE}), declared) == []


@pytest.mark.parametrize("said", [{"content": TEXT}, {"content": FILE}, {"inside": TEXT}])
def test_who_declares_a_template_must_give_one(said: dict[str, Any]) -> None:
    (problem,) = outside.problems(content(said), Outside.TEMPLATE, "whatsapp")
    assert problem.where == "content.variants[0].outside"
    assert problem.hint == 'Give a template there, or declare "wait" or "skip".'
    for declared in (None, Outside.WAIT, Outside.SKIP):
        assert places(content(said), declared) == []


def test_each_language_must_have_its_template() -> None:
    both = {"language": "en", "inside": TEXT, "outside": NOTICE}
    said = content(both, {"language": "sw", "content": TEXT}, {"language": "am", "inside": TEXT})
    assert places(said, Outside.TEMPLATE) == ["content.variants[1].outside", "content.variants[2].outside"]


def test_the_template_of_a_language_may_stand_with_what_is_for_this_channel_alone() -> None:
    own = {"channel_kind": "whatsapp", "inside": TEXT, "outside": NOTICE}
    assert places(content({"content": TEXT}, own), Outside.TEMPLATE) == []


def test_what_is_for_other_channels_is_not_asked() -> None:
    sms = {"channel_kind": "kannel", "content": TEXT}
    assert places(content(sms, {"content": NOTICE}), Outside.TEMPLATE) == []


@pytest.mark.parametrize("declared", [Outside.WAIT, Outside.SKIP])
def test_what_would_never_be_said_is_refused(declared: Outside) -> None:
    said = content({"content": TEXT}, {"language": "sw", "inside": TEXT, "outside": NOTICE})
    (problem,) = outside.problems(said, declared, "whatsapp")
    assert problem.where == "content.variants[1].outside"
    assert declared.value in problem.what


def test_where_a_channel_carries_no_templates_that_is_said() -> None:
    (problem,) = outside.problems(content({"content": TEXT}), Outside.TEMPLATE, "messenger", templates=False)
    assert "messenger" in problem.hint
    assert '"wait" or "skip"' in problem.hint
