"""Metadata of v2 and v3, as the clients of Confluent's REST Proxy read it."""

import contextlib
import uuid

import pytest
from served import served
from starlette.applications import Starlette

from eventstream.errors import KafkaUnavailable, Permanent, TopicNotFound
from eventstream.gateway.access.access import Access
from eventstream.gateway.formats.rest_proxy import metadata_v2
from eventstream.gateway.formats.rest_proxy.metadata_v3 import ResourcesV3
from eventstream.gateway.metadata import KafkaMetadata, metadata_routes
from eventstream.log.admin import Admin
from eventstream.log.cluster import Broker, ClusterDescription, Partition, Topic
from eventstream.settings import AccessSettings, KafkaSettings

TOPIC = Topic("topic-1", (Partition(0, 1, (1, 2), (1,)), Partition(1, -1, (2, 1), ())))
INTERNAL = Topic("__consumer_offsets", (Partition(0, 1, (1,), (1,)),))
CLUSTER = ClusterDescription(
    "cluster-1",
    2,
    (Broker(1, "one", 9092), Broker(2, "two", 9093)),
    {"__consumer_offsets": INTERNAL, "topic-1": TOPIC},
)
V3 = ResourcesV3("http://host:8080/", CLUSTER)
BASE = "http://host:8080/v3/clusters/cluster-1"


def test_v2_lists_all_topics_but_kafkas_own():
    assert metadata_v2.topics(CLUSTER) == ["topic-1"]


def test_v2_tells_who_holds_and_leads_a_partition():
    settings = {"cleanup.policy": "delete", "secret": None}
    assert metadata_v2.topic(TOPIC, settings) == {
        "name": "topic-1",
        "configs": settings,
        "partitions": [
            {
                "partition": 0,
                "leader": 1,
                "replicas": [
                    {"broker": 1, "leader": True, "in_sync": True},
                    {"broker": 2, "leader": False, "in_sync": False},
                ],
            },
            {
                "partition": 1,
                "leader": -1,
                "replicas": [
                    {"broker": 2, "leader": False, "in_sync": False},
                    {"broker": 1, "leader": False, "in_sync": False},
                ],
            },
        ],
    }


def test_v3_tells_of_the_cluster():
    cluster = {
        "kind": "KafkaCluster",
        "metadata": {"self": BASE, "resource_name": "crn:///kafka=cluster-1"},
        "cluster_id": "cluster-1",
        "controller": {"related": f"{BASE}/brokers/2"},
        "acls": {"related": f"{BASE}/acls"},
        "brokers": {"related": f"{BASE}/brokers"},
        "broker_configs": {"related": f"{BASE}/broker-configs"},
        "consumer_groups": {"related": f"{BASE}/consumer-groups"},
        "topics": {"related": f"{BASE}/topics"},
        "partition_reassignments": {"related": f"{BASE}/topics/-/partitions/-/reassignment"},
    }
    assert V3.cluster() == cluster
    assert V3.clusters() == {
        "kind": "KafkaClusterList",
        "metadata": {"self": "http://host:8080/v3/clusters", "next": None},
        "data": [cluster],
    }


def test_v3_tells_of_a_topic():
    topic = {
        "kind": "KafkaTopic",
        "metadata": {
            "self": f"{BASE}/topics/topic-1",
            "resource_name": "crn:///kafka=cluster-1/topic=topic-1",
        },
        "cluster_id": "cluster-1",
        "topic_name": "topic-1",
        "is_internal": False,
        "replication_factor": 2,
        "partitions_count": 2,
        "partitions": {"related": f"{BASE}/topics/topic-1/partitions"},
        "configs": {"related": f"{BASE}/topics/topic-1/configs"},
        "partition_reassignments": {"related": f"{BASE}/topics/topic-1/partitions/-/reassignment"},
        "authorized_operations": [],
    }
    assert V3.topic(TOPIC) == topic
    assert V3.topic(INTERNAL)["is_internal"]
    assert V3.topics() == {
        "kind": "KafkaTopicList",
        "metadata": {"self": f"{BASE}/topics", "next": None},
        "data": [topic],
    }


def test_v3_tells_of_partitions():
    partitions = V3.partitions(TOPIC)
    here = f"{BASE}/topics/topic-1/partitions"
    assert partitions["kind"] == "KafkaPartitionList"
    assert partitions["metadata"] == {"self": here, "next": None}
    assert partitions["data"] == [V3.partition(TOPIC, one) for one in TOPIC.partitions]
    assert partitions["data"][0] == {
        "kind": "KafkaPartition",
        "metadata": {
            "self": f"{here}/0",
            "resource_name": "crn:///kafka=cluster-1/topic=topic-1/partition=0",
        },
        "cluster_id": "cluster-1",
        "topic_name": "topic-1",
        "partition_id": 0,
        "leader": {"related": f"{here}/0/replicas/1"},
        "replicas": {"related": f"{here}/0/replicas"},
        "reassignment": {"related": f"{here}/0/reassignment"},
    }
    assert partitions["data"][1]["leader"] is None


def test_v3_tells_of_brokers():
    brokers = V3.brokers()
    assert brokers["kind"] == "KafkaBrokerList"
    assert brokers["data"][0] == {
        "kind": "KafkaBroker",
        "metadata": {
            "self": f"{BASE}/brokers/1",
            "resource_name": "crn:///kafka=cluster-1/broker=1",
        },
        "cluster_id": "cluster-1",
        "broker_id": 1,
        "host": "one",
        "port": 9092,
        "rack": None,
        "configs": {"related": f"{BASE}/brokers/1/configs"},
        "partition_replicas": {"related": f"{BASE}/brokers/1/partition-replicas"},
    }


