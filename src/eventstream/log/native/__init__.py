"""A producer of our own, in the event loop: no thread, one request a broker for all partitions.

`primitives`, `records`, `messages`, `murmur2`, `batch` and `partition` are pure; `connection` and
`broker` do the I/O, `cluster` knows who leads what, `producer` puts them together.
"""
