"""The REST Proxy's metadata routes, v2 and v3: Kafka is asked for every one of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.responses import Response
from starlette.routing import Route, request_response

from eventstream.errors import EventstreamError, TopicNotFound
from eventstream.gateway.formats.rest_proxy import metadata_v2
from eventstream.gateway.formats.rest_proxy.error_codes import (
    V2_TYPE,
    V3_TYPE,
    refusal_in_v2,
    refusal_in_v3,
)
from eventstream.gateway.formats.rest_proxy.metadata_v3 import ResourcesV3
from eventstream.gateway.known import KnownCallers
from eventstream.gateway.problems import Problem, Rejected, problem_of
from eventstream.log.cluster import ClusterInquiry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from eventstream.gateway.access.access import Access
    from eventstream.gateway.answers import Answer
    from eventstream.log.cluster import Broker, ClusterDescription, Partition, Topic
    from eventstream.settings import KafkaSettings

    Endpoint = Callable[[Request], Awaitable[Any]]

_SHOWN = 260


class Metadata(Protocol):
    """Knows the cluster; each call may raise an `EventstreamError`."""

    async def describe(self, topic: str | None = None) -> ClusterDescription:
        """Describe the cluster with all its topics, or with one, which has to exist."""

    async def settings(self, topic: str) -> Mapping[str, str | None]:
        """Return every setting in force for a topic."""

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """Return a partition's oldest offset, and the one after its newest."""


class KafkaMetadata:
    """Asks Kafka, in a thread.

    Args:
        kafka: How to reach it.

    Raises:
        InvalidSetting: The client refuses an option.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._inquiry = ClusterInquiry(kafka)

    async def describe(self, topic: str | None = None) -> ClusterDescription:
        """Describe the cluster with all its topics, or with one, which has to exist."""
        return await asyncio.to_thread(self._inquiry.describe, topic)

    async def settings(self, topic: str) -> Mapping[str, str | None]:
        """Return every setting in force for a topic."""
        return await asyncio.to_thread(self._inquiry.settings, topic)

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """Return a partition's oldest offset, and the one after its newest."""
        return await asyncio.to_thread(self._inquiry.offsets, topic, partition)


def metadata_routes(metadata: Metadata, access: Access) -> list[Route]:
    """Make the routes, all of them for GET and HEAD, and for callers that are known."""
    v2, v3 = _V2(metadata), _V3(metadata)
    cluster = "/v3/clusters/{cluster_id}"
    topic = "/topics/{topic}"
    partition = "/partitions/{partition}"
    told: list[tuple[str, Endpoint, bytes, Callable[[Problem], Answer]]] = [
        ("/brokers", v2.brokers, V2_TYPE, refusal_in_v2),
        ("/topics", v2.topics, V2_TYPE, refusal_in_v2),
        (topic, v2.topic, V2_TYPE, refusal_in_v2),
        (f"{topic}/partitions", v2.partitions, V2_TYPE, refusal_in_v2),
        (f"{topic}{partition}", v2.partition, V2_TYPE, refusal_in_v2),
        (f"{topic}{partition}/offsets", v2.offsets, V2_TYPE, refusal_in_v2),
        ("/v3/clusters", v3.clusters, V3_TYPE, refusal_in_v3),
        (cluster, v3.cluster, V3_TYPE, refusal_in_v3),
        (f"{cluster}/brokers", v3.brokers, V3_TYPE, refusal_in_v3),
        (f"{cluster}/brokers/{{broker}}", v3.broker, V3_TYPE, refusal_in_v3),
        (f"{cluster}/topics", v3.topics, V3_TYPE, refusal_in_v3),
        (f"{cluster}{topic}", v3.topic, V3_TYPE, refusal_in_v3),
        (f"{cluster}{topic}/partitions", v3.partitions, V3_TYPE, refusal_in_v3),
        (f"{cluster}{topic}{partition}", v3.partition, V3_TYPE, refusal_in_v3),
    ]
    return [
        Route(
            path,
            KnownCallers(
                request_response(_answering(ask, content_type, refuse)),
                access,
                access.use_refusal,
                refuse,
            ),
            methods=["GET", "HEAD"],
        )
        for path, ask, content_type, refuse in told
    ]


