"""Property tests draw the same examples on every machine and are not timed: a slow machine is not a defect.

No test reads prices that somebody refreshed on this machine.
"""

import os

from hypothesis import settings

os.environ["STACKWRIGHT_CATALOG_DIR"] = "none"

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
