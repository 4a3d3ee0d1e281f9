"""A project of CommCare's: its cases, the list of them (`listing`), and forwarding each save (`forwarding`).

`project` has the truth, `shapes` the two documents that tell of a case, `endpoints` what is answered and
`settings` what can be set. It follows CommCare's public documentation, and its source where that is silent.
"""
