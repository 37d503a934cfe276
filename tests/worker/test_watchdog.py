"""A handler that blocks the event loop, or never ends, is noticed and costs no partition."""

import functools
import signal

import pytest
from workers import publish

from eventstream.worker.handlers import code_of
from waiting import wait_until

SOON_S = 30
BLOCKED = "the event loop is blocked; what takes long must be awaited, or be a plain function"
GROUP_NEWS = ("partitions assigned", "partitions given up", "partitions lost")
PROTOCOLS = {
    "consumer": (2, ["--kafka-option=max.poll.interval.ms=2000"]),
    "classic": (
        6,
        [
            "--kafka-option=group.protocol=classic",
            "--kafka-option=session.timeout.ms=6000",
            "--kafka-option=max.poll.interval.ms=6000",
        ],
    ),
}


@pytest.fixture
def topic(make_topic):
    return make_topic(4)


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    """Give how long a member may go without polling, and the options that make it so."""
    return PROTOCOLS[request.param]


def group_news(worker):
    return [line for line in worker.lines() if line["event"] in GROUP_NEWS]


def settled(processes, options, **environment):
    """Start two processes and wait until each has two of the four partitions."""
    worker = processes.start(
        "--processes=2", "--drain-timeout-s=0", *options, app="blocking_app:app", **environment
    )
    wait_until(lambda: is_shared_out(group_news(worker)), SOON_S, "partitions are shared out")
    return worker


def is_shared_out(news):
    owned = {"partitions assigned": 1, "partitions given up": -1}
    shares = [owned[line["event"]] * len(line["partitions"]) for line in news]
    return sum(shares) == 4 and shares[-1] == 2


@pytest.mark.kafka
def test_a_blocked_loop_is_named_once_with_its_handler_and_keeps_its_partitions(
    processes, kafka, topic, protocol
):
    poll_interval_s, options = protocol
    block_s = poll_interval_s + 3
    worker = settled(processes, options, BLOCK_S=str(block_s), HANDLER_PAUSE_S="0")
    news = group_news(worker)
    publish(kafka, topic, [(b"key", b"block"), (b"key", b"")])
    wait_until(lambda: len(processes.journal.ended()) == 2, SOON_S, "both are handled")
    (over,) = worker.wait_for("the event loop turns again")
    (blocked,) = worker.lines(BLOCKED)
    assert (blocked["topic"], blocked["handler"]) == (topic, "handle")
    assert (over["topic"], over["handler"]) == (topic, "handle")
    assert blocked["stack"].splitlines()[-1].strip() == "time.sleep(for_s)"
    assert blocked["stack"].count("File") == 2, "the handler, and what it called"
    assert block_s <= over["blocked_s"] < block_s + 1
    assert group_news(worker) == news
    assert len(processes.journal.pids()) == 1
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


@pytest.mark.kafka
def test_a_handler_that_never_ends_keeps_its_partitions(processes, kafka, topic, protocol):
    poll_interval_s, options = protocol
    worker = settled(processes, options, HANDLER_PAUSE_S="0.5")
    news = group_news(worker)
    others = [(b"key", b"")] * (2 * poll_interval_s + 4)
    publish(kafka, topic, [(b"stuck", b"hang"), *others])
    wait_until(lambda: len(processes.journal.ended()) == len(others), SOON_S, "others are handled")
    assert group_news(worker) == news
    assert not worker.lines(BLOCKED)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


class Callable:
    async def __call__(self, event):
        return event

    async def method(self, event):
        return event


async def function(event):
    return event


@functools.wraps(function)
async def wrapped(event):
    return await function(event)


@pytest.mark.parametrize(
    ("handler", "runs"),
    [
        (function, function),
        (functools.partial(function), function),
        (wrapped, function),
        (Callable(), Callable.__call__),
        (Callable().method, Callable.method),
    ],
)
def test_the_code_of_any_kind_of_handler_is_found(handler, runs):
    assert code_of(handler) is runs.__code__
