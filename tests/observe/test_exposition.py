"""All processes of a machine on one endpoint."""

import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from eventstream.observe import metrics
from eventstream.observe.exposition import ProcessSamples, machine_samples, merge, render
from eventstream.observe.metrics import METRICS, Histogram, sample


def values(samples):
    return {(each.metric, each.labels): each.value for each in samples}


def test_samples_of_several_processes_are_added_up(tmp_path):
    first = ProcessSamples(tmp_path, lambda: [sample(metrics.EVENTS, 3, "acknowledged")])
    second = ProcessSamples(tmp_path, lambda: [sample(metrics.EVENTS, 4, "acknowledged")])
    assert values(machine_samples(tmp_path)) == {(metrics.EVENTS.name, ("acknowledged",)): 7}
    first.close()
    second.close()


def test_counters_outlive_their_process_and_gauges_do_not(tmp_path):
    program = (
        "import os, pathlib, sys\n"
        "from eventstream.observe import metrics\n"
        "from eventstream.observe.exposition import ProcessSamples\n"
        "from eventstream.observe.metrics import sample\n"
        "kept = ProcessSamples(pathlib.Path(sys.argv[1]), lambda: [\n"
        "    sample(metrics.EVENT_BYTES, 5), sample(metrics.IN_FLIGHT, 9)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    expected = {(metrics.EVENT_BYTES.name, ()): 10.0}
    assert values(machine_samples(tmp_path)) == expected
    folding = ProcessSamples(tmp_path, list)
    assert values(machine_samples(tmp_path)) == expected
    assert len(list(tmp_path.glob("*.samples"))) == 2
    folding.close()


def test_histograms_are_rendered_cumulatively():
    histogram = Histogram()
    for value in (0.0004, 0.0004, 0.004, 100):
        histogram.observe(value)
    twice = merge([sample(metrics.PUBLISH_SECONDS, histogram)] * 2)
    text = render(twice).decode()
    assert 'eventstream_gateway_publish_seconds_bucket{le="0.0005"} 4.0' in text
    assert 'eventstream_gateway_publish_seconds_bucket{le="0.005"} 6.0' in text
    assert 'eventstream_gateway_publish_seconds_bucket{le="+Inf"} 8.0' in text


def test_prometheus_reads_every_declared_metric():
    samples = [
        sample(metric, Histogram() if metric.kind == "histogram" else 1.0, *metric.labels)
        for metric in METRICS
    ]
    families = {each.name for each in text_string_to_metric_families(render(samples).decode())}
    assert families == {metric.name.removesuffix("_total") for metric in METRICS}


def test_metrics_are_named_as_prometheus_asks():
    for metric in METRICS:
        assert metric.name.startswith("eventstream_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.help.endswith(".")
    assert len({metric.name for metric in METRICS}) == len(METRICS)
