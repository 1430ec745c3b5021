"""Random draws are the published generator's, uniform, and grown arrays keep what they hold."""

from __future__ import annotations

import numpy as np

from models.kernel import draw, draw_below, draw_normals, grown


def test_draws_are_splitmix64() -> None:
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [int(draw(np.uint64(1234567), np.uint64(index))) for index in range(5)] == published


def test_draws_below_a_bound_are_uniform() -> None:
    drawn = [draw_below(np.uint64(3), np.uint64(index), 7) for index in range(14_000)]
    counts = np.bincount(drawn, minlength=7)
    assert len(counts) == 7
    assert float(((counts - 2000) ** 2 / 2000).sum()) < 22.5  # chi-square with 6 degrees of freedom, p = 0.001


def test_normals_have_their_deviation_and_depend_on_the_seed_alone() -> None:
    values, again, other = (np.zeros(20_000, np.float32) for _ in range(3))
    draw_normals(np.uint64(5), 0.05, values)
    draw_normals(np.uint64(5), 0.05, again)
    draw_normals(np.uint64(6), 0.05, other)
    assert abs(values.mean()) < 0.002
    assert abs(values.std() - 0.05) < 0.001
    assert abs((values > 0.1).mean() - 0.0228) < 0.005
    assert np.array_equal(values, again)
    assert abs(np.corrcoef(values, other)[0, 1]) < 0.03


def test_grown_rows_are_zero_and_old_ones_kept() -> None:
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    larger = grown(array, 5)
    assert larger.dtype == array.dtype
    assert larger.tolist() == [[0, 1], [2, 3], [4, 5], [0, 0], [0, 0]]
