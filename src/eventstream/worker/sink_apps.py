"""Apps that are sinks and nothing else, as a command line describes them."""

from __future__ import annotations

from typing import Literal

import msgspec

from eventstream.errors import InvalidSetting
from eventstream.worker.app import App


class TableApp(msgspec.Struct, frozen=True):
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
            raise InvalidSetting(
                f"Writing to PostgreSQL needs {error.name}, which is not installed here; install"
                " eventstream[postgres]."
            ) from None
        app = App()
        table = Table(self.table, self.columns, mode=self.mode, create=self.create)
        app.sink(self.topic, table, on_failure=self.on_failure)
        return app
