"""Measurements: each figure beside a control in the same run."""
