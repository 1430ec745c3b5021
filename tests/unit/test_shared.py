"""The largest are those that a stable sort puts first."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.shared import largest


@given(st.lists(st.integers(-4, 4) | st.floats(-9, 9), max_size=60), st.integers(0, 70))
def test_the_largest_are_those_of_a_stable_sort(values: list[float], n: int) -> None:
    array = np.array(values, np.float64)
    assert largest(array, n).tolist() == np.argsort(-array, kind="stable")[:n].tolist()
