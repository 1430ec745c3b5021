"""Labels are those of an item's newest record, whether it came before the item's row or after it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Item
from models.catalogue import Catalogue
from models.labels import BRAND, CATEGORY, NEVER, NONE, Labels

names = st.sampled_from("abcdef")
records = st.builds(
    Item,
    names,
    categories=st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
    brand=st.none() | st.sampled_from(["p", "q"]),
    created=st.none() | st.integers(0, 9),
    deleted=st.booleans(),
)


@given(st.lists(records | names | st.none(), max_size=30))
def test_every_row_has_the_labels_of_its_items_newest_record(steps: list[Item | str | None]) -> None:
    catalogue, newest = Catalogue(), dict[str, Item]()
    labels = Labels(catalogue)
    for step in [*steps, None]:
        if isinstance(step, Item):
            labels.put(step)
            newest[step.item] = Item(step.item) if step.deleted else step
        elif step is not None:
            catalogue.admit([step])
        else:
            _check(catalogue, labels, newest)


def _check(catalogue: Catalogue, labels: Labels, newest: dict[str, Item]) -> None:
    said = [newest.get(name, Item(name)) for name in catalogue.ids]
    groups, created = labels.groups(), labels.created()
    assert groups.shape == (2, len(said))
    firsts = [item.categories[0] if item.categories else None for item in said]
    for kind, wanted in ((CATEGORY, firsts), (BRAND, [item.brand for item in said])):
        numbers = groups[kind].tolist()
        assert [number == NONE for number in numbers] == [name is None for name in wanted]
        assert len(set(numbers)) == len(set(wanted)) == len(set(zip(numbers, wanted, strict=True)))
    assert created.tolist() == [NEVER if item.created is None else item.created for item in said]
    members = {name: [row for row, item in enumerate(said) if name in item.categories] for name in "xyz"}
    found = {name: rows.tolist() for name, rows in labels.categories().items()}
    assert found == {name: rows for name, rows in members.items() if rows}


def test_growth_loses_nothing() -> None:
    catalogue = Catalogue()
    labels = Labels(catalogue)
    for n in range(3000):
        labels.put(Item(str(n), categories=[str(n % 7)], created=n))
        if n % 500 == 0:
            catalogue.admit(str(number) for number in range(n))
            labels.groups()
    catalogue.admit(str(number) for number in range(3000))
    assert labels.created().tolist() == list(range(3000))
    assert len(labels.categories()["3"]) == 429
