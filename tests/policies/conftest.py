"""How the property tests here are run."""

from hypothesis import settings

# A deadline measures the machine: on a busy one, 200 ms pass without any fault
# of what is tested.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")
