"""Laws of the simulated visitors."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice

from contracts.events import Click, encode
from streams.publishing.simulator import SHOWN, Page, Simulation


def nothing(_user: str) -> Page:
    return Page(None, ())


def favourites(clicks: list[Click], genre: dict[str, str]) -> dict[str, str]:
    """Return each user's most clicked genre."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for click in clicks:
        counts[str(click.user)][genre[str(click.item)]] += 1
    return {user: count.most_common(1)[0][0] for user, count in counts.items()}


def click_through(fits: bool) -> float:
    """Return the share of clicks on lists that hold each visitor's favourite genre, or another one."""
    simulation = Simulation(nothing, users=20, items=400, seed=3)
    genre = {str(item.item): item.categories[0] for item in simulation.items()}
    by_genre: dict[str, list[str]] = defaultdict(list)
    for item, name in genre.items():
        by_genre[name].append(item)
    favourite = favourites(list(islice(simulation.events(), 800)), genre)
    names = sorted(by_genre)

    def page(user: str) -> Page:
        liked = favourite[user]
        shown = liked if fits else names[(names.index(liked) + 1) % len(names)]
        return Page("1.1", by_genre[shown][:SHOWN])

    fitted = Simulation(page, users=20, items=400, seed=3)
    list(islice(fitted.events(), 400))
    return fitted.click_through(1)[0]


def test_the_same_seed_and_lists_give_the_same_clicks() -> None:
    def run(seed: int) -> list[bytes]:
        simulation = Simulation(lambda user: Page("1.1", ["film1", "film2"]), users=30, items=200, seed=seed)
        return [*map(encode, simulation.items()), *map(encode, islice(simulation.events(), 300))]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_visitors_click_more_on_lists_that_fit_their_taste() -> None:
    assert click_through(fits=True) > 3 * click_through(fits=False)


def test_a_click_names_the_list_it_came_from_and_only_then() -> None:
    shown = ["film5", "film6", "film7"]
    simulation = Simulation(lambda user: Page("4.2", shown), users=30, items=200)
    clicks = list(islice(simulation.events(), 500))
    named = [click for click in clicks if click.list_id]
    assert named
    assert len(named) < len(clicks)
    assert {click.list_id for click in named} == {"4.2"}
    assert {click.item for click in named} <= set(shown)
    assert sum(simulation.from_list) == len(named)


def test_without_a_list_no_click_is_counted_for_one() -> None:
    simulation = Simulation(nothing, users=30, items=200)
    clicks = list(islice(simulation.events(), 200))
    assert not any(click.list_id for click in clicks)
    assert simulation.click_through() == [0.0] * 10


def test_items_that_the_simulation_does_not_know_are_passed_over() -> None:
    simulation = Simulation(lambda user: Page("1.1", ["elsewhere", "film3"]), users=30, items=200)
    clicks = list(islice(simulation.events(), 500))
    assert {click.item for click in clicks if click.list_id} == {"film3"}


def test_popularity_is_uneven_and_reaches_far() -> None:
    simulation = Simulation(nothing, users=500, items=500)
    counts = Counter(click.item for click in islice(simulation.events(), 10_000))
    most = [count for _, count in counts.most_common(50)]
    assert sum(most) > 0.25 * 10_000
    assert len(counts) > 400


def test_titles_and_categories_name_the_same_genre() -> None:
    for item in Simulation(nothing, items=50).items():
        assert item.title
        assert item.title.endswith(f"({item.categories[0]})")
