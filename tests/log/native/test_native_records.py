"""Batches are written as Kafka has them, one by one or many at once."""

import uuid

import google_crc32c
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from eventstream.log.native.batch import MOST_BYTES, MOST_RECORDS, Batch
from eventstream.log.native.murmur2 import murmur2, partition_of
from eventstream.log.native.primitives import TABLE, Reader, uvarint, varint
from eventstream.log.native.records import (
    BATCH_HEAD_BYTES,
    Identity,
    Stored,
    decode_records,
    encode_batch,
    encode_record,
    encode_records,
)
from records import read_records

KEYS = st.none() | st.binary(max_size=300)
HEADERS = st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=20)), max_size=3)
VALUES = st.lists(st.binary(max_size=200), min_size=1, max_size=200)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_read_as_it_was_written(number):
    assert Reader(varint(number)).varint() == number


@given(st.integers(0, 2**32 - 1))
def test_an_unsigned_number_is_read_as_it_was_written(number):
    assert Reader(uvarint(number)).uvarint() == number


def test_bytes_that_end_too_soon_are_no_value():
    with pytest.raises(EOFError):
        Reader(b"\x80").uvarint()
    with pytest.raises(EOFError):
        Reader(b"\0").integer(4)


@given(
    st.integers(0, TABLE - 1),
    st.integers(-(10**12), 10**12),
    st.none() | st.binary(max_size=300),
    KEYS,
    HEADERS,
)
def test_a_record_is_read_as_it_was_written(number, delta_ms, value, key, headers):
    data = encode_record(number, delta_ms, value, key, headers)
    assert decode_records(data, 0) == [Stored(value, key, tuple(headers), delta_ms)]
    reader = Reader(data)
    assert reader.varint() == reader.left


@given(st.sampled_from([0, 1, 50, 63, 64, 8191, 8192, 9000]), VALUES, KEYS, HEADERS)
def test_many_at_once_are_written_as_one_by_one(number, values, key, headers):
    singly = [encode_record(number + n, 7, value, key, headers) for n, value in enumerate(values)]
    assert encode_records(number, 7, values, key, headers) == b"".join(singly)


def test_large_values_among_many_are_written_too():
    values = [b"a", b"b" * TABLE, b"c" * (TABLE - 1)]
    records = decode_records(encode_records(0, 0, values, None, ()), 0)
    assert [record.value for record in records] == values


def test_a_batch_has_the_head_that_kafkas_documentation_has():
    batch = encode_batch(b"records", 3, Identity(5, 6), 7, 1000, 2000)
    assert len(batch) == BATCH_HEAD_BYTES + len(b"records")
    reader = Reader(batch)
    assert reader.integer(8) == 0
    assert reader.integer(4) == reader.left
    assert (reader.integer(4), reader.integer(1)) == (-1, 2)
    crc = int.from_bytes(reader.take(4), "big")
    assert crc == google_crc32c.value(batch[21:])
    assert (reader.integer(2), reader.integer(4)) == (0, 2)
    assert (reader.integer(8), reader.integer(8)) == (1000, 2000)
    assert (reader.integer(8), reader.integer(2), reader.integer(4)) == (5, 6, 7)
    assert reader.integer(4) == 3
    assert reader.take(reader.left) == b"records"


def test_a_batch_takes_no_more_than_fits():
    batch = Batch(0.0, 0)
    values = [b"x" * 1000] * 2000
    taken = batch.add_run(values, b"key", (), 0, print, 0)
    assert 0 < taken < 1000
    assert batch.size <= MOST_BYTES
    assert not batch.has_room(MOST_BYTES - batch.size + 1)
    many = Batch(0.0, 0)
    assert many.add_run([b""] * (MOST_RECORDS + 1), None, (), 0, print, 0) == MOST_RECORDS
    assert not many.has_room(0)


def test_a_batch_is_parted_with_everybody_who_listens():
    told = []
    batch = Batch(0.0, 100)
    batch.add(b"0", b"k", (("h", b"1"),), 90, lambda *report: told.append(("one", *report)))
    batch.add_run([b"1", b"2", b"3"], None, (), 100, lambda *report: told.append(report), 10)
    chosen, others = batch.parted({1, 3})
    assert (chosen.count, others.count) == (2, 2)
    chosen.fail(5, "no")
    others.acknowledge(5, 40, -1)
    assert told == [
        ("no", 5, -1, 10, 1),
        ("no", 5, -1, 12, 1),
        ("one", None, 5, 40, 90),
        (None, 5, 41, 11, 1),
    ]


def test_keys_hash_as_in_javas_own_tests():
    """Source: org.apache.kafka.common.utils.UtilsTest, testMurmur2."""
    known = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }
    assert {key: murmur2(key) for key in known} == {key: h % 2**32 for key, h in known.items()}


@pytest.mark.kafka
def test_keys_go_where_librdkafka_sends_them(kafka, make_topic):
    topic = make_topic(7)
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )
    for _ in range(200):
        producer.produce(topic, b"", uuid.uuid4().bytes)
    assert producer.flush(20) == 0
    records = read_records(kafka, topic, 7)
    assert all(record.partition() == partition_of(record.key(), 7) for record in records)
