"""A minute of mixed receivers: memory and descriptors stay flat, and every message ends as its receiver's script implies."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.installation import environment

pytestmark = pytest.mark.story

SOAK = Path(__file__).parents[2] / "bench/soak.py"
SECONDS = 60


def test_a_minute_of_everything(tmp_path: Path) -> None:
    """Fast, slow, encrypted, greylisting, refusing, dropping, failing and dead receivers at once."""
    ran = subprocess.run(
        [sys.executable, str(SOAK), "--seconds", str(SECONDS), "--rate", "40", "--data", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS + 120,
        env=environment(),
        check=False,
    )
    figures = json.loads(ran.stdout)
    assert [] == figures["faults"]
    assert figures["sent"] >= SECONDS * 20
    assert 0 == ran.returncode
