"""The commands there are: which module speaks each, and its line in `clarion --help`.

A module is imported when its command is called, so that `clarion --help` and the shell's completion
answer at once whatever the rest needs. Each has a Typer with one command, or a group of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

SAY, RUN, LOOK, SETUP = "Say something", "Run it", "Look", "Set up"


@dataclass(frozen=True, slots=True)
class Line:
    """One command: its name, `module` or `module:app` below `clarion.cli`, what it does, and its panel."""

    name: str
    module: str
    help: str
    panel: str


COMMANDS: tuple[Line, ...] = (
    Line("demo", "demo", "The whole thing on sample people, with a provider that only pretends.", SAY),
    Line("send", "send", "Say something to the people in a file, once each.", SAY),
    Line("announcement", "announcement", "Announcements: list, show, edit, pause, cancel, results.", SAY),
    Line("sequence", "sequence", "Sequences: people followed from a date of their own.", SAY),
    Line("alert", "alert", "Alerts: people are told of cases that meet criteria.", SAY),
    Line("schedule", "schedule", "When a campaign would speak to somebody: preview.", SAY),
    Line("rehearse", "rehearse", "What a campaign would do, and what does not fit; nothing is sent.", SAY),
    Line("import", "contacts", "Take people in from a file.", SAY),
    Line("case", "case", "Cases, what is tracked: types, import, show.", SAY),
    Line("commcare", "commcare", "CommCare: its cases come in: connect, pull, stop.", SAY),
    Line("source", "source", "Other systems that post cases here: create, try, list.", SAY),
    Line("rapidpro", "rapidpro", "RapidPro or TextIt: people come in, campaigns go out: import, push.", SAY),
    Line("serve", "running:serve_app", "Serve the API, with a worker inside.", RUN),
    Line("worker", "running:worker_app", "Send what is due, read what comes in. As many as wanted.", RUN),
    Line("sandbox", "sandbox", "A provider to rehearse with, in a process of its own.", RUN),
    Line("doctor", "doctor", "Check everything, and say what to do.", LOOK),
    Line("explain", "explain", "Why a message, or a person, is as they are.", LOOK),
    Line("unknown", "unknown", "Messages of which nobody knows whether they went: list, settle.", LOOK),
    Line("jobs", "jobs:app", "Housekeeping jobs: list, retry.", LOOK),
    Line("workers", "jobs:workers_app", "The workers, on all machines.", LOOK),
    Line("workspace", "workspace", "Workspaces, the tenants: create, list, set.", SETUP),
    Line("channel", "channel", "Channels, the accounts at providers: create, list, set, pause.", SETUP),
    Line("pool", "pool", "Pools: channels that stand for one another, by prefix and weight.", SETUP),
    Line("contact", "contact", "People who are known: give one a channel of their own.", SETUP),
    Line("group", "group", "Groups of people, that may own cases: list, create, set.", SETUP),
    Line("subscription", "subscription", "Who is told what happens: create, list, rotate, pause.", SETUP),
    Line("consent", "consent", "Words that stop messages, by language, and what we answer.", SETUP),
    Line("key", "key", "Keys to the API: create, list, revoke.", SETUP),
    Line("migrate", "maintenance:migrate_app", "Bring a database to this version's schema.", SETUP),
    Line("backup", "maintenance:backup_app", "The whole database into one file, while it is in use.", SETUP),
    Line("restore", "maintenance:restore_app", "A backup back into an empty database.", SETUP),
)


class Commands(TyperGroup):
    """The root group: help is written from the table, a module is loaded when its command is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for line in COMMANDS:
            self.commands[line.name] = TyperCommand(
                line.name, help=line.help, rich_markup_mode="rich", rich_help_panel=line.panel
            )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """What `args` names, loaded."""
        for line in COMMANDS:
            if args and args[0] == line.name:
                self.commands[line.name] = load(line)
        return super().resolve_command(ctx, args)


def load(line: Line) -> TyperCommand | TyperGroup:
    """A command with everything that it needs."""
    module, _, name = line.module.partition(":")
    app: typer.Typer = getattr(import_module(f"clarion.cli.{module}"), name or "app")
    command = get_command(app)
    command.name = line.name
    assert isinstance(command, TyperCommand | TyperGroup)
    return command


def single(help: str | None = None) -> typer.Typer:
    """A Typer for one command."""
    return typer.Typer(help=help, add_completion=False, rich_markup_mode="rich")


def group(help: str, examples: Sequence[str] = ()) -> typer.Typer:
    """A Typer for a group of commands, with examples below its help."""
    told = "\n".join([help, "", *(f"[dim]$[/] {example}" for example in examples)])
    return typer.Typer(help=told, no_args_is_help=True, add_completion=False, rich_markup_mode="rich")
