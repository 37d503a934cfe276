"""Apps that are sinks and nothing else, as a command line describes them."""

from __future__ import annotations

from typing import Literal

import msgspec

from eventstream.errors import InvalidSetting
from eventstream.worker.app import App


class TableApp(msgspec.Struct, frozen=True, tag="table"):
    """A topic that goes into a table of the PostgreSQL that `EVENTSTREAM_POSTGRES_DSN` names.

    Attributes:
        topic: The topic.
        table: The table.
        columns: Where each column's value stands in an event.
        mode: What is done with rows that are there.
        create: Whether to make the table.
        on_failure: What happens to an event that can never be a row.
    """

    topic: str
    table: str
    columns: dict[str, str]
    mode: Literal["insert", "upsert", "append"]
    create: bool
    on_failure: Literal["deadletter", "stop"]

    def make(self) -> App:
        """Make the app.

        Raises:
            InvalidSetting: The settings are of no use, or the client is not installed.
        """
        try:
            from eventstream.sinks.postgres import Table  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise _not_installed("PostgreSQL", error, "postgres") from None
        app = App()
        table = Table(self.table, self.columns, mode=self.mode, create=self.create)
        app.sink(self.topic, table, on_failure=self.on_failure)
        return app


class RedisApp(msgspec.Struct, frozen=True, tag="redis"):
    """A topic that goes into the server that `EVENTSTREAM_REDIS_URL` names.

    Attributes:
        topic: The topic.
        commands: What an event does there, as templates.
        key_tag: In a cluster, what keys have in braces.
        on_failure: What happens to an event that can never be written.
    """

    topic: str
    commands: list[str]
    key_tag: str
    on_failure: Literal["deadletter", "stop"]

    def make(self) -> App:
        """Make the app.

        Raises:
            InvalidSetting: The settings are of no use, or the client is not installed.
        """
        try:
            from eventstream.sinks.redis import Redis  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise _not_installed("Redis", error, "redis") from None
        app = App()
        redis = Redis(self.commands, key_tag=self.key_tag)
        app.sink(self.topic, redis, on_failure=self.on_failure)
        return app


SinkApp = TableApp | RedisApp


def _not_installed(what: str, error: ModuleNotFoundError, extra: str) -> InvalidSetting:
    return InvalidSetting(
        f"Writing to {what} needs {error.name}, which is not installed here; install"
        f" eventstream[{extra}]."
    )
