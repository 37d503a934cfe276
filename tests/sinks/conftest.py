"""Tests of sinks are coroutines: sinks live in an event loop."""

import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
