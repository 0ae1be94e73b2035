"""What looks for leftovers finds them: a folder, and a process that only its working directory gives away."""

import subprocess
import tempfile
from pathlib import Path

from tests.harness import MARK, leftovers


def test_leftovers_are_found() -> None:
    with tempfile.TemporaryDirectory(prefix=MARK, dir="/tmp") as name:
        process = subprocess.Popen(["cat"], cwd=name, stdin=subprocess.PIPE)
        try:
            found = leftovers()
        finally:
            process.communicate()
    assert str(Path(name)) in found
    assert any(each.startswith(f"process {process.pid}:") for each in found)
    assert leftovers() == []
