"""One declaration a setting: bounds, environment, secrets."""

import pytest

from eventstream import settings
from eventstream.errors import InvalidSetting
from eventstream.settings import (
    GatewaySettings,
    KafkaSettings,
    LogSettings,
    WorkerSettings,
    broker_addresses,
    from_environment,
    options_of,
)


def test_the_environment_is_read_by_the_declared_type():
    read = from_environment(
        GatewaySettings, {"EVENTSTREAM_PORT": "9000", "EVENTSTREAM_FAST_LANE": "off"}
    )
    assert (read.port, read.fast_lane, read.host) == (9000, False, "127.0.0.1")
    worker = from_environment(WorkerSettings, {"EVENTSTREAM_METRICS_PORT": ""})
    assert worker.metrics_port is None


def test_several_values_stand_behind_each_other():
    read = from_environment(KafkaSettings, {"EVENTSTREAM_KAFKA_OPTION": "a.b=1 c.d=2=3"})
    assert read.client_options() == {
        "bootstrap.servers": "localhost:9092",
        "a.b": "1",
        "c.d": "2=3",
    }


def test_overrides_win_over_the_environment():
    assert from_environment(GatewaySettings, {"EVENTSTREAM_PORT": "1"}, port=2).port == 2


@pytest.mark.parametrize(
    ("group", "environment", "sentence"),
    [
        (GatewaySettings, {"EVENTSTREAM_PORT": "x"}, "EVENTSTREAM_PORT is 'x'"),
        (GatewaySettings, {"EVENTSTREAM_PORT": "70000"}, "--port is 70000, but the most"),
        (GatewaySettings, {"EVENTSTREAM_FAST_LANE": "maybe"}, "write true or false"),
        (LogSettings, {"EVENTSTREAM_LOG_LEVEL": "loud"}, "choose one of debug, info"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(group, environment, sentence):
    with pytest.raises(InvalidSetting, match=sentence):
        from_environment(group, environment)


def test_a_client_option_without_a_value_is_refused_and_not_shown():
    given = ("sasl.password=hush", "hush hush")
    with pytest.raises(InvalidSetting, match="--kafka-option number 2 has no value") as refused:
        KafkaSettings(kafka_option=given).client_options()
    assert "hush" not in str(refused.value)


def test_client_options_come_from_a_file_and_the_command_line_wins(tmp_path):
    file = tmp_path / "kafka.options"
    file.write_text("# ours\n\n sasl.username = me\nsasl.password=hu=sh#!\nclient.rack=a\n")
    kafka = KafkaSettings(kafka_options_file=file, kafka_option=("client.rack=b",))
    assert kafka.client_options() == {
        "bootstrap.servers": "localhost:9092",
        "sasl.username": "me",
        "sasl.password": "hu=sh#!",
        "client.rack": "b",
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a=1\nhush\n", "Line 2 of .* has no value"),
        (b"=hush", "Line 1 of .* has no value"),
        (b"\xff", "cannot be read: it is not UTF-8 text"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_client_options_is_refused_in_a_sentence(tmp_path, content, sentence):
    file = tmp_path / "kafka.options"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidSetting, match=sentence) as refused:
        KafkaSettings(kafka_options_file=file).client_options()
    assert "hush" not in str(refused.value)


def test_secrets_are_in_no_repr():
    kafka = KafkaSettings(kafka_option=("sasl.password=hush",))
    assert "hush" not in repr(kafka)


def test_a_variable_means_the_same_type_wherever_it_is_declared():
    types = {}
    for group in settings.GROUPS:
        for option in options_of(group):
            assert types.setdefault(option.variable, option.type) == option.type
            assert option.help.endswith(".")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("localhost", [("localhost", 9092)]),
        ("a:1, b.example:65535,", [("a", 1), ("b.example", 65535)]),
        ("PLAINTEXT://a:1", [("a", 1)]),
        ("[::1]:19092", [("::1", 19092)]),
    ],
)
def test_broker_addresses_are_read_as_kafka_clients_read_them(text, addresses):
    assert broker_addresses(text) == addresses


@pytest.mark.parametrize(
    "text", ["", " , ", "a:abc", "a:0", "a:70000", "a:", ":9092", "a b:1", "a:1:2", "a,b:x"]
)
def test_what_is_no_broker_address_is_said_in_one_sentence(text):
    with pytest.raises(InvalidSetting, match="write host:port, several separated by commas"):
        KafkaSettings(bootstrap_servers=text).client_options()
