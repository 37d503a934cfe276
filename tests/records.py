"""Reading a topic back, with nothing of ours in between."""

from confluent_kafka import Consumer, TopicPartition


def read_log(kafka, topic, partitions=1):
    """Read a topic from its beginning to its end as it is now: keys and values."""
    return [(record.key(), record.value()) for record in read_records(kafka, topic, partitions)]


def count_records(kafka, topic, partitions=1):
    """Count a topic's records by its partitions' ends."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "counter"})
    places = [TopicPartition(topic, number) for number in range(partitions)]
    ends = [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
    consumer.close()
    return sum(ends)


def read_records(kafka, topic, partitions=1):
    """Read a topic from its beginning to its end as it is now."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
        }
    )
    places = [TopicPartition(topic, number, 0) for number in range(partitions)]
    ends = [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
    consumer.assign(places)
    records = []
    while len(records) < sum(ends):
        record = consumer.poll(10)
        assert record is not None, f"only {len(records)} of {sum(ends)} records of {topic} came"
        assert record.error() is None, record.error()
        records.append(record)
    consumer.close()
    return records
