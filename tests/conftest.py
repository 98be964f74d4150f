"""What every test session loads: the list of skips, and pytester, with which that list is tested."""

pytest_plugins = ["pytester", "tests.skips", "tests.running"]
