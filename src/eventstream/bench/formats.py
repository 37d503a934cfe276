"""Single-record requests a second in each format the gateway takes, closed loop."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

import msgspec

from eventstream.bench.gateway import our_gateway
from eventstream.bench.load import Load
from eventstream.bench.programs import measured_topic
from eventstream.bench.requests import FORMS, Requests, refusal
from eventstream.bench.rounds import Round, measure
from eventstream.bench.workload import value_of
from eventstream.log.admin import Admin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventstream.bench.gateway import RunningGateway
    from eventstream.settings import KafkaSettings

ANSWER_TIMEOUT_S = 30.0


class FormatsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What each format showed.

    Attributes:
        rounds: By format, interleaved.
        refused: Formats that could not be measured, and how the gateway answered.
    """

    rounds: dict[str, list[Round]]
    refused: dict[str, str]


def run_formats(
    kafka: KafkaSettings,
    forms: Iterable[str],
    *,
    connections: int,
    seconds: float,
    rounds: int,
    keyed: bool,
) -> FormatsReport:
    """Measure formats in turn; one whose first request is refused is left out and reported."""
    cluster = Admin(kafka).cluster().cluster_id
    report = FormatsReport(rounds={form: [] for form in forms}, refused={})
    for _ in range(rounds):
        for form, measured in report.rounds.items():
            if form in report.refused:
                continue
            with measured_topic(kafka) as topic, our_gateway(kafka) as gateway:
                load = Load(
                    port=gateway.port,
                    topic=topic,
                    connections=connections,
                    seconds=seconds,
                    keyed=keyed,
                    form=form,
                    cluster=cluster,
                )
                refused = first_answer(gateway, load)
                if refused is None:
                    measured.append(measure(form, gateway.pid, load))
                else:
                    report.refused[form] = refused
    return report


def first_answer(gateway: RunningGateway, load: Load) -> str | None:
    """Send one request of a load; return why it is not acknowledged, or `None` when it is."""
    form = FORMS[load.form]
    requests = Requests(form, load.topic, cluster=load.cluster, api_key=load.api_key)
    key = b"key-0" if load.keyed else None
    with socket.create_connection(("127.0.0.1", gateway.port), ANSWER_TIMEOUT_S) as connection:
        connection.sendall(requests.write(0, key, value_of(0, 0, load.size)))
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        return refusal(form, response.status, response.read())
