"""RapidPro's people and campaigns over its API v2.

`client` asks and writes, `people` reads what is told of people; `plan` is what is to be done so that a
campaign is there as it is wanted, `push` does it, and `shown` tells it. `translate` makes such a campaign of
a sequence of ours, with the texts of `wording`. Where moments differ by person, `slots` makes it, and `held`
writes each person's.
"""
