import pytest

from eventstream.errors import InvalidSetting, KafkaUnavailable, Permanent, TopicNotFound
from eventstream.log.admin import Admin
from eventstream.settings import KafkaSettings

pytestmark = pytest.mark.kafka


@pytest.fixture
def admin(kafka):
    return Admin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))


def test_a_topic_is_there_once_made_and_gone_once_deleted(admin, make_topic):
    name = make_topic(partitions=4)
    assert admin.topics()[name] == 4
    with pytest.raises(Permanent, match="already exists"):
        admin.create_topic(name, 1)
    admin.delete_topic(name)
    assert name not in admin.topics()
    with pytest.raises(TopicNotFound):
        admin.delete_topic(name)


def test_a_topic_s_own_settings(admin, topic):
    with pytest.raises(Permanent, match="retention"):
        admin.create_topic(f"{topic}-more", 1, config={"retention.ms": "for ever"})
    assert f"{topic}-more" not in admin.topics()


def test_brokers(admin):
    assert admin.cluster().brokers == [1]


def test_nobody_there():
    with pytest.raises(KafkaUnavailable):
        Admin(KafkaSettings(bootstrap_servers="127.0.0.1:9")).topics(timeout_s=0.2)


def test_an_option_the_client_does_not_know():
    with pytest.raises(InvalidSetting, match=r"no\.such\.option"):
        Admin(KafkaSettings(kafka_option=("no.such.option=1",)))
