"""What every test shares: generated cases are the same in each run, so that a red run means a change; HYPOTHESIS_PROFILE=long
looks for new ones."""
import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
