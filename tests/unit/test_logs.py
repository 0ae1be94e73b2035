"""A log tells what failed and where, and nothing of what was in hand."""

import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from supervisor.daemon import logs
logs.set_up("info", {form!r})
def fail(token):
    raise ValueError("it broke")
try:
    fail("hush-" + "hush")
except ValueError as error:
    structlog.get_logger().error("failed", exc_info=error)
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_variables(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(form=form)], capture_output=True, text=True, check=True, timeout=30
    )
    assert "it broke" in done.stderr
    assert "fail" in done.stderr
    assert "hush-hush" not in done.stderr
    assert done.stdout == ""
