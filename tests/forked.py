"""Processes of the tests, forked from a server that has everything loaded: they may be thousands."""

from __future__ import annotations

import multiprocessing

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.warm"])
