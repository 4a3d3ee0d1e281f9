"""The providers that a sandbox can be: one module each, found by being here. Each names its class TWIN."""

from __future__ import annotations

import importlib
import pkgutil

from clarion.sandbox.dialect import Twin
from clarion.sandbox.world import World


def twins(world: World) -> dict[str, Twin]:
    """Every provider's twin for this world, by the module's name, which is the provider's."""
    found: dict[str, Twin] = {}
    for module in pkgutil.iter_modules(__path__):
        twin: type[Twin] = importlib.import_module(f"{__name__}.{module.name}").TWIN
        found[module.name] = twin(world)
    return found
