"""What a topic is now."""

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from eventstream.errors import KafkaUnavailable, TopicNotFound
from eventstream.log.admin import Admin
from eventstream.log.backlog import Backlog
from eventstream.log.lookups import Lookups
from eventstream.log.places import Extent
from eventstream.settings import KafkaSettings
from waiting import wait_until


@pytest.fixture
def settings(kafka):
    return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)


@pytest.fixture
def numbers(kafka, make_topic):
    """Ten events in partition 0 of two, a second apart; the oldest three are deleted."""
    topic = make_topic(2)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    for number in range(10):
        timestamp = 1_700_000_000_000 + number * 1000
        producer.produce(topic, b"%d" % number, partition=0, timestamp=timestamp)
    assert producer.flush(20) == 0
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    (deleted,) = admin.delete_records([TopicPartition(topic, 0, 3)]).values()
    deleted.result(20)
    return topic


def test_extents_and_times_are_those_of_the_log(settings, numbers):
    lookups = Lookups(settings)
    assert lookups.shape(numbers).partitions == 2
    assert lookups.extents(numbers, range(2)) == {0: Extent(3, 10), 1: Extent(0, 0)}
    assert lookups.offsets_at(numbers, range(2), 1_700_000_005_500) == {0: 6, 1: -1}


def test_a_topic_made_anew_has_another_tag(settings, make_topic):
    topic, lookups, admin = make_topic(), Lookups(settings), Admin(settings)
    before = lookups.shape(topic).tag
    assert len(before) == 8
    assert lookups.shape(topic).tag == before
    admin.delete_topic(topic)
    admin.create_topic(topic)
    assert lookups.shape(topic).tag != before


def test_a_topic_that_is_not_there_and_a_kafka_that_is_not_there_are_told_apart(settings):
    with pytest.raises(TopicNotFound):
        Lookups(settings).shape("no-such-topic-here")
    with pytest.raises(KafkaUnavailable):
        Lookups(KafkaSettings(bootstrap_servers="127.0.0.1:1")).shape("t")


def test_a_backlog_tells_a_position_that_is_gone_and_reads_on_where_it_is_told(settings, numbers):
    backlog = Backlog(settings, numbers, {0: 1, 1: 0})
    batches = []

    def read_until(condition):
        def look():
            batches.append(backlog.read())
            return condition(batches[-1])

        wait_until(look, 20, "a batch of the backlog")

    read_until(lambda batch: list(batch.out_of_range) == [0])
    backlog.read_on(0, 3)
    read_until(lambda batch: batch.ends.get(0) == 10)
    backlog.close()
    read = [event.offset for batch in batches for run in batch.runs for event in run.events]
    assert read == list(range(3, 10))
    assert {0: 10, 1: 0}.items() <= {k: v for b in batches for k, v in b.ends.items()}.items()
    assert not backlog.read().runs
