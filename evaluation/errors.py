"""What was asked for cannot be evaluated."""

from __future__ import annotations


class EvaluationError(ValueError):
    """A question that has no answer on this stream; the text says what is wrong and what there is instead."""
