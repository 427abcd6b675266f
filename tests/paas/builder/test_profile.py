"""Scripts that an instance sources before its command."""

import os
import subprocess
from pathlib import Path

from paas.builder import profile


def test_scripts_are_sourced_in_their_order_and_the_command_takes_their_place(
    tmp_path: Path,
) -> None:
    scripts = tmp_path / ".profile.d"
    scripts.mkdir()
    (scripts / "1.sh").write_text("export SEEN=1 HERE=$HOME\n")
    (scripts / "2.sh").write_text("SEEN=${SEEN}2\nfalse\n")
    (scripts / "3.txt").write_text("SEEN=no\n")
    (tmp_path / ".profile").write_text('SEEN="${SEEN}, own"\n')
    argv = profile.sourcing(["sh", "-c", 'echo "$$ $SEEN $HERE $1"', "sh", "a  b"])
    with subprocess.Popen(
        argv, cwd=tmp_path, env={"PATH": os.defpath}, stdout=subprocess.PIPE, text=True
    ) as started:
        said, _ = started.communicate(timeout=30)
    assert said == f"{started.pid} 12, own {tmp_path} a  b\n"


def test_without_scripts_nothing_stands_in_its_way(tmp_path: Path) -> None:
    done = subprocess.run(profile.sourcing(["false"]), cwd=tmp_path, timeout=30, check=False)
    assert done.returncode == 1
