"""A stand-in model, a receiver of hooks and a HOME for each test; and a table of what was measured, at the end."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.agents.claude import PROGRAM, Home
from tests.agents.hooks import Hooks, receiving
from tests.fakes.model.server import Model, serving

Measured = Callable[[str, float], None]
MEASURED = "measured"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for each in terminalreporter.stats.values() for report in each]
    found = [value for each in reports for name, value in getattr(each, "user_properties", ()) if name == MEASURED]
    if found:
        terminalreporter.section("measured, not asserted")
    for what, seconds in dict.fromkeys(map(tuple, found)):
        terminalreporter.write_line(f"{seconds * 1000:9.1f} ms  {what}")


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Note how long something took. It travels with the test's report, also from a worker process."""
    return lambda what, seconds: request.node.user_properties.append((MEASURED, (what, seconds)))


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    if not PROGRAM.exists():
        pytest.fail("the agent CLIs are not installed: make agents", pytrace=False)
    async with serving() as model:
        yield model
    strays = [f"{request.method} {request.path}" for request in model.strays]
    assert not strays, f"it wanted to reach what it must not: {strays}"


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    async with receiving() as hooks:
        yield hooks


@pytest.fixture
def home(model: Model) -> Iterator[Home]:
    made = Home(model)
    try:
        yield made
    finally:
        made.close()
