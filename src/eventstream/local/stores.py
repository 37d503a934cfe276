"""The databases beside the stack: local ones, or those the settings name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from eventstream.errors import InvalidSetting, LocalServerError
from eventstream.local import database, failures
from eventstream.local.database import RunningDatabase
from eventstream.local.postgres import POSTGRES
from eventstream.local.process import ServerProcess
from eventstream.local.valkey import VALKEY
from eventstream.settings import ENV_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.local.progress import Progress
    from eventstream.settings import HomeSettings, StoreSettings

_HOST = r"(?:\[[0-9a-fA-F:.]+\]|[\w.%-]*)(?::\d{1,5})?"
_PLAIN = re.compile(
    r"(?P<scheme>\w+://)(?:(?P<user>[^:@/?#\s]*)(?::[^@/?#\s]*)?@)?"
    rf"(?P<place>{_HOST}(?:,{_HOST})*(?:/[^:@?#\s]*)?)(?:\?[^@#\s]*)?"
)


class _Choice(NamedTuple):
    """A database that can be started: which server it is, and the setting that names another."""

    kind: database.Kind
    setting: str

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        return ENV_PREFIX + self.setting.upper()


_CHOICES = {"postgres": _Choice(POSTGRES, "postgres_dsn"), "redis": _Choice(VALKEY, "redis_url")}
_OTHER_NAMES = {"valkey": "redis"}


class Store(msgspec.Struct, frozen=True):
    """A database beside the stack, as others may see it: no password is in it.

    Attributes:
        name: `postgres` or `redis`.
        where: Its address.
        process: Its first process; `None` where a setting names it.
        log: The file of its output, likewise.
    """

    name: str
    where: str
    process: ServerProcess | None = None
    log: str | None = None

    @property
    def state(self) -> str:
        """`ready` or `ended`; `given` where a setting names it."""
        if self.process is None:
            return "given"
        return "ended" if self.process.running is None else "ready"

    @property
    def ending(self) -> str:
        """How it ended, where that is known, and where more is to be read."""
        how = failures.ending(Path(self.log).read_text(errors="replace")) if self.log else ""
        return f"{how or 'it left no word'}; its log is {self.log}"


class Stores:
    """Starts the databases that are asked for, and stops those again.

    Args:
        names: Which, as `chosen` gives them.
        home: Where their data and logs are.
        given: The settings; one that names a database takes the place of a local one.
        progress: Who hears that it does.
    """

    def __init__(
        self, names: tuple[str, ...], home: HomeSettings, given: StoreSettings, progress: Progress
    ) -> None:
        self._names = names
        self._home = home
        self._progress = progress
        self._started: list[tuple[str, RunningDatabase]] = []
        self.environment = {
            choice.variable: url
            for choice in _CHOICES.values()
            if (url := getattr(given, choice.setting))
        }
        """What tells a program how to reach them, passwords included."""

    def start(self) -> Iterator[Store]:
        """Start one after the other, each given once it answers.

        Raises:
            LocalServerError: One cannot start.
        """
        for name in self._names:
            kind, variable = _CHOICES[name].kind, _CHOICES[name].variable
            url = self.environment.get(variable)
            if url is not None:
                where = without_password(url) or f"as {variable} says"
                self._progress.say(f"{kind.name} is the one {variable} names; none is started.")
                yield Store(name, where)
                continue
            running = database.start(RunningDatabase, kind, self._home.home)
            if not running.was_running:
                self._started.append((kind.name, running))
            self.environment[variable] = running.url
            where = without_password(running.url) or ""
            yield Store(name, where, running.process, str(running.log))

    def stop(self) -> None:
        """Stop what was started, in the opposite order."""
        for name, running in reversed(self._started):
            self._progress.say(f"Stopping {name} ...")
            running.stop()


def chosen(text: str) -> tuple[str, ...]:
    """Read names of databases, separated by commas; `valkey` is `redis` by another name.

    Raises:
        InvalidSetting: There is no such database.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(dict.fromkeys(_known(name) for name in names))


def address_of(name: str, home: HomeSettings, given: StoreSettings) -> str:
    """Return how to reach a database, password included: the one a setting names, or the local one.

    Raises:
        InvalidSetting: There is no such database.
        LocalServerError: It does not run.
    """
    name = _known(name)
    kind, setting = _CHOICES[name]
    url: str | None = getattr(given, setting)
    if url:
        return url
    running = database.find(RunningDatabase, kind, home.home)
    if running is None:
        raise LocalServerError(
            f"No {kind.name} runs here; start one: eventstream up --with {name}."
        )
    return running.url


def without_password(url: str) -> str | None:
    """Return a URL without password and parameters; `None` where it may hide one elsewhere."""
    found = _PLAIN.fullmatch(url)
    if found is None:
        return None
    user = f"{found['user']}@" if found["user"] else ""
    return found["scheme"] + user + found["place"]


def _known(name: str) -> str:
    name = _OTHER_NAMES.get(name, name)
    if name not in _CHOICES:
        raise InvalidSetting(f"There is no database {name!r}; choose {' or '.join(_CHOICES)}.")
    return name
