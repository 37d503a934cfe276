"""What is wrong with an event that does not match its topic's schema, in one sentence; pure."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from eventstream.gateway.problems import Problem
from eventstream.gateway.schemas.documents import sentence, shown

NAME = "schema-violation"
MOST_EXPLAINED = 3
BYTES_FOR_SEVERAL = 1_024
BYTES_FOR_ONE = 16_384
"""The validator finds all violations at once, at up to 15 µs each, and an event can hold one in
every two bytes: of larger events only the first is looked for, and of huge ones none."""


def not_json(topic: str, reason: str) -> Problem:
    """Refuse what cannot be checked."""
    return Problem(
        422,
        NAME,
        f"Topic {topic!r} has a schema, and the event is not JSON that can be checked: {reason}.",
    )


def violation(topic: str, validator: jsonschema_rs.Validator, event: Any, size: int) -> Problem:
    """Say where an event does not match, and what was expected there.

    Args:
        topic: Where it was to go.
        validator: What refused it.
        event: The event, decoded.
        size: How many bytes it had.
    """
    if size > BYTES_FOR_ONE:
        return unexplained(topic)
    if size > BYTES_FOR_SEVERAL:
        return Problem(422, NAME, _first(validator, event) or unexplained(topic).detail)
    errors = list(validator.iter_errors(event))
    if not errors:
        return unexplained(topic)
    told = " ".join(sentence(error, shown(error.instance)) for error in errors[:MOST_EXPLAINED])
    more = len(errors) - MOST_EXPLAINED
    return Problem(422, NAME, f"{told} And {more} more." if more > 0 else told)


def unexplained(topic: str) -> Problem:
    """Refuse an event without saying where it does not match."""
    return Problem(422, NAME, f"The event does not match the schema of topic {topic!r}.")


def _first(validator: jsonschema_rs.Validator, event: Any) -> str | None:
    try:
        validator.validate(event)
    except jsonschema_rs.ValidationError as error:
        return sentence(error, shown(error.instance))
    return None
