"""The unit file on the page about production, judged by systemd itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_unit_file(tmp_path):
    page = (ROOT / "docs/how-to/run-in-production.md").read_text()
    [text] = re.findall(
        r'^```text title="orchestrate.service"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL
    )
    unit = tmp_path / "orchestrate.service"
    program = str(Path(sys.executable).with_name("orchestrate"))
    unit.write_text(text.replace("/opt/orchestration/bin/orchestrate", program))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )

    mine = [line for line in done.stderr.splitlines() if unit.name in line]
    assert mine == []
