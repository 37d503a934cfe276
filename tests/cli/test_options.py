from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from eventstream.cli.options import with_settings
from eventstream.errors import InvalidSetting
from eventstream.settings import (
    BrokerSettings,
    GatewaySettings,
    HomeSettings,
    KafkaSettings,
    ProducerSettings,
    WorkerSettings,
)


@pytest.fixture
def ask():
    """Run a command with these arguments and environment; give what came of it."""

    def ask(command, *arguments, **environment):
        app = typer.Typer()
        app.command()(command)
        result = CliRunner().invoke(app, arguments, env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return ask


@pytest.fixture
def told():
    return {}


@pytest.fixture
def command(told):
    @with_settings
    def command(
        broker: BrokerSettings,
        kafka: KafkaSettings,
        home: HomeSettings,
        name: Annotated[str, typer.Argument()] = "nobody",
    ) -> None:
        told.update(broker=broker, kafka=kafka, home=home, name=name)

    return command


def test_what_is_not_given_has_its_default(ask, command, told):
    assert ask(command).exit_code == 0
    assert told == {
        "broker": BrokerSettings(),
        "kafka": KafkaSettings(),
        "home": HomeSettings(),
        "name": "nobody",
    }


def test_the_command_line_wins_over_the_environment(ask, command, told):
    ask(
        command,
        *("--broker-port", "0", "--fresh", "--home", "/a b", "--bootstrap-servers", "a:1", "me"),
        EVENTSTREAM_BROKER_PORT="7000",
        EVENTSTREAM_BROKERS="3",
        EVENTSTREAM_CACHE="/c",
    )
    assert told["broker"] == BrokerSettings(broker_port=0, brokers=3, fresh=True)
    assert told["home"] == HomeSettings(home=Path("/a b"), cache=Path("/c"))
    assert told["kafka"] == KafkaSettings(bootstrap_servers="a:1")
    assert told["name"] == "me"


def test_an_option_for_several_values_may_be_repeated(ask, command, told):
    ask(command, "--kafka-option", "a=1", "--kafka-option", "b=2")
    assert told["kafka"].kafka_option == ("a=1", "b=2")
    ask(command, EVENTSTREAM_KAFKA_OPTION="c=3 d=4")
    assert told["kafka"].kafka_option == ("c=3", "d=4")


def test_a_switch_can_be_turned_off(ask, command, told):
    ask(command, "--no-fresh", EVENTSTREAM_FRESH="true")
    assert told["broker"].fresh is False


def test_a_value_out_of_bounds_is_a_sentence(ask, command):
    with pytest.raises(InvalidSetting, match="--brokers is 99"):
        ask(command, "--brokers", "99")


def test_help_tells_flag_variable_default_and_choices(ask):
    @with_settings
    def command(sending: ProducerSettings) -> None:
        """Do it."""

    text = ask(command, "--help", COLUMNS="200").output
    for part in ("--compression", "none|gzip|snappy|lz4|zstd", "[default: none]"):
        assert part in text
    assert "[env var: EVENTSTREAM_LINGER_MS]" in text
    assert "Do it." in text


def test_an_option_of_two_groups_is_one_option_for_both(ask):
    told = {}

    @with_settings
    def command(gateway: GatewaySettings, worker: WorkerSettings) -> None:
        told.update(gateway=gateway, worker=worker)

    ask(command)
    assert told["gateway"].max_in_flight == GatewaySettings().max_in_flight
    assert told["worker"].max_in_flight == WorkerSettings().max_in_flight
    ask(command, "--max-in-flight", "7")
    assert told["gateway"].max_in_flight == told["worker"].max_in_flight == 7
