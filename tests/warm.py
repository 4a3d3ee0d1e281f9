"""All that processes of ours may import, loaded once in the server that the tests' processes are forked from.

What is there by the end of this stays out of every child's collections, which would else touch, and so copy,
the whole of it.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil

import rich.markdown
import typer.rich_utils
import uvloop

import clarion.cli
from clarion import wiring
from clarion.providers import registry
from tests.acceptance import command
from tests.faults import crew, hooks, mutants

LOADED = (rich.markdown, typer.rich_utils, uvloop, wiring, command, crew, hooks, mutants)

for module in pkgutil.iter_modules(clarion.cli.__path__):
    if module.name != "__main__":
        importlib.import_module(f"clarion.cli.{module.name}")
registry.heard()
gc.collect()
gc.freeze()
