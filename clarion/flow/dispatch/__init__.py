"""Dispatch: a supervised loop in each worker that owns channels and sends what is due on them.

`dispatcher` shares the channels out and beats; `desk` is one owned channel; `lanes` reads ahead;
`judge` says what an answer means; `settler` writes it down; `recover` deals with a dead owner's calls.
"""
