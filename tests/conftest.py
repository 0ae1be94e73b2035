"""Options of the whole suite."""

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how many random kill -9 the fault tests do")
    parser.addoption("--seed", type=int, default=None, help="repeat a fault test with the seed it printed")
