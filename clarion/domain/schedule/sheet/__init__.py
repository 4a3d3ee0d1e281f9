"""A schedule as people keep it in a spreadsheet: a row for each message, with its day, time and texts.

day, time, track, text:eng, text:swa      →   {"schedule": …, "contents": …, "sheet": …}

headings   what the columns mean
days       on which day a row is: 3, "day 3", week 2 Monday, a date
times      at what time: 9:00, 9 am, 09:00-21:00
rows       a row as values, and everything that is wrong with it, by line
document   what becomes of it
numbers    which step's number each row has, also when the table is read again
contents   what is said, once each
reading    all of it together
"""
