"""Confluent's REST Proxy, v2 and v3: requests to records, outcomes to answers; pure.

`produce_v2.py`, `produce_v3.py` and `batch_v3.py` are formats; `media_types.py` chooses among them.
`metadata_v2.py` and `metadata_v3.py` write what the metadata routes answer. What is told here of
Confluent's behaviour was read in its repository, confluentinc/kafka-rest.
"""
