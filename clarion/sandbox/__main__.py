"""`python -m clarion.sandbox`: a provider in its own process."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clarion.errors import ClarionError
from clarion.sandbox.app import Options, serve


def options(arguments: list[str] | None = None) -> Options:
    """The options of a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m clarion.sandbox",
        description="A provider to rehearse with: it remembers the truth, and fails when told to.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one (default)")
    parser.add_argument("--config", type=Path, help="settings, a JSON file")
    parser.add_argument("--roster", type=Path, help="which people's phones behave how, a CSV file")
    parser.add_argument(
        "--record", type=Path, help="file that keeps the record; an existing one is gone on with"
    )
    parser.add_argument("--ready-file", type=Path, help="file that is written when the sandbox listens")
    parser.add_argument("--allow-public", action="store_true", help="allow an address that others may reach")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when the standard input ends")
    return Options(**vars(parser.parse_args(arguments)))


def main() -> int:
    try:
        serve(options())
    except ClarionError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
