"""Lists written by the kernel say what ``contracts.redis.encode_list`` would say."""

from __future__ import annotations

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from contracts.redis import encode_list
from models.catalogue import Catalogue
from models.combine import SCORERS
from models.explain import GROUNDS
from models.listing import ListEncoder
from models.ranking import NONE, Lists

ids = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=30, unique=True)


@given(ids, st.integers(0, 8), st.integers(0, 5), st.integers(0, 2**32))
def test_the_kernel_and_the_contract_agree(items: list[str], n: int, reasons: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    catalogue = Catalogue()
    catalogue.admit(items)
    lists = random_lists(rng, len(items), n, reasons)
    for row, written in enumerate(ListEncoder(catalogue).encode(lists)):
        length = int((lists.rows[row] != NONE).sum())
        contract = encode_list(
            "1.2",
            [items[x] for x in lists.rows[row, :length]],
            np.round(lists.scores[row, :length].astype(np.float64), 3).tolist(),
            [
                [SCORERS[lists.scorers[row, k]], *(items[x] for x in lists.grounds[row, k] if x != NONE)]
                for k in range(min(length, reasons))
            ],
            3,
            "4",
        )
        whole = b'{"version":"1.2","time":3,"model":"4",' + written + b"}"
        got, wanted = orjson.loads(whole), orjson.loads(contract)
        assert np.allclose(got.pop("scores"), wanted.pop("scores"), atol=0.0011)
        assert got == wanted


def test_items_that_become_known_later_are_written_too() -> None:
    catalogue = Catalogue()
    encoder = ListEncoder(catalogue)
    for first in range(0, 5000, 1250):
        catalogue.admit([f"item {number}" for number in range(first, first + 1250)])
        lists = random_lists(np.random.default_rng(0), len(catalogue), 3, 1)
        lists.rows[:, 0] = len(catalogue) - 1
        assert orjson.loads(b"{" + encoder.encode(lists)[0] + b"}")["items"][0] == f"item {len(catalogue) - 1}"


def random_lists(rng: np.random.Generator, rows: int, n: int, reasons: int) -> Lists:
    b = 3
    lists = Lists(
        rng.integers(0, rows, (b, n)).astype(np.int32),
        (rng.normal(0, 1, (b, n)) * 10.0 ** rng.integers(-4, 6)).astype(np.float32),
        rng.integers(0, len(SCORERS), (b, reasons)).astype(np.int8),
        rng.integers(NONE, rows, (b, reasons, GROUNDS)).astype(np.int32),
    )
    for row, length in enumerate(rng.integers(0, n + 1, b)):
        lists.rows[row, length:] = NONE
    return lists
