"""Rehearsing a campaign: what would fall due, and what its channels would carry of it. Pure.

reckoning  what falls due, counted by who is alike and by moment
late       what was due before the rehearsal begins
enough     what the caps hold
carrying   what a channel carries of what falls due, in order
tables     counts by minute as days, hours and the busiest minute
"""
