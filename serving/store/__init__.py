"""What workers write to Redis, and how it is kept from a former owner."""