class Known:
    """Knows one cluster."""

    async def describe(self, topic=None):
        if topic is not None and topic not in CLUSTER.topics:
            raise TopicNotFound(f"Topic {topic!r} does not exist.")
        return CLUSTER

    async def settings(self, topic):
        return {"topic": topic}

    async def offsets(self, topic, partition):
        return (len(topic), partition)


class Away:
    """Reaches no broker."""

    async def describe(self, topic=None):
        raise KafkaUnavailable(f"Kafka is not available for {topic}.")


def asking(metadata):
    return served(Starlette(routes=metadata_routes(metadata, Access(AccessSettings()))))


@pytest.fixture(scope="module")
def ask():
    with asking(Known()) as ask:
        yield ask


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/brokers", {"brokers": [1, 2]}),
        ("/topics", ["topic-1"]),
        ("/topics/topic-1", metadata_v2.topic(TOPIC, {"topic": "topic-1"})),
        ("/topics/topic-1/partitions", metadata_v2.partitions(TOPIC)),
        ("/topics/topic-1/partitions/1", metadata_v2.partition(TOPIC.partitions[1])),
        ("/topics/topic-1/partitions/1/offsets", {"beginning_offset": 7, "end_offset": 1}),
        ("/v3/clusters", V3.clusters()),
        ("/v3/clusters/cluster-1", V3.cluster()),
        ("/v3/clusters/cluster-1/brokers", V3.brokers()),
        ("/v3/clusters/cluster-1/brokers/2", V3.broker(CLUSTER.brokers[1])),
        ("/v3/clusters/cluster-1/topics", V3.topics()),
        ("/v3/clusters/cluster-1/topics/topic-1", V3.topic(TOPIC)),
        ("/v3/clusters/cluster-1/topics/topic-1/partitions", V3.partitions(TOPIC)),
        (
            "/v3/clusters/cluster-1/topics/topic-1/partitions/0",
            V3.partition(TOPIC, TOPIC.partitions[0]),
        ),
    ],
)
def test_every_route_answers(ask, path, expected):
    answer = ask(path)
    assert answer.status == 200
    v3 = path.startswith("/v3/")
    media_type = "application/json" if v3 else "application/vnd.kafka.v2+json"
    assert answer.headers["content-type"] == media_type
    assert answer.json == expected
    assert ask(path, "HEAD").status == 200
    assert ask(path, "PUT").status == 405


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/topics/none", 40403),
        ("/topics/none/partitions", 40403),
        ("/topics/none/partitions/0", 40403),
        ("/topics/topic-1/partitions/2", 40402),
        ("/topics/topic-1/partitions/2/offsets", 40402),
        ("/topics/topic-1/partitions/x", 40402),
        ("/v3/clusters/none", 404),
        ("/v3/clusters/none/brokers", 404),
        ("/v3/clusters/none/topics", 404),
        ("/v3/clusters/none/topics/topic-1/partitions", 404),
        ("/v3/clusters/cluster-1/brokers/3", 404),
        ("/v3/clusters/cluster-1/topics/none", 40403),
        ("/v3/clusters/cluster-1/topics/topic-1/partitions/2", 404),
    ],
)
def test_what_there_is_not_is_a_404_with_its_code(ask, path, code):
    answer = ask(path)
    assert answer.status == 404
    assert answer.json["error_code"] == code
    v3 = path.startswith("/v3/")
    media_type = "application/json" if v3 else "application/vnd.kafka.v2+json"
    assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize("path", ["/topics", "/v3/clusters"])
def test_a_kafka_that_is_away_is_a_503(path):
    with asking(Away()) as ask:
        answer = ask(path)
    assert answer.status == 503
    assert answer.json["error_code"] == 50003
    assert answer.headers["retry-after"] == "1"


@pytest.mark.kafka
def test_kafka_itself_is_described(kafka):
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    topic = f"described-{uuid.uuid4().hex[:8]}"
    admin = Admin(settings)
    admin.create_topic(topic, 2, config={"retention.ms": "7654321"})
    try:
        with asking(KafkaMetadata(settings)) as ask:
            check_what_kafka_tells(ask, admin, topic)
    finally:
        with contextlib.suppress(Permanent):
            admin.delete_topic(topic)


def check_what_kafka_tells(ask, admin, topic):
    (cluster,) = ask("/v3/clusters").json["data"]
    cluster_id = cluster["cluster_id"]
    assert cluster_id == admin.cluster().cluster_id
    brokers = admin.cluster().brokers
    assert ask("/brokers").json["brokers"] == brokers
    found = ask(f"/v3/clusters/{cluster_id}/brokers").json["data"]
    assert [broker["broker_id"] for broker in found] == brokers
    assert topic in ask("/topics").json
    described = ask(f"/topics/{topic}").json
    assert described["configs"]["retention.ms"] == "7654321"
    assert "cleanup.policy" in described["configs"]
    assert [one["partition"] for one in described["partitions"]] == [0, 1]
    (replica,) = described["partitions"][0]["replicas"]
    assert replica["leader"]
    assert replica["in_sync"]
    assert described["partitions"][0]["leader"] == replica["broker"]
    offsets = ask(f"/topics/{topic}/partitions/0/offsets").json
    assert offsets == {"beginning_offset": 0, "end_offset": 0}
    resource = ask(f"/v3/clusters/{cluster_id}/topics/{topic}").json
    assert (resource["partitions_count"], resource["replication_factor"]) == (2, 1)
    assert not resource["is_internal"]
    assert ask("/topics/there-is-none").json["error_code"] == 40403
    assert ask("/topics/a%20b").json["error_code"] == 40403
