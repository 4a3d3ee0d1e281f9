"""What a campaign is: some providers tie templates, tags and windows to that, and its readers care too."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """`utility`: people need it (closed on Monday, your appointment). `marketing`: somebody wants them to
    buy, or to come. `survey`: it asks something. `reply`: it answers what they wrote."""

    UTILITY = "utility"
    MARKETING = "marketing"
    SURVEY = "survey"
    REPLY = "reply"
