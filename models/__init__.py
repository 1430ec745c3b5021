"""The recommendation engine: pure Python, NumPy, Numba and River; no input or output, no clock, no Kafka, no Redis.

Two kinds of knowledge: what we know of a user (:mod:`models.users`) and what we know of items
(:mod:`models.item_model`). :mod:`models.engine` holds both and never changes them in one step.
"""
