"""Servers that are not run as root: whom they run as then, and what that user can reach.

No user is added and no folder's mode is changed. Where the user cannot reach a folder, root's home
say, its files are in a folder of ours under /var/tmp, which belongs to root.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from eventstream.errors import LocalServerError

_NAMES = ("nobody", "daemon")
_OWNER = "home"


class Account(NamedTuple):
    """An existing user without rights."""

    name: str
    uid: int
    gid: int


def account() -> Account | None:
    """Return whom servers run as: `None` is this user, who is not root.

    Raises:
        LocalServerError: This is root, and the system knows no user without rights.
    """
    if os.geteuid():
        return None
    for name in _NAMES:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    raise LocalServerError(
        "Database servers are not run as root, and this system has no user `nobody` to run them as;"
        " start them as another user."
    )


def can_reach(path: Path, user: Account | None) -> bool:
    """Whether a user may enter a folder, or run a file, by the modes of all on the way there."""
    if user is None:
        return True
    return all(_may_enter(each, user) for each in (path, *path.resolve().parents))


def place_for(folder: Path, user: Account | None) -> Path:
    """Return the folder that holds a server's data: this one, or one its user can reach.

    Args:
        folder: Where the data belongs; it exists.
        user: Whom the server runs as.

    Raises:
        LocalServerError: Somebody else holds the name of our folder under /var/tmp.
    """
    if can_reach(folder, user):
        return folder
    shared = reachable_folder()
    _sweep(shared)
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()
    place = shared / f"data-{digest[:16]}"
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    (place / _OWNER).write_bytes(os.fsencode(folder.absolute()))
    return place


def reachable_folder() -> Path:
    """Make the folder of ours that every user can reach, and only root can change.

    Raises:
        LocalServerError: Somebody else holds its name.
    """
    parent = Path("/var/tmp")  # noqa: S108 - its owner is checked, so nobody can lay a trap there
    if not parent.is_dir():
        parent = Path(tempfile.gettempdir())
    folder = parent / "eventstream-root"
    folder.mkdir(exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LocalServerError(f"{folder} belongs to somebody else; remove it.")
    folder.chmod(0o755)
    return folder


def copy_within_reach(name: str, *folders: Path, leaves_out: tuple[str, ...] = ()) -> Path:
    """Copy folders of programs side by side to where every user can run them, once.

    Args:
        name: What the copy is called, its version in it.
        folders: What is copied.
        leaves_out: Names of what is not.

    Returns:
        The folder the copies are in.
    """
    target = reachable_folder() / name
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="new-") as arriving:
            new = Path(arriving) / "copy"
            unused = shutil.ignore_patterns(*leaves_out)
            for folder in folders:
                shutil.copytree(folder, new / folder.name, symlinks=True, ignore=unused)
            for path in (new, *new.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            if not target.exists():
                new.rename(target)
    return target


def _may_enter(path: Path, user: Account) -> bool:
    found = path.stat()
    if found.st_uid == user.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == user.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _sweep(shared: Path) -> None:
    """Delete the data of servers whose own folder is gone, as a killed test run leaves it."""
    for owner in shared.glob(f"data-*/{_OWNER}"):
        if not Path(os.fsdecode(owner.read_bytes())).exists():
            shutil.rmtree(owner.parent, ignore_errors=True)
