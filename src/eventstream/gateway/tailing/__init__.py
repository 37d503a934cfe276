"""Events out over HTTP: `GET /events/{topic}` as Server-Sent Events (docs/reading.md).

The way of one event: `log/live.py` reads it for all clients of a topic; `pages.py` encodes it once;
`ring.py` keeps it for a while; `stream.py` passes it to one client, at that client's pace. Clients
that start further back than the ring reaches read on their own first (`catching_up.py`).
"""
