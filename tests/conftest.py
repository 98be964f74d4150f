"""What every test session loads: the list of skips, pytester, with which that list is tested, and whole relays."""

pytest_plugins = ["pytester", "tests.skips", "tests.running"]
