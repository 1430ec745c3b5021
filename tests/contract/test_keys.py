"""No id can reach another id's key, and what belongs together lies in one hash slot."""

from __future__ import annotations

import re
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from contracts.redis import Keys

KEYS = Keys()
OF_ONE_ID = (
    KEYS.top, KEYS.similar, KEYS.item, KEYS.content, KEYS.user_vector, KEYS.item_vector, lambda i: KEYS.state(3, i),
)  # fmt: skip
ids = st.text(min_size=1, max_size=20)


@given(ids)
def test_an_id_can_be_read_back_from_its_key(name: str) -> None:
    for key in OF_ONE_ID:
        escaped = key(name).removeprefix(key("").rstrip("}")).rstrip("}")
        assert re.fullmatch(r"[A-Za-z0-9_.~%-]+", escaped)
        assert unquote(escaped, errors="surrogatepass") == name


@given(ids, ids)
def test_different_ids_have_different_keys(one: str, other: str) -> None:
    for key in OF_ONE_ID:
        assert (key(one) == key(other)) == (one == other)


@given(ids, st.integers(0, 999))
def test_everything_private_of_a_partition_lies_in_one_hash_slot(name: str, partition: int) -> None:
    keys = (KEYS.state(partition, name), KEYS.applied(partition), KEYS.watermark(partition), KEYS.epoch(partition))
    assert {re.search(r"\{(.*?)\}", key).group(1) for key in keys} == {str(partition)}  # type: ignore[union-attr]


@given(ids)
def test_no_user_or_item_reaches_the_keys_for_everybody(name: str) -> None:
    shared = {
        KEYS.active,
        KEYS.withheld,
        KEYS.workers,
        KEYS.shared("popular"),
        KEYS.shared("trending"),
        KEYS.shared("latest"),
    }
    assert not shared & {key(name) for key in OF_ONE_ID}
