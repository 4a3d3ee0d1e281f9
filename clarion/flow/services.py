"""What the verbs work with. `clarion.wiring` makes one for a process and hands it in."""

from __future__ import annotations

from dataclasses import dataclass, field

from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.metrics import Metrics
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings


@dataclass(frozen=True)
class Services:
    """The parts of a running process. Tests make their own with a moved clock or another database."""

    db: Database
    clock: Clock
    settings: Settings
    box: SecretBox
    metrics: Metrics = field(default_factory=Metrics)
