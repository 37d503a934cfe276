"""v3 batch, `POST /v3/clusters/{cluster_id}/topics/{topic}/records:batch`; pure.

Source: `ProduceBatchAction.java`, `v3/ProduceBatchRequestEntry.java`, openapi.yaml
(`produceRecordsBatch`). The batch's shape and its ids are checked before anything is published;
then the answer is 207, with what succeeded and what failed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from eventstream.gateway.answers import JSON_FIELDS, Answer
from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.formats.rest_proxy.error_codes import refusal_in_v3, told_of_a_record
from eventstream.gateway.formats.rest_proxy.integers import once_more
from eventstream.gateway.formats.rest_proxy.records_v3 import (
    Draft,
    Fields,
    check_json,
    draft_of,
    explain,
)
from eventstream.gateway.formats.rest_proxy.reports import reporter_of
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.formats.rest_proxy.reports import Reporter
    from eventstream.gateway.formats.rest_proxy.target import Target

_MULTI_STATUS = 207
_id = re.compile(r"[0-9a-zA-Z_-]{1,80}").fullmatch


class _Request(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    entries: list[msgspec.Raw] | None = None


class _Entry(Fields, kw_only=True, gc=False):
    id: str


class _Identified(msgspec.Struct, gc=False):
    id: str


_decode = msgspec.json.Decoder(_Request).decode
_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_lax = msgspec.json.Decoder(_Entry, strict=False).decode
_decode_id = msgspec.json.Decoder(_Identified).decode


class BatchV3:
    """The entries of one batch.

    Attributes:
        records: In the body's order, each record or what keeps it from being one.
    """

    __slots__ = ("_ids", "_reporter", "_sizes", "records")

    def __init__(self, reporter: Reporter, ids: list[str], drafts: list[Draft | Problem]) -> None:
        self._reporter = reporter
        self._ids = ids
        self._sizes = [entry.sizes if isinstance(entry, Draft) else b"" for entry in drafts]
        self.records: list[Record | Problem] = [
            entry.record if isinstance(entry, Draft) else entry for entry in drafts
        ]

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """List what succeeded and what failed, each by its id."""
        successes: list[bytes] = []
        failures: list[bytes] = []
        for name, sizes, outcome in zip(self._ids, self._sizes, outcomes, strict=True):
            if isinstance(outcome, Placed):
                first = b'"id":"%b",' % name.encode()
                successes.append(self._reporter.report(outcome, sizes, first))
            else:
                code, message = told_of_a_record(outcome)
                failures.append(
                    b'{"id":"%b","error_code":%d,"message":%b}'
                    % (name.encode(), code, msgspec.json.encode(message))
                )
        return Answer(
            _MULTI_STATUS,
            JSON_FIELDS,
            b'{"successes":[%b],"failures":[%b]}' % (b",".join(successes), b",".join(failures)),
        )


class RecordsBatchV3:
    """Takes `{"entries": [{"id", "key", "value", ...}]}`.

    Args:
        cluster_id: As the path names it.
    """

    __slots__ = ("cluster_id",)

    def __init__(self, cluster_id: str) -> None:
        self.cluster_id = cluster_id

    def decode(self, route: Target, body: bytes) -> BatchV3:
        """Take the entries out of the body.

        Raises:
            Rejected: It is not a batch, it is empty, or an id is missing, invalid or there twice.
        """
        texts = _entries(body)
        ids = [_id_of(text, number) for number, text in enumerate(texts)]
        if len(set(ids)) < len(ids):
            raise _invalid("Batch entry IDs are not distinct.")
        drafts = [_draft(text, number) for number, text in enumerate(texts)]
        return BatchV3(reporter_of(self.cluster_id, route.topic), ids, drafts)

    def refuse(self, problem: Problem) -> Answer:
        """Answer with `error_code` and `message`."""
        return refusal_in_v3(problem)


def _entries(body: bytes) -> list[bytes]:
    if not body:
        raise _invalid("Request body is empty. Data is required.")
    check_json(body)
    try:
        entries = _decode(body).entries
    except msgspec.ValidationError as error:
        raise _shapeless(f"The body is not a batch: {error}.", error) from None
    if not entries:
        raise _invalid("Empty batch.")
    return [bytes(entry) for entry in entries]


def _id_of(text: bytes, number: int) -> str:
    try:
        name = _decode_id(text).id
    except msgspec.ValidationError:
        name = ""
    if not _id(name):
        raise _invalid(
            f"Batch entry identifier is not a valid string: entries[{number}] needs an id of 1 to"
            " 80 letters, digits, hyphens or underscores."
        )
    return name


def _draft(text: bytes, number: int) -> Draft | Problem:
    try:
        return draft_of(_entry(text))
    except msgspec.ValidationError as error:
        problem = explain(text, error)
        if problem.name == "invalid-record":
            raise _shapeless(f"entries[{number}]: {problem.detail}", error) from None
        return problem


def _entry(text: bytes) -> _Entry:
    try:
        return _decode_entry(text)
    except msgspec.ValidationError as error:
        return once_more(_decode_lax, text, error)


def _shapeless(detail: str, error: msgspec.ValidationError) -> Rejected:
    """Refuse JSON of another shape; 422 for unknown fields (`JacksonMessageBodyProvider.java`)."""
    status = 422 if "unknown field" in str(error) else 400
    return Rejected(Problem(status, "invalid-request", detail))


def _invalid(detail: str) -> Rejected:
    return Rejected(Problem(422, "invalid-batch", detail))
