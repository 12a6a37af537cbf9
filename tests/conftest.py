"""Property tests draw the same examples on every machine and are not timed: a slow machine is not a defect."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
