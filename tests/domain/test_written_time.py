"""Times of day as people write them: what is one is read, what may be two or something else is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.schedule.clocktime import MINUTES, shown
from clarion.domain.written_time import LONGEST, read_time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("18:30", "18:30"), ("06:30", "06:30"), ("00:00", "00:00"), ("23:59", "23:59"), ("12:00", "12:00"),
        ("18.30", "18:30"), ("18.00", "18:00"), ("06.15", "06:15"), ("6.05 pm", "18:05"),
        ("18h30", "18:30"), ("18 h 30", "18:30"), ("08H05", "08:05"), ("18h", "18:00"),
        ("18:30h", "18:30"), ("18:30 hrs", "18:30"), ("06 hrs", "06:00"),
        ("6pm", "18:00"), ("6 PM", "18:00"), ("6 p.m.", "18:00"), ("6 p. m.", "18:00"), ("06pm", "18:00"),
        ("6:30 pm", "18:30"), ("6.30PM", "18:30"), ("06:30 P.M", "18:30"), ("6am", "06:00"),
        ("12am", "00:00"), ("12:15 a.m.", "00:15"), ("12pm", "12:00"), ("12:15pm", "12:15"),
        ("  18:30\n", "18:30"), ("18:30.", "18:30"), ("18:30!", "18:30"),
        ("١٨:٣٠", "18:30"), ("۱۸:۳۰", "18:30"), ("१८:३०", "18:30"), ("১৮.৩০", "18:30"), ("18：30", "18:30"),
        ("\u200f١٨:٣٠\u200f", "18:30"), ("٦:٣٠ م", "18:30"), ("٦:٣٠ ص", "06:30"), ("6 م", "18:00"),
        ("18፡30", "18:30"), ("፲፰፡፴", "18:30"), ("፲፰:፭", "18:05"), ("፳:፲፭", "20:15"), ("፮:፴ PM", "18:30"),
    ],
)  # fmt: skip
def test_a_time_is_read_however_it_is_written(text: str, time: str) -> None:
    found = read_time(text)
    assert found is not None
    assert shown(found) == time


@pytest.mark.parametrize(
    "text",
    [
        "6", "18", "6:30", "6.30", "6h", "6h30", "9:00",  # of the morning or of the evening?
        "፮:፴", "፲፪:፴", "፲፩፡፲፭",  # counted from dawn, most likely
        "12.05", "12.05.", "18.10", "01.12.",  # a date
        "1830", "0630", "18-30", "18,30", "18 30",  # a number, a date, a range
        "24:00", "25:10", "18:60", "18:3", "18:300", "118:30", "13pm", "18:30 pm", "0 am", "00:30 am", "6 p",
        "18:30:00", "-18:30", "+06:30", "18:30-19:00", "18:30 19:00", "18:30?", "~18:30",
        "at 18:30", "18:30 please", "at 7 in the evening", "6 o'clock", "half past six", "noon", "tonight",
        "", " ", ":", "pm", "h", "STOP", "yes", "½pm", "፲", "፩፪:፴", "ok 👍",
    ],
)  # fmt: skip
def test_what_may_be_two_times_or_something_else_is_left_alone(text: str) -> None:
    assert read_time(text) is None


@given(st.integers(0, MINUTES - 1))
def test_every_minute_of_the_day_is_read_back_in_both_ways_of_writing(minutes: int) -> None:
    hour, minute = divmod(minutes, 60)
    assert read_time(shown(minutes)) == minutes
    assert read_time(f"{hour % 12 or 12}:{minute:02} {'pm' if hour >= 12 else 'am'}") == minutes


@given(st.text(max_size=LONGEST * 2))
def test_nothing_that_people_write_breaks_it(text: str) -> None:
    found = read_time(text)
    assert found is None or 0 <= found < MINUTES


def test_a_long_message_is_not_looked_at() -> None:
    assert read_time(" " * LONGEST + "18:30") is None
