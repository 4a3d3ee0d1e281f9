"""`clarion sandbox`: a provider to rehearse with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clarion.cli.commands import single
from clarion.sandbox.app import Options, serve

app = single()


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 0,
    config: Annotated[Path | None, typer.Option(help="Settings, a JSON file.")] = None,
    roster: Annotated[Path | None, typer.Option(help="Which people's phones behave how, a CSV file.")] = None,
    record: Annotated[
        Path | None, typer.Option(help="File that keeps the record; an existing one is gone on with.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="File that is written when the sandbox listens.")
    ] = None,
    allow_public: Annotated[
        bool, typer.Option("--allow-public", help="Allow an address that others may reach.")
    ] = False,
    end_with_stdin: Annotated[
        bool, typer.Option("--end-with-stdin", help="End when the standard input ends.")
    ] = False,
) -> None:
    """A provider that only pretends: it speaks WhatsApp's protocol, remembers the truth, fails when told to.

    Prints one line of JSON when it listens. Point a channel at it with `--set base_url=…`; its token is
    `sandbox-token`. docs/sandbox.md tells every fault and setting.

    [dim]$[/] clarion sandbox --port 8700 --roster examples/roster.csv
    """
    serve(
        Options(
            host=host, port=port, config=config, roster=roster, record=record, ready_file=ready_file,
            allow_public=allow_public, end_with_stdin=end_with_stdin,
        )
    )  # fmt: skip
