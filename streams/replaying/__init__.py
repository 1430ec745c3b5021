"""Replay: the history in Kafka learned again, into a namespace of its own, at full speed."""
