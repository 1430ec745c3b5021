"""Files and simulated visitors into Kafka."""
