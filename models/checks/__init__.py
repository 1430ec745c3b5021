"""The laws that every engine must keep, whatever it is made of: for our own tests, and for whoever brings another.

A law is a function that takes ``make``, which returns a fresh engine for a seed, and raises :class:`LawBroken` when the
engine breaks it; its docstring says the law. What makes up an engine (the scorers, the blend, the users' states) is
reached through :class:`models.engine.Engine`, so a subclass with another scorer or another item model is checked like
ours::

    from models.checks import check_all

    for law, why in check_all(lambda seed: MyEngine(seed)).items():
        print(f"{law} is not kept: {why}")

or, one test for each::

    @pytest.mark.parametrize("law", laws(), ids=lambda law: law.__name__)
    def test_my_engine_keeps(law):
        law(lambda seed: MyEngine(seed))

A class may be exempt from a law by name, with a reason, in ``exempt = {"memory_is_bounded": "it keeps everything"}``;
:func:`check_all` returns the reasons, so nothing is left out silently.

The checks take seconds and say nothing of quality: an engine that keeps all laws may still recommend badly.
"""

from __future__ import annotations

from models.checks import learning, listing, state
from models.checks.compare import differences
from models.checks.streams import Law, LawBroken, Make

__all__ = ["Law", "LawBroken", "Make", "check_all", "differences", "laws"]

_LAWS: tuple[Law, ...] = (
    listing.unknown_users_and_items_survive,
    listing.excluded_items_never_appear,
    listing.asking_changes_nothing,
    learning.learning_moves_scores_the_right_way,
    learning.dislikes_are_no_wishes,
    learning.batch_boundaries_do_not_matter,
    learning.what_comes_again_counts_once,
    state.the_same_seed_gives_the_same_bytes,
    state.snapshots_resume,
    state.snapshots_stay_as_they_were,
    state.inputs_are_not_kept,
    state.memory_is_bounded,
)


def laws() -> tuple[Law, ...]:
    """Return all laws."""
    return _LAWS


def check_all(make: Make) -> dict[str, str]:
    """Check all laws but those that the engine's class is exempt from.

    Parameters
    ----------
    make : callable
        Takes a seed, returns a fresh engine with room for some hundred users.

    Returns
    -------
    dict
        Name of each law that was left out → the reason that the class gives.

    Raises
    ------
    LawBroken
        On the first law that is broken; the text names it.
    ValueError
        When an exemption names no law, or gives no reason.
    """
    exempt = dict(getattr(make(0), "exempt", {}))
    names = {law.__name__ for law in laws()}
    for name, why in exempt.items():
        if name not in names or not why.strip():
            raise ValueError(f"exempt from {name!r} because {why!r}: name one of {', '.join(sorted(names))}, and why")
    for law in laws():
        if law.__name__ not in exempt:
            law(make)
    return exempt
