"""The VS Code extension's protocol.ts says what the daemon's records are."""

import subprocess
import sys

from tests.harness import ROOT

SCRIPT = ROOT / "clients" / "vscode" / "scripts" / "generate.py"


def test_the_extensions_protocol_is_made_from_the_daemons_records() -> None:
    made = subprocess.run(
        [sys.executable, SCRIPT, "--check"], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
