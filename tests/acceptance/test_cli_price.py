"""What it would cost, told on the command line before it is sent."""

from __future__ import annotations

from tests.acceptance.command import Terminal

TEMPLATE = ("--template", "clinic", "--param", "Closed on Monday")


def test_whoever_sends_is_told_what_it_would_cost(selam: Terminal) -> None:
    selam.ok(
        "channel", "set", "staff", "--set",
        'prices={"currency": "KES", "by_prefix": {"+254": 0.8}, "otherwise": 2.5}',
    )  # fmt: skip
    selam.write("costly.csv", "id,name,phone\nE-1,Amina,+254712004001\nE-2,Abebe,+251911004002\n")
    said = selam.ok("send", "--to", "costly.csv", *TEMPLATE, "--name", "costly", "--no-wait")
    assert "It takes about KES 3.30." in said.err
    wrong = selam.run("channel", "set", "staff", "--set", 'prices={"currency": "shilling"}')
    assert (wrong.code, "config.prices.currency" in wrong.err) == (65, True)
    selam.ok("channel", "set", "staff", "--set", "prices=")
    selam.write("cheap.csv", "id,name,phone\nE-3,Rosa,+353850004003\n")
    said = selam.ok("send", "--to", "cheap.csv", *TEMPLATE, "--name", "cheap", "--no-wait")
    assert "KES" not in said.err
