"""Workers whose database is replaced by one that lacks the last it had: a replica behind."""

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from transfers import KEEPERS
from workers import publish

from eventstream.settings import HomeSettings
from waiting import wait_until

pytestmark = pytest.mark.kafka

EVENTS = 300
SOON_S = 60


class Replica:
    """A copy of a server's data, as it was at one moment."""

    def __init__(self, server, folder):
        self._server = server
        state = msgspec.json.decode((server.log.parent / "state.json").read_bytes())
        self._data = Path(state["data"])
        self._copy = folder / "replica"

    def fall_behind(self):
        """Take the server's data; from now on nothing more arrives."""
        self._server.stop()
        _copy(self._data, self._copy)
        self._server.restart()

    def take_over(self):
        """Become the server, the one that was having died."""
        self._server.kill()
        shutil.rmtree(self._data)
        _copy(self._copy, self._data)
        self._server.restart()


def _copy(source, target):
    # Their owner may be another user, as whom the server runs.
    subprocess.run(["cp", "-a", source, target], check=True)


@pytest.mark.parametrize("app", KEEPERS)
def test_a_replica_that_is_behind_gets_again_what_it_lacks(app, kafka, topic, processes, tmp_path):
    keeper = KEEPERS[app]
    server = keeper.start(HomeSettings(home=tmp_path / "database"))
    books = keeper.books(server.url)

    def add(start):
        numbers = range(start, start + EVENTS)
        publish(kafka, topic, [(b"key-%d" % (each % 50), b"%d" % each) for each in numbers])
        wait_until(lambda: books.rows() == start + EVENTS, SOON_S, "all are done")

    worker = processes.start(app=f"{app}:app", **{keeper.variable: server.url})
    replica = Replica(server, tmp_path)
    add(0)
    replica.fall_behind()
    add(EVENTS)
    replica.take_over()
    add(2 * EVENTS)
    worker.process.terminate()
    assert worker.wait(60) == 0
    assert books.missing_and_double(3 * EVENTS) == (0, 0)
    assert books.wrong_balances() == 0
    server.discard()
