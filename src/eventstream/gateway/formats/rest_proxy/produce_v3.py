"""v3 produce, `POST /v3/clusters/{cluster_id}/topics/{topic}/records`, of a whole body; pure.

Source: `ProduceAction.java`, `StreamingResponse.java`, openapi.yaml (`produceRecord`). The status
is 200 and every record has its report, an invalid one too; broken JSON ends the request there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstream.gateway.answers import JSON_FIELDS, Answer
from eventstream.gateway.formats.contract import Placed
from eventstream.gateway.formats.rest_proxy.error_codes import refusal_in_v3
from eventstream.gateway.formats.rest_proxy.json_stream import JsonStream
from eventstream.gateway.formats.rest_proxy.records_v3 import Draft, draft, usual_draft
from eventstream.gateway.formats.rest_proxy.reports import SEPARATOR, error_report, reporter_of
from eventstream.gateway.problems import Problem, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventstream.gateway.formats.contract import Outcome, Record
    from eventstream.gateway.formats.rest_proxy.reports import Reporter
    from eventstream.gateway.formats.rest_proxy.target import Target

EMPTY_BODY = Problem(422, "empty-body", "Payload error. Request body is empty. Data is required.")


class BatchOfReports:
    """The records of one body.

    Attributes:
        records: In the body's order, each record or what keeps it from being one.
    """

    __slots__ = ("_reporter", "_sizes", "records")

    def __init__(self, reporter: Reporter, drafts: Sequence[Draft | Problem]) -> None:
        self._reporter = reporter
        self._sizes = [entry.sizes if isinstance(entry, Draft) else b"" for entry in drafts]
        self.records: list[Record | Problem] = [
            entry.record if isinstance(entry, Draft) else entry for entry in drafts
        ]

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Report on each record."""
        report = self._reporter.report
        reports = [
            report(outcome, sizes) if isinstance(outcome, Placed) else error_report(outcome)
            for outcome, sizes in zip(outcomes, self._sizes, strict=True)
        ]
        return Answer(200, JSON_FIELDS, SEPARATOR.join((*reports, b"")))


class RecordsV3:
    """Takes one record, or several one after another.

    Args:
        cluster_id: As the path names it.
    """

    __slots__ = ("cluster_id",)

    def __init__(self, cluster_id: str) -> None:
        self.cluster_id = cluster_id

    def decode(self, route: Target, body: bytes) -> BatchOfReports:
        """Take the records out of the body.

        Raises:
            Rejected: The body is empty.
        """
        single = usual_draft(body)
        drafts = _drafts(body) if single is None else (single,)
        return BatchOfReports(reporter_of(self.cluster_id, route.topic), drafts)

    def refuse(self, problem: Problem) -> Answer:
        """Answer with `error_code` and `message`."""
        return refusal_in_v3(problem)


def _drafts(body: bytes) -> list[Draft | Problem]:
    stream = JsonStream(len(body))
    drafts: list[Draft | Problem] = []
    try:
        drafts.extend(map(draft, stream.feed(body)))
        stream.finish()
    except Rejected as rejected:
        drafts.append(rejected.problem)
    if not drafts:
        raise Rejected(EMPTY_BODY)
    return drafts