def _answering(
    ask: Endpoint, content_type: bytes, refuse: Callable[[Problem], Answer]
) -> Callable[[Request], Awaitable[Response]]:
    media_type = content_type.decode()

    async def endpoint(request: Request) -> Response:
        try:
            found = await ask(request)
        except Rejected as rejected:
            answer = refuse(rejected.problem)
        except TopicNotFound as error:
            answer = refuse(Problem(404, "topic-not-hosted", str(error)))
        except EventstreamError as error:
            answer = refuse(problem_of(error))
        else:
            return Response(msgspec.json.encode(found), media_type=media_type)
        fields = {name.decode(): value.decode() for name, value in answer.fields}
        return Response(answer.body, answer.status, fields)

    return endpoint


class _V2:
    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    async def brokers(self, _request: Request) -> Any:
        return metadata_v2.brokers(await self._metadata.describe())

    async def topics(self, _request: Request) -> Any:
        return metadata_v2.topics(await self._metadata.describe())

    async def topic(self, request: Request) -> Any:
        topic = await self._topic(request)
        return metadata_v2.topic(topic, await self._metadata.settings(topic.topic))

    async def partitions(self, request: Request) -> Any:
        return metadata_v2.partitions(await self._topic(request))

    async def partition(self, request: Request) -> Any:
        topic = await self._topic(request)
        return metadata_v2.partition(_partition(request, topic, "unknown-partition"))

    async def offsets(self, request: Request) -> Any:
        topic = await self._topic(request)
        number = _partition(request, topic, "unknown-partition").partition
        return metadata_v2.offsets(*await self._metadata.offsets(topic.topic, number))

    async def _topic(self, request: Request) -> Topic:
        name = request.path_params["topic"]
        return (await self._metadata.describe(name)).topics[name]


class _V3:
    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    async def clusters(self, request: Request) -> Any:
        return ResourcesV3(str(request.base_url), await self._metadata.describe()).clusters()

    async def cluster(self, request: Request) -> Any:
        return (await self._resources(request))[1].cluster()

    async def brokers(self, request: Request) -> Any:
        return (await self._resources(request))[1].brokers()

    async def broker(self, request: Request) -> Any:
        cluster, resources = await self._resources(request)
        return resources.broker(_broker(request, cluster))

    async def topics(self, request: Request) -> Any:
        return (await self._resources(request))[1].topics()

    async def topic(self, request: Request) -> Any:
        topic, resources = await self._topic(request)
        return resources.topic(topic)

    async def partitions(self, request: Request) -> Any:
        topic, resources = await self._topic(request)
        return resources.partitions(topic)

    async def partition(self, request: Request) -> Any:
        topic, resources = await self._topic(request)
        return resources.partition(topic, _partition(request, topic, "no-such-partition"))

    async def _topic(self, request: Request) -> tuple[Topic, ResourcesV3]:
        name = request.path_params["topic"]
        cluster, resources = await self._resources(request, name)
        return cluster.topics[name], resources

    async def _resources(
        self, request: Request, topic: str | None = None
    ) -> tuple[ClusterDescription, ResourcesV3]:
        cluster = await self._metadata.describe(topic)
        asked = request.path_params["cluster_id"]
        if asked != cluster.cluster_id:
            raise _missing("no-such-cluster", f"Cluster {asked[:_SHOWN]!r} cannot be found.")
        return cluster, ResourcesV3(str(request.base_url), cluster)


def _partition(request: Request, topic: Topic, name: str) -> Partition:
    asked = request.path_params["partition"]
    for partition in topic.partitions:
        if str(partition.partition) == asked:
            return partition
    detail = f"Partition not found: topic {topic.topic!r} has no partition {asked[:_SHOWN]!r}."
    raise _missing(name, detail)


def _broker(request: Request, cluster: ClusterDescription) -> Broker:
    asked = request.path_params["broker"]
    for broker in cluster.brokers:
        if str(broker.broker_id) == asked:
            return broker
    raise _missing("no-such-broker", f"Broker {asked[:_SHOWN]!r} cannot be found.")


def _missing(name: str, detail: str) -> Rejected:
    return Rejected(Problem(404, name, detail))
