"""A steady load for fault runs: numbered events at a rate, in order, from one producer."""

import threading
import time

from confluent_kafka import Producer

TURN_S = 0.01


class Load(threading.Thread):
    """Publishes until told to stop; `count` says how many events there are by then."""

    def __init__(self, kafka, topic, rate, keys):
        super().__init__()
        self.count = 0
        self._topic = topic
        self._rate = rate
        self._keys = keys
        self._stopped = threading.Event()
        self._failed = []
        self._producer = Producer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
            }
        )

    def run(self):
        began = time.monotonic()
        while not self._stopped.wait(TURN_S):
            due = int((time.monotonic() - began) * self._rate)
            for number in range(self.count, due):
                key = b"key-%d" % (number % self._keys)
                self._producer.produce(self._topic, b"%d" % number, key, on_delivery=self._note)
            self.count = max(self.count, due)
            self._producer.poll(0)

    def stop(self):
        """Stop, and return how many events are in the log."""
        self._stopped.set()
        if self.is_alive():
            self.join()
        assert self._producer.flush(30) == 0
        assert not self._failed, self._failed[0]
        return self.count

    def _note(self, error, message):
        if error is not None or message.offset() is None:
            self._failed.append(error or message)
