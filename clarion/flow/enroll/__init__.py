"""Following people through a campaign's schedule.

course   a campaign that follows people, ready for work
door     who enters, who leaves, and what comes next of each
due      what has fallen due becomes messages
steer    pause, resume, skip, move, restart or take out a person
choose   the time of day that a person chose
crowd    the same with many at once
fill     going through everybody, when it is launched and when its door has changed
match    who was touched is brought in step
new_day  filters that count days mean others every day
would    what an edit would do, before it is made; would_tell: of an alert, or its launch
watch    the loop of a worker that looks for what is due, and who was touched
"""
