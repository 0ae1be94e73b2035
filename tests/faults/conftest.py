"""A place per test, and nothing left of it afterwards."""

from collections.abc import Iterator

import pytest

from tests.harness import Place


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    try:
        yield made
    finally:
        made.close()
    assert not made.agent_pids()
    assert not made.root.exists()
