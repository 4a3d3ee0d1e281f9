"""What is wrong with a request, as RapidPro says it."""

from __future__ import annotations

from typing import Any


class Complaint(Exception):
    """Ends a request with this status and body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def wrong(field: str, words: str) -> Complaint:
    """One field of the body is not right."""
    return Complaint(400, {field: [words]})


def wrong_together(words: str) -> Complaint:
    """The fields do not go together."""
    return Complaint(400, {"non_field_errors": [words]})


def wrong_query(words: str) -> Complaint:
    """The parameters of the address are not right."""
    return Complaint(400, {"detail": words})


def no_such(field: str, named: object) -> Complaint:
    return wrong(field, f"No such object: {named}")


def not_found() -> Complaint:
    return Complaint(404, {"detail": "Not found."})


def full(most: int) -> Complaint:
    """The workspace may have no more of these."""
    return Complaint(409, {"detail": f"Cannot create object because workspace has reached limit of {most}."})
