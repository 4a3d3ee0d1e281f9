"""When a campaign speaks to one subject: the only code that computes moments.

    plan = Plan(Schedule.model_validate(document))
    for occurrence in plan.occurrences(subject, since, until): ...

Same schedule, same subject, same answer, for ever: what is random comes from a hash of the campaign's seed,
the subject and the occurrence (`draws`), so it can be shown before it happens, and a restart moves nothing.

    model      the document: start, steps, random days, repeat, until, hours, holidays
    subject    whom it is for: their values, zone and place in the audience
    starts     where day 0 is
    iterations when each iteration begins
    days       on which days of an iteration its steps fall
    times      at which minute of such a day
    zones      from local time to moments: clock changes by declared policy
    holds      holidays, quiet hours
    course     one subject and one iteration: which occurrences
    plan       all of it together
    check      what is wrong with a schedule, before anybody is in it
    sentence   what a schedule says, in words
"""
