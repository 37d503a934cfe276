"""Parameters that several operations have; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventstream.gateway.openapi.operations import Parameter

if TYPE_CHECKING:
    from typing import Literal

TOPIC_NAME: dict[str, Any] = {
    "type": "string",
    "pattern": r"^(?!\.\.?$)[a-zA-Z0-9._-]+$",
    "minLength": 1,
    "maxLength": 249,
}
PARTITION_NUMBER: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}


def topic(default_topic: str) -> Parameter:
    """Describe the topic of a path."""
    return Parameter(
        "topic",
        "path",
        TOPIC_NAME,
        "The topic: letters, digits, dots, underscores and hyphens.",
        default_topic,
    )


def cluster() -> Parameter:
    """Describe the cluster of a path."""
    return Parameter(
        "cluster_id",
        "path",
        {"type": "string", "minLength": 1},
        "The cluster's id, as `GET /v3/clusters` tells it.",
    )


def number(name: Literal["partition", "broker"]) -> Parameter:
    """Describe the partition or the broker of a path."""
    return Parameter(name, "path", PARTITION_NUMBER, f"The {name}'s number.", 0)
