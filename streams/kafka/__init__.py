"""What all parts need of Kafka: topics, reading one whole, positions, typed events in."""
