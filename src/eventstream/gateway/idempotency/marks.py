"""What a record carries so that it is found again: the key, the reservation, its place; pure.

The header's value is a Structured Field Item (RFC 8941): the key as the client gave it, then
`mark`, drawn at random when the key was reserved, and `index`, the record's place in the request.
Nobody who has not read the topic can forge a mark, and a later life of the same key has another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from eventstream.gateway.idempotency.keys import quote

if TYPE_CHECKING:
    from eventstream.gateway.formats.contract import Record

HEADER = "idempotency-key"
_TAIL = re.compile(rb'";mark="([0-9a-f]{32})";index=([0-9]{1,9})$')


class Mark(NamedTuple):
    """Which reservation a record belongs to, and which record of that request it is, from 0 on."""

    mark: bytes
    number: int


def marked(record: Record, key: bytes, mark: Mark) -> Record:
    """Return the record with the header that says whose it is."""
    value = b'%b;mark="%b";index=%d' % (quote(key), mark.mark.hex().encode(), mark.number)
    return record._replace(headers=(*record.headers, (HEADER, value)))


def read_mark(value: bytes | None) -> Mark | None:
    """Read such a header's value; `None` where it is somebody else's."""
    found = _TAIL.search(value) if value is not None else None
    if found is None:
        return None
    return Mark(bytes.fromhex(found[1].decode()), int(found[2]))
