"""Tests of sinks are coroutines: sinks live in an event loop."""

import pytest

pytest.register_assert_rewrite("sinks.conformance")


@pytest.fixture
def anyio_backend():
    return "asyncio"
