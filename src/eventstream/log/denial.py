"""Clients that can say what a broker has against them.

Kafka's client goes on trying when a broker refuses its password or its certificate, so all that a
question gets is a time-out. The reason comes to a callback, when the client is polled.
"""

from __future__ import annotations

import logging
from typing import Any

from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import AdminClient

_DENIALS = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})
_LOGGER = logging.getLogger("eventstream.kafka")


class _Denial:
    """The last one, until it is taken; apart from the client, which refers to it."""

    def __init__(self) -> None:
        self._error: KafkaError | None = None

    def hear(self, error: KafkaError) -> None:
        if error.code() in _DENIALS:
            self._error = error

    def take(self) -> KafkaError | None:
        error, self._error = self._error, None
        return error


class AskingAdmin(AdminClient):
    """An admin client that can say why nobody answers."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._denial = _Denial()
        hearing: dict[str, Any] = {**options, "error_cb": self._denial.hear}
        super().__init__(hearing, logger=_LOGGER)

    def denial(self) -> KafkaError | None:
        """Return why a broker refused this client, if one did."""
        self.poll(0)
        return self._denial.take()


class AskingConsumer(Consumer):
    """A consumer that can say why nobody answers."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._denial = _Denial()
        super().__init__({**options, "error_cb": self._denial.hear}, logger=_LOGGER)

    def denial(self) -> KafkaError | None:
        """Return why a broker refused this client, if one did; it takes no messages for that."""
        if not self.assignment():
            self.poll(0)
        return self._denial.take()
