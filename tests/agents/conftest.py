"""A stand-in model, a receiver of hooks and a HOME for each test; and a table of what was measured, at the end."""

from collections.abc import AsyncIterator, Callable, Iterator
from statistics import median

import pytest

from tests.agents.claude import PROGRAM, Home
from tests.agents.hooks import Hooks, receiving
from tests.fakes.model.server import Model, serving

Measured = Callable[[str, float], None]
MEASURED = "measured"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for each in terminalreporter.stats.values() for report in each]
    found: dict[str, list[float]] = {}
    for each in reports:
        for name, value in each.user_properties if getattr(each, "when", "") == "call" else ():
            if name == MEASURED:
                found.setdefault(value[0], []).append(value[1] * 1000)
    if found:
        terminalreporter.section("measured, not asserted")
        terminalreporter.write_line(f"{'ms':>9}  moment")
    for what, times in found.items():
        most = f" (at most {max(times):.1f}, of {len(times)})" if len(times) > 1 else ""
        terminalreporter.write_line(f"{median(times):9.1f}  {what}{most}")


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
