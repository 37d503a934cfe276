"""Problems as the REST Proxy's `error_code` and `message`; pure.

Source: Confluent's `Errors.java` and, for what Kafka refuses, `KafkaExceptionMapper.java` of
confluentinc/rest-utils.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventstream.gateway.answers import Fields
    from eventstream.gateway.problems import Problem

V2_TYPE = b"application/vnd.kafka.v2+json"
V3_TYPE = b"application/json"
PARTITION_NOT_FOUND = 40402
AUTHORIZATION = 40301

_CODES: Mapping[str, tuple[int, int]] = {
    # The problem's name: its code in v2, its code in v3. All others bear their HTTP status.
    "empty-body": (422, 42206),
    "internal-topic": (AUTHORIZATION, AUTHORIZATION),
    "invalid-batch": (42208, 42208),
    "invalid-topic": (40002, 40002),
    "kafka-failed": (50002, 50002),
    "kafka-unavailable": (50003, 50003),
    "not-authorized-in-kafka": (AUTHORIZATION, AUTHORIZATION),
    "outcome-unknown": (50003, 50003),
    "overloaded": (50003, 50003),
    "record-too-large": (50002, 413),
    "refused-by-kafka": (50002, 50002),
    "schemas-not-supported": (42206, 42206),
    "topic-not-hosted": (40403, 40403),
    "unknown-partition": (PARTITION_NOT_FOUND, PARTITION_NOT_FOUND),
    "unknown-topic": (40401, 40401),
}
_CONSTRAINTS = range(42201, 42300)
_UNPROCESSABLE = 422


def code_in_v2(problem: Problem) -> int:
    """Give the code a v2 client expects."""
    return _CODES.get(problem.name, (problem.status, 0))[0]


def code_in_v3(problem: Problem) -> int:
    """Give the code a v3 client expects."""
    return _CODES.get(problem.name, (0, problem.status))[1]


def refusal_in_v2(problem: Problem) -> Answer:
    """Answer a v2 request that was refused as a whole."""
    return _refusal(problem, V2_TYPE, code_in_v2(problem))


def refusal_in_v3(problem: Problem) -> Answer:
    """Answer a v3 request that was refused as a whole."""
    return _refusal(problem, V3_TYPE, code_in_v3(problem))


def told_of_a_record(problem: Problem) -> tuple[int, str]:
    """Give the code and the message by which a v3 report tells of one record's problem.

    Violated constraints are told as 422, with their code in the message
    (`RestConstraintViolationExceptionMapper.java`).
    """
    code = code_in_v3(problem)
    if code in _CONSTRAINTS:
        return _UNPROCESSABLE, f"Error: {code} : {problem.detail}"
    return code, problem.detail


def _refusal(problem: Problem, content_type: bytes, code: int) -> Answer:
    fields: Fields = ((b"content-type", content_type), *problem.fields)
    if problem.retry_after_s:
        fields = (*fields, (b"retry-after", b"%d" % problem.retry_after_s))
    body = msgspec.json.encode({"error_code": code, "message": problem.detail})
    return Answer(problem.status, fields, body)
