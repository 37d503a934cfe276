"""Integers that are written with a fraction of zero, as JSON Schema and Jackson take them."""

import pytest
from to_a_topic import To

from eventstream.gateway.formats.rest_proxy.batch_v3 import RecordsBatchV3
from eventstream.gateway.formats.rest_proxy.produce_v2 import JSON_V2
from eventstream.gateway.formats.rest_proxy.produce_v3 import RecordsV3
from eventstream.gateway.problems import Problem, Rejected


def test_a_fraction_of_zero_is_an_integer_in_v2():
    body = b'{"records":[{"value":1.0,"partition":2.0,"timestamp":15e3}],"key_schema_id":1.0}'
    (record,) = JSON_V2.decode(To(), body).records
    assert (record.value, record.partition, record.timestamp_ms) == (b"1.0", 2, 15000)


def test_a_fraction_of_zero_is_an_integer_in_v3():
    (record,) = RecordsV3("c").decode(To(), b'{"partition_id":2.0}').records
    assert record.partition == 2
    (record,) = (
        RecordsBatchV3("c").decode(To(), b'{"entries":[{"id":"a","partition_id":2.0}]}').records
    )
    assert record.partition == 2


@pytest.mark.parametrize("number", [b"0.5", b"-1.0", b"2147483648.0", b"1e400"])
def test_any_other_fraction_is_refused(number):
    with pytest.raises(Rejected) as refused:
        JSON_V2.decode(To(), b'{"records":[{"partition":%b}]}' % number)
    assert refused.value.problem.status == 400
    (record,) = RecordsV3("c").decode(To(), b'{"partition_id":%b}' % number).records
    assert isinstance(record, Problem)


def test_text_is_no_integer():
    with pytest.raises(Rejected):
        JSON_V2.decode(To(), b'{"records":[{"partition":"1"}]}')
