import pytest

from eventstream.local.failures import ending, reason

PORT_TAKEN = """\
2026-11-24 17:43:00.414 INFO kafka.server.ControllerServer: [ControllerServer id=1] Starting
2026-11-24 17:43:00.512 ERROR kafka.server.ControllerServer: [ControllerServer id=1] Fatal startup
org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:19092: Address \
already in use.
	at kafka.network.DataPlaneAcceptor.openServerSocket(SocketServer.scala:700)
Caused by: java.net.BindException: Address already in use
	at java.base/sun.nio.ch.Net.bind0(Native Method)
2026-11-24 17:43:00.513 INFO kafka.server.ControllerServer: [ControllerServer id=1] shutting down
"""


DISK_FULL = """\
2026-11-24 17:43:00.414 ERROR o.a.k.LogDirFailureChannel: Error in /x
java.io.IOException: No space left on device
2026-11-24 17:43:00.514 ERROR kafka.Kafka$: All log dirs have failed.
"""


@pytest.mark.parametrize(
    ("log", "console", "expected"),
    [
        (
            PORT_TAKEN,
            "The process has ended: exit code 1.\n",
            "[ControllerServer id=1] Fatal startup: Address already in use",
        ),
        ("", "Error: Could not create the Java VM\nThe process has ended: exit code 1.\n",
         "Error: Could not create the Java VM"),
        ("", "The process has ended: killed by signal 9.\n", "killed by signal 9"),
        ("", "", "it left no word"),
        ("2026-11-24 17:43:00.414 ERROR kafka.Kafka$: Exiting.\n", "", "Exiting"),
        (
            DISK_FULL,
            "",
            "the disk is full",
        ),
    ],
)  # fmt: skip
def test_the_reason_is_the_last_error_and_its_innermost_cause(log, console, expected):
    assert reason(log, console) == expected


def test_how_it_ended_is_what_its_guardian_says():
    assert ending("Ready.\nThe process has ended: killed by signal 9.\n") == "killed by signal 9"
    assert not ending("Ready.\n")
