"""All that the outside world sees of Headrace: events, topics, the learning log's records, Redis keys and values.

This package is the ground floor: pure, no input or output, and it imports nothing else of ours.
"""
