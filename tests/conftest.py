"""Options of the whole suite, and a place for a whole daemon."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.harness import Place, leftovers

# How long an example takes says something about the machine, not about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how many random kill -9 the fault tests do")
    parser.addoption("--agents", type=int, default=60, help="how many agents work at once in the tests of scale")
    parser.addoption("--seed", type=int, default=None, help="repeat a fault test with the seed it printed")


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert leftovers() == []


@pytest.fixture
def place() -> Iterator[Place]:
    """A place per test, and nothing left of it afterwards."""
    made = Place()
    try:
        yield made
    finally:
        made.close()
    assert not made.agent_pids()
    assert not made.root.exists()
