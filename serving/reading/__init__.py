"""What readers find in Redis: values, round trips shared, waiting for what was published."""
