"""What every part's tests share."""

import subprocess

import pytest

from program import PROGRAM


@pytest.fixture
def run(tmp_path):
    """Run `eventstream` as a user does, with a home of its own, and return what came of it."""

    def run(*arguments, stdin=b"", timeout_s=60, **environment):
        return subprocess.run(
            [PROGRAM, *arguments],
            input=stdin.decode() if isinstance(stdin, bytes) else stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(tmp_path),
                "EVENTSTREAM_HOME": str(tmp_path / "home"),
                **environment,
            },
        )

    return run
