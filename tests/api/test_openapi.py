"""The API keeps to its own document, whatever it is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clarion.api import routers
from clarion.api.app import create_app
from clarion.flow.services import Services
from tests.api.client import Api

EXAMPLES = 10
BEGINNINGS = 5
NO_HTTP = b"Invalid HTTP request received."  # what was sent is not HTTP, so it never came to the API
# That no status is 5xx; and that every answer is of a status, type and shape that the document tells.
PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def _operations(base: str) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{base}/api/v1/openapi.json")
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {operation.label: operation for operation in found}


def _try(operation: Any, mode: schemathesis.GenerationMode, headers: dict[str, str]) -> str:
    """What was found, if anything.

    In a schema that contains itself, as filters do, the generator may lose its way before anything is
    sent (the server recurses elsewhere, and answers 500): then it begins anew, from another seed.
    """
    for beginning in range(BEGINNINGS):
        try:
            return _tried(operation, mode, headers, beginning)
        except RecursionError:
            continue
    return "the generator never came to an end"


def _tried(operation: Any, mode: schemathesis.GenerationMode, headers: dict[str, str], beginning: int) -> str:
    @seed(beginning)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case[Any]) -> None:
        response = case.call(headers=headers)
        if response.content == NO_HTTP:
            return
        case.validate_response(response, checks=PROMISES)

    try:
        send()
    except Unsatisfiable:  # nothing can be wrong where nothing is asked for
        return ""
    except RecursionError:
        raise
    except Exception as error:
        return "\n".join(str(part) for part in getattr(error, "exceptions", [error]))
    return ""


async def test_no_input_makes_the_server_fail_or_answer_as_it_did_not_say(selam: Api) -> None:
    operations = await asyncio.to_thread(_operations, selam.base)
    assert len(operations) > 15
    headers = {"Authorization": f"Bearer {selam.key}"}
    broken = [
        f"{label} ({mode.value}): {error}"
        for label, operation in operations.items()
        for mode in schemathesis.GenerationMode
        if (error := await asyncio.to_thread(_try, operation, mode, headers))
    ]
    assert not broken, "\n".join(broken)


async def test_nothing_is_answered_without_a_key(stranger: Api, services: Services) -> None:
    paths = create_app(services).openapi()["paths"]
    nobody = "01930000-0000-7000-8000-000000000000"
    for path, methods in paths.items():
        if not path.startswith(routers.PREFIX):
            continue
        for method in methods:
            address = path.replace("{", "").replace("}", "")
            for part in address.split("/"):
                address = address.replace(part, nobody) if part.endswith("_id") else address
            reply = await stranger.send(method.upper(), address, json={})
            assert reply.status == 401, (method, path, reply.json)


def test_every_operation_says_what_it_does_and_what_a_body_looks_like(services: Services) -> None:
    document = create_app(services).openapi()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        if not path.startswith(routers.PREFIX):
            continue
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["tags"], where
            assert operation["security"], where
            assert {"401", "403", "503"} <= set(operation["responses"]), where
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if name:
                assert _has_example(schemas[name]), f"{where}: {name} has no example"
    assert document["components"]["schemas"]["Problem"]["properties"]["hint"]


def _has_example(schema: dict[str, Any]) -> bool:
    members = schema.get("properties", {}).values()
    return "examples" in schema or any("examples" in member for member in members)
