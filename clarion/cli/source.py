"""`clarion source`: other systems that post cases here, each with a mapping of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from clarion.cli import options, place, terminal
from clarion.cli.commands import group
from clarion.cli.given import credentials_from
from clarion.domain.source import INBOUND, Mapped, mapping_of
from clarion.errors import Invalid, NotFound
from clarion.flow import source as flow
from clarion.flow.inbound import HOME, Would, foresee_of
from clarion.store import source as sources

app = group(
    "Sources: other systems that post cases here, by a mapping (docs/sources.md).",
    [
        "clarion source try --mapping hmis.json --body sample.json",
        "clarion source create hmis --mapping hmis.json",
        "clarion source list",
    ],
)
Name = Annotated[str, typer.Argument(metavar="SOURCE", help="Its name.")]
MappingFile = Annotated[Path | None, typer.Option("--mapping", metavar="FILE", help="The mapping, as JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Stands in its address: small letters first.")],
    mapping: Annotated[Path, typer.Option(metavar="FILE", help="The mapping, as JSON.")],
    secret: Annotated[
        str | None, typer.Option(metavar="SECRET|@FILE|-", help="What proves who posts; made where absent.")
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(metavar="HEADER", help="The body is signed, in this header: X-Hub-Signature-256."),
    ] = None,
    header: Annotated[
        str | None, typer.Option(metavar="HEADER", help="The token comes in this header.")
    ] = None,
    known_types: Annotated[
        bool, typer.Option("--known-types", help="Cases of types that are not known are refused.")
    ] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Make a source. A secret that is made here is shown this once."""
    if signature is not None and header is not None:
        raise Invalid("a source has a token or a signature", where="--header", hint="Say one of them.")
    by = {"by": "token" if signature is None else "signature", "header": signature or header}
    settings = {"mapping": _json(mapping), "proof": by, "make_types": not known_types}
    place.run(_create(name, settings, secret, workspace, json))


async def _create(
    name: str, settings: dict[str, Any], secret: str | None, workspace: str | None, json: bool
) -> None:
    given = None if secret is None else credentials_from([f"secret={secret}"])["secret"]
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            made = await flow.create(
                connection, here.services, here.id, name=name, kind=INBOUND, settings=settings, secret=given
            )
        address = f"{HOME}/{here.id}/{name}"
    if json:
        terminal.json({"name": name, "address": address, "secret": made})
        return
    terminal.pairs([("post to", f"https://<your Clarion>{address}"), *([("secret", made)] if made else [])])
    if made:
        terminal.say("Keep the secret where the other system has it: it is not shown again.")


@app.command("set")
def change(
    name: Name,
    mapping: MappingFile = None,
    secret: Annotated[
        str | None, typer.Option(metavar="SECRET|@FILE|-", help="Another secret: of CommCare the user's key.")
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Give a source another mapping, or another secret."""
    if mapping is None and secret is None:
        raise Invalid("nothing is to be changed", hint="Say --mapping or --secret.")
    place.run(_change(name, None if mapping is None else _json(mapping), secret, workspace, json))


async def _change(name: str, mapping: Any, secret: str | None, workspace: str | None, json: bool) -> None:
    given = None if secret is None else credentials_from([f"secret={secret}"])["secret"]
    async with place.opened(workspace) as here, here.tenant() as connection:
        settings = None
        if mapping is not None:
            found = await sources.named(connection, name, INBOUND)
            settings = {**found["settings"], "mapping": mapping}
        row = await flow.change(connection, here.services, here.id, name, settings=settings, secret=given)
    if json:
        terminal.json(row)
    else:
        terminal.say(f"{name} is changed")


@app.command()
def rotate(name: Name, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Make a new secret for a source; the one before is worth nothing from then on."""
    place.run(_rotate(name, workspace, json))


async def _rotate(name: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        made = await flow.rotate(connection, here.services, here.id, name)
    if json:
        terminal.json({"name": name, "secret": made})
    else:
        terminal.pairs([("secret", made)])


@app.command("try")
def try_(
    body: Annotated[Path, typer.Option(metavar="FILE", help="What the system would post, as JSON.")],
    name: Annotated[str | None, typer.Argument(metavar="SOURCE", help="Whose mapping.")] = None,
    mapping: MappingFile = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Show what a body would become; nothing is kept.

    [dim]$[/] clarion source try hmis --body sample.json
    """
    read = None if mapping is None else mapping_of(_object(_json(mapping), "--mapping"))
    place.run(_try(name, read, _json(body), workspace, json))


async def _try(
    name: str | None, mapping: Mapped | None, body: Any, workspace: str | None, json: bool
) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await foresee_of(connection, here.services, name, mapping, body)
    if json:
        terminal.json(
            [
                {
                    "document": one.document, "taken": one.taken,
                    "problems": [
                        {"field": f.field, "reason": f.reason, "severity": f.severity} for f in one.findings
                    ],
                }
                for one in found
            ]
        )  # fmt: skip
        return
    for number, one in enumerate(found, 1):
        _shown(number, one)


def _shown(number: int, one: Would) -> None:
    terminal.result(f"record {number}: {'a case' if one.taken else 'refused'}")
    if one.document is not None:
        terminal.result(orjson.dumps(one.document, option=orjson.OPT_INDENT_2).decode())
    for finding in one.findings:
        terminal.result(f"  {finding.severity}: {finding.field}: {finding.reason}")


@app.command("list")
def listed(workspace: options.Workspace = None, json: options.Json = False) -> None:
    """All sources, and where each posts to; without their secrets."""
    place.run(_list(workspace, json))


async def _list(workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        found = await sources.several(connection)
    if json:
        terminal.json(found)
        return
    terminal.table(
        ("source", "kind", "where"),
        (
            (
                one["name"], one["kind"],
                f"{HOME}/{here.id}/{one['name']}" if one["kind"] == INBOUND else one["settings"]["project"],
            )
            for one in found
        ),
    )  # fmt: skip


@app.command()
def remove(name: Name, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Take a source away; the cases that came from it stay."""
    place.run(_remove(name, workspace, json))


async def _remove(name: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        await flow.remove(connection, name)
    if json:
        terminal.json({"removed": name})
    else:
        terminal.say(f"{name} is taken away; its cases stay")


def _json(path: Path) -> Any:
    """A file as JSON. Raises NotFound, Invalid."""
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFound("no such file", where=str(path)) from None
    except (OSError, ValueError) as error:
        what = f"no JSON: {error}" if isinstance(error, ValueError) else type(error).__name__
        raise Invalid(f"the file cannot be read: {what}", where=str(path)) from None


def _object(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Invalid("a mapping is one JSON object", where=where, hint="docs/sources.md shows one.")
    return given
