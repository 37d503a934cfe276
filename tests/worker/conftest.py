"""Worker processes, and events for them."""

import pytest
from processes import Processes, Stream
from workers import new_group


@pytest.fixture
def group():
    return new_group()


@pytest.fixture
def processes(kafka, topic, group, tmp_path):
    processes = Processes(kafka, topic, group, tmp_path)
    yield processes
    processes.end_all()


@pytest.fixture
def stream(kafka, topic):
    """Publish until told to stop; `count` says how many events there are by then."""
    stream = Stream(kafka, topic)
    yield stream
    stream.stop()
