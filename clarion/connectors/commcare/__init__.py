"""CommCare's cases: as they are forwarded at each save, and as they are listed by its API.

`cases` makes a document of ours of what is told of one case, with its `properties`; `client` asks for the
list, and `reading` reads it page by page from a place that can be kept.
"""
