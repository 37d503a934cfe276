"""The Kafka log: the only room that imports confluent_kafka."""
