"""A Kafka that asks for a password: SCRAM over SASL, as its own listener does it."""

import socket

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from eventstream.local import config
from eventstream.local.kafka import LocalKafka
from eventstream.settings import BrokerSettings, HomeSettings

pytestmark = pytest.mark.kafka
USER, PASSWORD = "shop", "correct horse=battery#staple"
OPTIONS = f"""
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-256
sasl.username={USER}
"""


def with_sasl(properties, port):
    """Add a listener that asks for a password to a broker's properties."""
    has = config.parse_properties(properties)
    more = {
        "listeners": f"{has['listeners']},SASL://{config.HOST}:{port}",
        "advertised.listeners": f"{has['advertised.listeners']},SASL://{config.HOST}:{port}",
        "listener.security.protocol.map": f"{has['listener.security.protocol.map']}"
        ",SASL:SASL_PLAINTEXT",
        "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    return "".join(f"{name}={value}\n" for name, value in {**has, **more}.items())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The address at which a Kafka asks for a password."""
    with socket.create_server((config.HOST, 0)) as free:
        port = free.getsockname()[1]
    plain = config.server_properties
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "server_properties", lambda *given: with_sasl(plain(*given), port))
        home = HomeSettings(home=tmp_path_factory.mktemp("sasl"))
        with LocalKafka(home, BrokerSettings(broker_port=0)) as kafka:
            admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
            scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
            user = UserScramCredentialUpsertion(USER, scram, PASSWORD.encode())
            for altered in admin.alter_user_scram_credentials([user]).values():
                altered.result(30)
            yield f"{config.HOST}:{port}"


@pytest.fixture
def ask_as(run, guarded, tmp_path):
    """Run a command with a password that only the file of client options has."""

    def ask_as(password, *arguments, **further):
        file = tmp_path / "kafka.options"
        file.write_text(f"{OPTIONS}sasl.password={password}\n")
        return run(
            *arguments,
            f"--bootstrap-servers={guarded}",
            f"--kafka-options-file={file}",
            **further,
        )

    return ask_as


def test_the_right_password_writes_and_reads(ask_as):
    assert ask_as(PASSWORD, "topics", "create", "orders").returncode == 0
    sent = ask_as(PASSWORD, "publish", "orders", "-", stdin=b'{"a":1}\n')
    assert sent.returncode == 0, sent.stderr
    read = ask_as(PASSWORD, "consume", "orders", "--from=earliest", "--until-end")
    assert read.returncode == 0, read.stderr
    assert '"a":1' in read.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("topics", "list"),
        ("topics", "describe", "orders"),
        ("consume", "orders"),
        ("publish", "orders", "--count=1"),
        ("groups", "list"),
    ],
)
def test_a_wrong_password_is_one_sentence_without_it(ask_as, command):
    asked = ask_as("hush-hush", *command)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert asked.stderr.count("\n") == 1
    assert "hush" not in asked.stderr
    assert asked.stderr.startswith("Kafka refused the credentials (")
    assert asked.stderr.endswith("--kafka-options-file say.\n")
