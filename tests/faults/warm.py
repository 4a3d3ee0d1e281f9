"""The last module that the fork server loads: what is there by then stays out of every child's collections,
which would else touch, and so copy, the whole of it."""

from __future__ import annotations

import gc

gc.collect()
gc.freeze()
