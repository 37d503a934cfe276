"""Load that makes a broker's JVM do once what it will do all day."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, Producer

from eventstream.log.admin import Admin

if TYPE_CHECKING:
    from eventstream.settings import KafkaSettings

_TOPIC = "warm-up"
_PARTITIONS = 6
_RATE_PER_S = 20_000
_BURST = 20
_KEYS = 1000
_VALUE = (
    b'{"message": "a hundred bytes or so, as an event often is", "number": 1234567890, "is": 1}'
)
_log = logging.getLogger("eventstream.kafka")


def exercise(kafka: KafkaSettings, duration_s: float) -> None:
    """Publish and consume with the options our own clients use, for about `duration_s` seconds.

    Raises:
        EventstreamError: The broker does not take part.
    """
    Admin(kafka).create_topic(_TOPIC, _PARTITIONS)
    options: dict[str, Any] = {**kafka.client_options()}
    deadline = time.monotonic() + duration_s
    consuming = [
        threading.Thread(target=_consume, args=(options, protocol, deadline))
        for protocol in ("consumer", "classic")
    ]
    for thread in consuming:
        thread.start()
    _produce(options, deadline)
    for thread in consuming:
        thread.join()
    _transact(options)


def _produce(options: dict[str, Any], deadline: float) -> None:
    producer = Producer(
        {**options, "acks": "all", "enable.idempotence": True, "linger.ms": 0.5}, logger=_log
    )
    began = time.monotonic()
    sent = 0
    while (now := time.monotonic()) < deadline:
        if sent > (now - began) * _RATE_PER_S:
            producer.poll(0.001)
            continue
        for _ in range(_BURST):
            producer.produce(_TOPIC, _VALUE, key=b"%d" % random.randrange(_KEYS))  # noqa: S311
        sent += _BURST
        producer.poll(0)
    producer.flush(5)


def _consume(options: dict[str, Any], protocol: str, deadline: float) -> None:
    group = {
        "group.id": f"{_TOPIC}-{protocol}",
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer = Consumer({**options, **group}, logger=_log)
    consumer.subscribe([_TOPIC])
    while time.monotonic() < deadline:
        if consumer.consume(1000, 0.1):
            with contextlib.suppress(KafkaException):
                consumer.commit(asynchronous=False)
    consumer.close()


def _transact(options: dict[str, Any]) -> None:
    producer = Producer({**options, "transactional.id": _TOPIC}, logger=_log)
    with contextlib.suppress(KafkaException):
        producer.init_transactions(5)
        producer.begin_transaction()
        producer.produce(_TOPIC, _VALUE)
        producer.commit_transaction(5)
