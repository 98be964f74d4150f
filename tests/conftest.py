"""What every test session loads: the list of skips, pytester, with which that list is tested, and whole relays."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester", "tests.skips", "tests.running"]

# A deadline measures the machine, and so does the time that it takes to think
# of an input: on a busy one both pass without any fault of what is tested.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same inputs in each run: what is found is then found by whoever has caused it, and again.
settings.register_profile("repeatable", _UNHURRIED, derandomize=True)
# Others in each run, and ten times as many: pytest --hypothesis-profile=searching
settings.register_profile("searching", _UNHURRIED, max_examples=1_000, print_blob=True)
settings.load_profile("repeatable")
