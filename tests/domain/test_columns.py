"""Columns are understood by what people call them."""

from __future__ import annotations

import pytest

from clarion.domain.columns import Columns
from clarion.domain.field import FieldType
from clarion.errors import Invalid


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ("Phone", "tel"), ("phone_2", "tel"), ("Phone 2", "tel"), ("MOBILE", "tel"), ("Cell-Phone", "tel"),
        ("Mobile No.", "tel"), ("WhatsApp", "whatsapp"), ("E-Mail Address", "mailto"), ("email1", "mailto"),
        ("Employee ID", "external_id"), ("Full Name", "name"), ("Surname", "last_name"),
        ("Country", "country"), ("Time zone", "timezone"), ("Groups", "groups"),
        ("Do not contact", "opted_out"), ("fcm_token", "fcm"), ("URN", "urn"),
        ("Ward", "field:ward"), ("name_2", "ignore"), ("2nd", "ignore"),
    ],
)  # fmt: skip
def test_a_column_means(column: str, target: str) -> None:
    assert Columns({"ward": FieldType.TEXT}).target(column) == target


def test_a_declared_field_goes_before_what_its_name_would_mean() -> None:
    assert Columns({"team": FieldType.TEXT}).target("Team") == "field:team"
    assert Columns({}).target("Team") == "groups"


def test_whoever_sends_the_file_has_the_last_word() -> None:
    columns = Columns({"ward": FieldType.TEXT}, mapping={"Phone": "ignore", "Ref.": "tel", "x": "field:ward"})
    assert [columns.target(name) for name in ("phone", "ref", "X")] == ["ignore", "tel", "field:ward"]


def test_a_mapping_may_say_what_a_heading_would() -> None:
    said = {"Rununu": "Mobile No", "Barua": "e-mail", "Ref": "tel", "Jina": "name"}
    columns = Columns({}, mapping=said, number_scheme="whatsapp")
    assert [columns.target(name) for name in said] == ["whatsapp", "mailto", "tel", "name"]


def test_a_mapping_to_nothing_is_refused_with_what_there_is() -> None:
    with pytest.raises(Invalid) as refused:
        Columns({}, mapping={"a": "shoe size", "b": "field:none"}, number_scheme="carrier pigeon")
    assert [problem.where for problem in refused.value.problems] == ["a", "b", "scheme"]


def test_a_file_in_which_nobody_could_be_known_is_refused() -> None:
    Columns({}).check(["name", "Employee no"])
    with pytest.raises(Invalid, match="no column tells who a person is"):
        Columns({}).check(["name", "country"])


def test_a_mapped_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    columns = Columns({}, mapping={"Moblie": "whatsapp", "FULL name": "name", "Ward": "ignore"})
    with pytest.raises(Invalid) as refused:
        columns.check(["Full Name", "Mobile"])
    assert [(one.where, one.hint) for one in refused.value.problems] == [
        ("Moblie", "did you mean Mobile? there are Full Name, Mobile"),
        ("Ward", "there are Full Name, Mobile"),
    ]


def test_cells_are_put_together_by_their_meaning() -> None:
    given = Columns({"ward": FieldType.TEXT}).given(
        {
            "First name": "Amina", "Last name": "Wanjiru", "Phone": "0712", "Phone 2": " ", "mail": "a@b.org",
            "urns": "tel:1; whatsapp:2", "groups": "A; B|C", "Ward": "3", "shoe": "42",
        },
        ["Everyone"],
    )  # fmt: skip
    assert given.name == "Amina Wanjiru"
    assert given.addresses == [
        ("Phone", "tel", "0712"), ("mail", "mailto", "a@b.org"), ("urns", None, "tel:1"),
        ("urns", None, " whatsapp:2"),
    ]  # fmt: skip
    assert given.groups == ["Everyone", "A", " B", "C"]
    assert given.fields == {"ward": "3"}


def test_an_unknown_column_is_ignored_aloud_or_becomes_a_field() -> None:
    ignoring = Columns({})
    assert ignoring.target("Shoe size") == "ignore"
    assert list(ignoring.ignored) == ["Shoe size"]
    fields: dict[str, FieldType] = {}
    making = Columns(fields, create_fields=True)
    assert making.target("Shoe size") == "field:shoe_size"
    assert (making.created, fields) == ({"shoe_size": "Shoe size"}, {"shoe_size": FieldType.TEXT})


def test_trouble_is_told_by_the_columns_own_name() -> None:
    columns = Columns({"start": FieldType.DATE}, mapping={"Begins": "field:start", "Nation": "country"})
    columns.target("Begins")
    columns.target("Nation")
    assert [columns.label(where) for where in ("fields.start", "country", "Phone")] == [
        "Begins", "Nation", "Phone",
    ]  # fmt: skip
