import pytest

from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings
from waiting import wait_until

pytestmark = pytest.mark.kafka


def test_three_brokers_go_on_when_one_is_killed(local_kafka):
    with local_kafka(brokers=3) as kafka:
        admin = Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))
        assert admin.cluster().brokers == [1, 2, 3]

        assert kafka.kill(2) == [2]
        wait_until(lambda: admin.cluster().brokers == [1, 3], 20, "the killed broker is missed")
        admin.create_topic("written-by-two", partitions=2)

        assert kafka.start(), "a start brings back what is missing"
        assert admin.cluster().brokers == [1, 2, 3]

        kafka.restart(3)
        assert [broker.state for broker in kafka.status()] == ["running"] * 3
    assert not kafka.is_running
