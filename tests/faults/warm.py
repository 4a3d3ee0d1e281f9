"""The last module that the fork server loads: what is there by then stays out of every child's collections,
which would else touch, and so copy, the whole of it."""

from __future__ import annotations

import gc

from clarion.providers import registry

registry.heard()  # a worker asks for all providers when it begins
gc.collect()
gc.freeze()
