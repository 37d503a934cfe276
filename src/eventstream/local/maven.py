"""Jars from Maven repositories, through jgo."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

from eventstream.errors import LocalServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ATTEMPTS = 3


def context(folder: Path, advance: Callable[[int], None] | None = None) -> MavenContext:
    """Return jgo's view of the Maven repositories, the user's own configuration included.

    Args:
        folder: Where it puts what it downloads.
        advance: Told of the bytes of each piece that arrives.
    """

    @contextmanager
    def follow(_name: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
        yield advance or (lambda _: None)

    return MavenContext(
        resolver=PythonResolver(progress_callback=follow),
        repo_cache=folder,
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
    )


class Download:
    """Fetches single jars; may be called from several threads.

    Args:
        title: What the jars are, for an error's sentence.
        folder: Where the jars arrive.
        advance: Told of the bytes of each piece that arrives.
    """

    def __init__(self, title: str, folder: Path, advance: Callable[[int], None]) -> None:
        self._title = title
        self._maven = context(folder, advance)

    def __call__(self, coordinates: str) -> Path:
        """Fetch one jar, group:artifact:version, and return its file.

        Raises:
            LocalServerError: There is no network, or no repository has it.
        """
        artifact = self._maven.create_dependency(coordinates).artifact
        arriving = Path(str(artifact.cached_path))
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                return Path(artifact.resolve())
            except requests.RequestException as error:
                arriving.unlink(missing_ok=True)
                if not attempts_left:
                    raise LocalServerError(_unreachable(self._title, error)) from None
            except RuntimeError:
                raise LocalServerError(
                    f"{coordinates} is in none of the Maven repositories that jgo knows here:"
                    f" {', '.join(self._maven.remote_repos)}."
                ) from None
        raise AssertionError


def _unreachable(title: str, error: requests.RequestException) -> str:
    reason = "it was too slow" if isinstance(error, requests.Timeout) else "no connection"
    return (
        f"The jars of {title} are not all on this machine and could not be downloaded ({reason}):"
        " connect to the network once, or name a Maven mirror in jgo's configuration file."
    )
