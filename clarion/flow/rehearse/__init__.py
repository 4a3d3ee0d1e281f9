"""Rehearsing a campaign: the real engine, on a copy of the audience, against a clock and channels that are
only reckoned. Nothing is written and nobody is told.

rehearse      the verb: copies in one snapshot, reckons without the database, tells
scene         what a campaign goes over, as it is now: channels, prices, hours
speech        what its contents take: segments, and whom nothing can be said to
announcement  everybody at one moment
everybody     the people of a sequence, copied small
sequence      each of them through the real schedule
outcome       what it came to, by channel, day and hour
advice        what a person should know before it is launched
"""
