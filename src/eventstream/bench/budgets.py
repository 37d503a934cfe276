"""What each benchmark is held to; docs/performance.md says how it stands."""

from __future__ import annotations

from typing import NamedTuple

_WHOLE_FROM = 1000


class Budget(NamedTuple):
    """A limit for one figure.

    Attributes:
        what: The figure.
        limit: Its limit.
        is_least: Whether the figure is to be at least that, rather than at most.
        unit: Its unit; a ratio has none.
    """

    what: str
    limit: float
    is_least: bool = False
    unit: str = ""

    def is_met(self, figure: float) -> bool:
        """Whether a figure is within its budget."""
        return figure >= self.limit if self.is_least else figure <= self.limit

    def verdict(self, figure: float) -> str:
        """Say in a line whether a figure is within its budget."""
        bound = "at least" if self.is_least else "at most"
        shown = f"{figure:,.0f}" if figure >= _WHOLE_FROM else f"{figure:.4g}"
        return (
            f"budget {'met' if self.is_met(figure) else 'MISSED'}: {self.what} {shown}{self.unit},"
            f" {bound} {self.limit:,g}{self.unit}"
        )


LANES = Budget("CPU per publish, fast lane over ASGI routes", 0.4)
HANDLERS = Budget("no-op handlers by key over plain consume()", 0.35, is_least=True)
HANDLED = Budget("no-op handlers by key", 300_000, is_least=True, unit="/s")
WAITING = Budget("5 ms handlers, 64 at once, over 64 bare tasks", 0.95, is_least=True)
OTHERS = Budget("other keys' rate while one key fails, over their rate else", 0.95, is_least=True)
TRANSACTIONS = Budget(
    "transactional handlers, 64 at once, over plain transactions", 0.75, is_least=True
)
ROWS = Budget("Kafka to table, over COPY BINARY of the same rows", 0.7, is_least=True)
PEER = Budget("no-op handlers by key over Parallel Consumer's", 25, is_least=True)
BULK = Budget("eventstream publish over kafka-producer-perf-test", 2.5, is_least=True)
GO_GATEWAY = {
    "single": Budget("CPU per single publish over the Go gateway's", 0.6),
    "ndjson": Budget("CPU per event of 1,000-line NDJSON over the Go gateway's", 0.85),
    "paced": Budget("p99 of single publishes, open loop, over the Go gateway's", 1.0),
}
"""By the load."""
GOODPUT = Budget("acknowledged under overload over the best", 0.9, is_least=True)
GROWTH = Budget("memory in the overload's last third over its first", 1.05)
FORMATS = {
    "v2-json": Budget("REST Proxy v2, one record a request", 20_000, is_least=True, unit="/s"),
    "v3-json": Budget("REST Proxy v3, one record a request", 20_000, is_least=True, unit="/s"),
}
"""By the format's name."""
PIPELINE = {
    10_000: Budget("p99 end to end at 10,000/s", 10, unit=" ms"),
    20_000: Budget("p99 end to end at 20,000/s", 20, unit=" ms"),
}
"""By the rate of single publishes."""
