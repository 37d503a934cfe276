"""A JSON Schema per topic: what an event must look like to be let in, and how that may change.

`Schemas` belongs to the event loop: it checks events, and follows the folder that others change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from eventstream.errors import InvalidSchema, InvalidSetting
from eventstream.gateway.schemas.folder import Folder
from eventstream.gateway.schemas.violations import (
    BYTES_FOR_ONE,
    not_json,
    unexplained,
    violation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.problems import Problem
    from eventstream.gateway.schemas.documents import Document
    from eventstream.gateway.schemas.folder import Signature
    from eventstream.settings import SchemaSettings

__all__ = ["Schemas"]

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder().decode


class Schemas:
    """The schemas of all topics that have one.

    Args:
        settings: Where they are, and how they may change.

    Raises:
        InvalidSetting: The folder cannot be read, or a file in it is not a schema.

    Attributes:
        documents: The schemas by topic.
        folder: Where they come from, if they come from anywhere.
    """

    def __init__(self, settings: SchemaSettings) -> None:
        self.documents: dict[str, Document] = {}
        self.folder: Folder | None = None
        self._signatures: dict[str, Signature] = {}
        self._unreadable = False
        if settings.schemas is not None:
            self.folder = Folder(settings.schemas, settings.schema_compatibility)
            self._start(self.folder)

    def check(self, topic: str, value: bytes | None) -> Problem | None:
        """Say what keeps an event out of a topic; `None` when nothing does.

        A topic without a schema takes anything, and every topic takes tombstones.
        """
        document = self.documents.get(topic)
        if document is None or value is None:
            return None
        try:
            event = _decode(value)
            if document.validator.is_valid(event):
                return None
            return violation(topic, document.validator, event, len(value))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return not_json(topic, str(error).removeprefix("JSON is malformed: "))
        except (RecursionError, ValueError):  # the decoder's and the validator's words for it
            return not_json(topic, "it is nested too deeply")

    def check_all(self, topic: str, values: Sequence[bytes | None]) -> dict[int, Problem]:
        """Check the events of one request; what is wrong with which, by position.

        The first violations are explained, up to a bound on their bytes: explaining costs far more
        than checking, and a request can carry many events.
        """
        document = self.documents.get(topic)
        if document is None:
            return {}
        is_valid, explained = document.validator.is_valid, 0
        problems: dict[int, Problem] = {}
        for position, value in enumerate(values):
            if value is None:
                continue
            try:
                if is_valid(_decode(value)):
                    continue
            except (ValueError, RecursionError):
                pass  # `check` says it
            explained += len(value)
            if explained > BYTES_FOR_ONE:
                problems[position] = unexplained(topic)
            else:
                problem = self.check(topic, value)
                assert problem is not None  # noqa: S101 - the same check, once more
                problems[position] = problem
        return problems

    def tick(self) -> None:
        """Follow the folder: read what changed since the last time; a few file system calls.

        A file that is not a schema is told once, and the topic keeps the schema it had. A folder
        that cannot be read takes no schema away.
        """
        if self.folder is None:
            return
        try:
            signatures = self.folder.signatures()
        except OSError as error:
            if not self._unreadable:
                log.warning("schemas cannot be read; the ones known stay", reason=error.strerror)
            self._unreadable = True
            return
        self._unreadable = False
        for topic in self._signatures.keys() - signatures.keys():
            del self._signatures[topic]
            if self.documents.pop(topic, None) is not None:
                log.warning("schema removed; the topic takes anything now", topic=topic)
        for topic, signature in signatures.items():
            if self._signatures.get(topic) != signature:
                self._signatures[topic] = signature
                self._reload(self.folder, topic)

    def _start(self, folder: Folder) -> None:
        try:
            self._signatures = folder.signatures()
        except OSError as error:
            raise InvalidSetting(
                f"--schemas {folder.path} cannot be read: {error.strerror}; make the folder."
            ) from None
        for topic in self._signatures:
            try:
                document = folder.read(topic)
            except InvalidSchema as error:
                raise InvalidSetting(
                    f"--schemas: {folder.path / topic}.json is not a topic's schema: {error}"
                ) from None
            if document is not None:
                self.documents[topic] = document

    def _reload(self, folder: Folder, topic: str) -> None:
        try:
            document = folder.read(topic)
        except InvalidSchema as error:
            has_one = topic in self.documents
            log.warning(
                "the file is not a schema; the topic keeps the one it has"
                if has_one
                else "the file is not a schema; the topic has none and takes anything",
                topic=topic,
                reason=str(error),
            )
            return
        if document is not None:
            self.documents[topic] = document
            log.info("schema read", topic=topic, etag=document.etag)
