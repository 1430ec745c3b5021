"""From the group to batches of records: membership, tenures, backpressure."""
