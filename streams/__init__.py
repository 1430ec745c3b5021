"""The event path through Kafka.

consumer → agents → applier → outbox → Redis and the learning log; the log → the item model. ``worker`` wires them.
"""
