"""How the property tests here are run."""

from hypothesis import HealthCheck, settings

# A deadline measures the machine, and so does the time that it takes to think
# of an input: on a busy one both pass without any fault of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
