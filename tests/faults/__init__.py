"""The fault suite: real worker processes, a real database, a real provider process, killed for real.

`scene` sets a small world up and judges it; `crew` starts, kills and freezes workers; the tests say
which faults meet. Everything random comes from one seed, which a failure prints.
"""
