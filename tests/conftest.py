"""What every test session loads: the list of skips, pytester, with which that list is tested, and whole relays."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester", "tests.skips", "tests.running"]

# A deadline measures the machine, and so does the time that it takes to think
# of an input: on a busy one both pass without any fault of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
