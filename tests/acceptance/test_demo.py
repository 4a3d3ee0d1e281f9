"""The demo: the whole thing on the sample people, from nothing to what became of everybody."""

from __future__ import annotations

import re
from pathlib import Path

from tests.acceptance.command import Terminal


def test_the_demo_sends_to_everybody_once_and_says_what_became_of_them(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)

    ended = terminal.run("demo", "--exit", timeout=240)

    assert ended.code == 0, ended.err
    assert re.search(r"\d+ +(read|delivered)", ended.out)
    assert re.search(r"\d+ +skipped +asked for no more messages", ended.out)
    assert " 0 phones that show it twice" in ended.out
    assert "until somebody confirms" in ended.err
    state = tmp_path / "state" / "demo"
    assert not list(state.glob("flight/*")), "a worker left calls under way"
