"""What holds for all tests."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
"""A busy machine is no failure: no example has a time limit of its own, nor has making one."""
