"""The cost of an event is split into its owner's part and everybody's."""

from __future__ import annotations

import pytest

from benchmarks.parts.scale_fleet import fit


def test_the_fit_finds_the_two_parts_and_what_more_workers_carry() -> None:
    found = fit({workers: 60 / workers + 15 for workers in (1, 2, 4)})
    assert (found["own_us"], found["learn_us"]) == (60, 15)
    assert all(abs(rest) < 0.01 for rest in found["residual_us"].values())
    assert found["events_per_s"]["1"] == round(1e6 / 75)
    assert found["learning_fills_a_core_at"] == pytest.approx(1e6 / 15, abs=1)


def test_what_the_two_parts_do_not_explain_is_said() -> None:
    found = fit({1: 75.0, 2: 55.0, 4: 30.0})
    assert max(map(abs, found["residual_us"].values())) > 1
