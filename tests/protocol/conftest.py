"""Hypothesis without its deadline: no test here depends on how fast a machine is."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
