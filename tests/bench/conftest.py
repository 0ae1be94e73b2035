"""One table for a whole run, and crowds that its benchmarks share."""

import os
import platform
from collections.abc import Iterator

import pytest
import trio

from tests.bench.crowd import Crowd
from tests.bench.figures import Figures

_FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash.setdefault(_FIGURES, Figures())


@pytest.fixture(scope="session")
def crowd(request: pytest.FixtureRequest) -> Iterator[Crowd]:
    """`request.param` idle agents. Benchmarks that name the same number share one crowd, one after the other."""
    made = Crowd(request.param)
    try:
        trio.run(made.gather)
        yield made
    finally:
        made.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(_FIGURES, None)
    if figures is None or not figures.rows:
        return
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    terminalreporter.section(f"measured and bars ({machine}, load {os.getloadavg()[0]:.1f})")
    for row in figures.rows:
        terminalreporter.write_line(str(row))
