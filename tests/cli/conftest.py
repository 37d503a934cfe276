import pytest


@pytest.fixture
def ask(run, kafka):
    """Run a command of `eventstream` against the tests' Kafka."""

    def ask(*arguments, **further):
        return run(*arguments, f"--bootstrap-servers={kafka.bootstrap_servers}", **further)

    return ask
