"""The folder of schemas, `<topic>.json`: read by every process, changed by one at a time.

Whoever reads sees a whole schema, the old one or the new one. Whoever changes one holds the
folder's lock, so that processes and replicas on one machine agree on what was there before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from eventstream.errors import InvalidSchema
from eventstream.gateway.problems import Problem, Rejected
from eventstream.gateway.schemas.compatibility import incompatibility
from eventstream.gateway.schemas.documents import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".json"
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_LOCK_NAME = "schemas.lock"
_ARRIVING_NAME = "schemas.arriving"

Signature = tuple[int, int, int]
"""A file's modification time, size and inode: another file, or a changed one, has others."""


class Conditions(NamedTuple):
    """What must hold for a change (RFC 9110, section 13.1).

    Attributes:
        if_match: The `If-Match` header.
        if_none_match: The `If-None-Match` header.
        force: Whether an incompatible schema may be put all the same.
    """

    if_match: str | None = None
    if_none_match: str | None = None
    force: bool = False


class Folder:
    """The schemas' files.

    Args:
        path: Where they are.
        mode: How a schema may change; see `compatibility.MODES`.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        self.mode = mode

    def signatures(self) -> dict[str, Signature]:
        """Return the signature of each schema's file, by topic.

        Raises:
            OSError: The folder cannot be read.
        """
        found = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                if not entry.name.endswith(SUFFIX):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    signature = (status.st_mtime_ns, status.st_size, status.st_ino)
                    found[entry.name.removesuffix(SUFFIX)] = signature
        return found

    def read(self, topic: str) -> Document | None:
        """Read a topic's schema; `None` when there is none.

        Raises:
            InvalidSchema: The file is not a schema, or cannot be read.
        """
        if not is_topic(topic):
            raise InvalidSchema(f"{topic[:260]!r} cannot be a topic's name.")
        try:
            return Document(self._file(topic).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidSchema(f"It cannot be read: {error.strerror}.") from None

    def put(self, topic: str, text: bytes, conditions: Conditions) -> tuple[Document, bool]:
        """Put a topic's schema in place; may block for as long as another change takes.

        Returns:
            The schema, and whether it is the topic's first.

        Raises:
            Rejected: It is no schema, a condition does not hold, or it is not compatible with the
                one before. Nothing has changed.
        """
        check_topic(topic)
        try:
            new = Document(text)
        except InvalidSchema as error:
            raise Rejected(
                Problem(422, "invalid-schema", f"This is not a schema: {error}")
            ) from None
        with self._locked():
            old = self._before(topic, conditions)
            is_first = not self._file(topic).exists()
            if old is not None and old.text == text:
                return new, False
            self._check_conditions(topic, conditions, None if old is None else old.etag)
            if old is not None and not conditions.force:
                gap = incompatibility(old, new, self.mode)
                if gap is not None:
                    raise Rejected(
                        Problem(
                            409,
                            "incompatible-schema",
                            f"{gap} Put it with ?force=true to have it all the same.",
                        )
                    )
            self._write(topic, text)
        return new, is_first

    def delete(self, topic: str, conditions: Conditions) -> None:
        """Remove a topic's schema; may block likewise.

        Raises:
            Rejected: There is none, or a condition does not hold.
        """
        check_topic(topic)
        with self._locked():
            old = self._before(topic, conditions._replace(force=True))
            if not self._file(topic).exists():
                raise Rejected(no_schema(topic))
            self._check_conditions(topic, conditions, None if old is None else old.etag)
            self._file(topic).unlink()
            self._sync()

    def _file(self, topic: str) -> Path:
        return self.path / f"{topic}{SUFFIX}"

    def _before(self, topic: str, conditions: Conditions) -> Document | None:
        try:
            return self.read(topic)
        except InvalidSchema as error:
            if conditions.force:
                return None
            raise Rejected(
                Problem(
                    409,
                    "incompatible-schema",
                    f"The schema that topic {topic!r} has now cannot be compared with: {error}"
                    " Put the new one with ?force=true.",
                )
            ) from None

    def _check_conditions(self, topic: str, conditions: Conditions, etag: str | None) -> None:
        """Hold a change to its conditions (RFC 9110, section 13.2.2; RFC 6585, section 3)."""
        wanted = conditions.if_match
        if wanted is not None and (etag is None or not names(wanted, etag)):
            there = "none" if etag is None else f"the one with ETag {etag}"
            problem = f"If-Match does not hold: topic {topic!r} has {there}; read it again."
            raise Rejected(Problem(412, "schema-changed", problem))
        unwanted = conditions.if_none_match
        if unwanted is not None and etag is not None and names(unwanted, etag):
            problem = f"If-None-Match does not hold: topic {topic!r} has a schema already."
            raise Rejected(Problem(412, "schema-changed", problem))
        if etag is not None and wanted is None and not conditions.force:
            raise Rejected(
                Problem(
                    428,
                    "precondition-required",
                    f"Topic {topic!r} has a schema already; say which one this change is of, by the"
                    " ETag that GET answers with, in If-Match.",
                )
            )

    def _write(self, topic: str, text: bytes) -> None:
        arriving = self.path / _ARRIVING_NAME
        with arriving.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        arriving.replace(self._file(topic))
        self._sync()

    def _sync(self) -> None:
        """Make names durable, as well as what they stand for."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with (self.path / _LOCK_NAME).open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            problem = f"The folder of schemas cannot be changed: {error.strerror}."
            raise Rejected(Problem(503, "schemas-not-writable", problem)) from None


def is_topic(name: str) -> bool:
    """Whether a topic can have this name."""
    return _TOPIC.fullmatch(name) is not None and name not in {".", ".."}


def check_topic(name: str) -> None:
    """See that a name can be a topic's.

    Raises:
        Rejected: It cannot.
    """
    if not is_topic(name):
        raise Rejected(
            Problem(
                400,
                "invalid-topic",
                f"{name[:260]!r} cannot be a topic's name: it is 1 to 249 letters, digits, dots,"
                " underscores or hyphens.",
            )
        )


def no_schema(topic: str) -> Problem:
    """Say that a topic has none."""
    return Problem(404, "no-schema", f"Topic {topic!r} has no schema.")


def names(header: str, etag: str) -> bool:
    """Whether a list of entity tags has this one, or is `*` (RFC 9110, section 13.1.1)."""
    return header.strip() == "*" or etag in {each.strip() for each in header.split(",")}
