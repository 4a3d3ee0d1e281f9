"""The people and campaigns of RapidPro's twin (`twins.rapidpro`): one endpoint of API v2 a file.

`workspace` holds what there is, with every version of it, because reads may lag behind writes; `endpoints`
answers requests; `firing` tells when an event of a campaign speaks, and `fires` to whom.
"""
