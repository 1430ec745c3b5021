"""One event after the other: the kernel that folds learning records into the arrays of the item model.

For each event: its item becomes known, the combiner learns from the choice as the scorers saw it before, then each
scorer learns. Nothing depends on how the log was cut into records.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models import attributes, combine, combiner
from models.combine import KNOWN_AFTER, RETURNS_AFTER_S, Tables, context_of
from models.combiner import COMPETE, WATCHED, WINDOWS, Choices
from models.content import examples
from models.content.examples import Content, Waiting, is_milestone
from models.kernel import draw, inline, kernel
from models.opinions import DISLIKED, opinion_of, rated
from models.scorers import audiences, cooccurrence, embeddings, popularity, recency, repeats
from models.scorers.embeddings import DIMENSIONS, ENOUGH_KNOWN, NEGATIVES


class Events(NamedTuple):
    """The events of a record that are to be learned, shape (n,) each but for the ragged ones.

    ``history``, ``judgement`` and ``value`` hold for event e, from ``starts[e]`` to ``starts[e + 1]``, the rows of its
    user's earlier items, newest first, and what he thought of them, see :mod:`models.opinions`. ``seen`` holds, event
    after event, the rows of all that he has had, ``had`` of them for each event, -1 for one that is no choice to learn
    from.
    """

    row: NDArray[np.int32]
    weight: NDArray[np.float32]
    time: NDArray[np.int64]
    gap: NDArray[np.int32]
    judged: NDArray[np.int8]
    rating: NDArray[np.float32]
    starts: NDArray[np.int64]
    history: NDArray[np.int32]
    judgement: NDArray[np.int8]
    value: NDArray[np.float32]
    had: NDArray[np.int32]
    seen: NDArray[np.int32]
    attributes: NDArray[np.uint32]
    attribute_starts: NDArray[np.int64]


class Model(NamedTuple):
    """The arrays of the item model."""

    seed: np.uint64
    tables: Tables
    choices: Choices
    scale: NDArray[np.float64]  # see models.opinions
    learned: NDArray[np.int64]  # (1,) events learned
    events: NDArray[np.int64]  # (rows,) events of each item
    known: NDArray[np.int32]  # rows of the known items, in the order in which they became known …
    n_known: NDArray[np.int64]  # (1,) … so many of them
    admit_after: int  # events from which on an item is known
    content: Content
    examples: Waiting
    rating_slope: np.float32
    attribute_sums: NDArray[np.float32]
    attribute_weights: NDArray[np.float32]


@kernel
def fold(e, first, m):
    """Learn events from position ``first`` on; return where it stopped: at the end, or where something must be done.

    It stops early where the co-occurrence pool needs room, where there is no more room for hit rates, and behind an
    event with which enough items wait to teach what their content is worth.
    """
    t = m.tables
    n = len(t.known)
    own, stand, scores, scratch = _scratch(0)
    z = np.empty((COMPETE + 1, len(combine.SCORERS)))
    rows, best = np.empty(COMPETE + 1, np.int32), np.empty(COMPETE + 1, np.float32)
    drawn, error = np.empty(NEGATIVES + 1, np.int32), np.empty(NEGATIVES + 1, np.float32)
    user, gradient = np.empty(DIMENSIONS, np.float32), np.empty(DIMENSIONS, np.float32)
    recent, judged = np.empty(HISTORY, np.int32), np.empty(HISTORY, np.int32)
    opinion = np.empty(HISTORY, np.float32)
    reach = np.int64(-1)
    seen_from = np.int64(0)
    for index in range(first):
        seen_from += max(e.had[index], 0)
    for index in range(first, len(e.row)):
        if not cooccurrence.has_room(t.pairs) or m.choices.ranked[0] >= WATCHED * WINDOWS:
            return index
        row, start = e.row[index], e.starts[index]
        length = min(e.starts[index + 1] - start, HISTORY)
        for k in range(length):
            earlier = e.history[start + k]
            disliked = e.judgement[start + k] == DISLIKED
            recent[k] = -1 if disliked else earlier
            opinion[k] = opinion_of(e.judgement[start + k], e.value[start + k], m.scale)
            judged[k] = earlier if opinion[k] != 0.0 else -1
        mine = recent[:length]
        embeddings.represent(mine, t.vectors.inputs, user)

        own_seed = draw(m.seed, np.uint64(m.learned[0]))
        context = context_of(e.gap[index], length)
        choice = e.had[index] >= 0 and m.events[row] >= m.admit_after and m.n_known[0] > ENOUGH_KNOWN
        if choice and combiner.is_due(context, m.learned[0], m.n_known[0], own_seed, m.choices):
            mine_all = e.seen[seen_from : seen_from + e.had[index]]
            if reach < 0:  # few records of few events come here
                own, stand, scores, scratch = _scratch(n)
                reach = _reach(m)
            known = t.known[:reach]
            products = np.dot(t.vectors.outputs[:reach], user)
            combine.score_own(products, mine, judged[:length], opinion[:length], t, own)
            combine.stand(t, known, scratch, stand)
            _allow(mine_all, False, m)
            combiner.learn(row, context, own, stand, known, t, scores[:reach], z, rows, best, m.choices)
            _allow(mine_all, True, m)
        seen_from += max(e.had[index], 0)

        weight = e.weight[index]
        if e.judged[index] != 0:
            # What the rating says beyond the event itself, in units of the ratings' deviation.
            weight *= max(np.float32(0.1), np.float32(1.0) + m.rating_slope * opinion_of(1, e.rating[index], m.scale))
            rated(e.rating[index], m.scale)
        m.events[row] += 1
        if m.events[row] == m.admit_after:
            m.known[m.n_known[0]] = row
            m.n_known[0] += 1
            t.known[row] = True
            if reach >= 0:
                reach = max(reach, row + 1)
        popularity.learn(row, weight, e.time[index], t.popularity)
        if e.gap[index] > RETURNS_AFTER_S:
            audiences.learn(row, weight, audiences.RETURNERS, t.audiences)
        if length <= KNOWN_AFTER:
            audiences.learn(row, weight, audiences.NEWCOMERS, t.audiences)
        recency.learn(row, t.recency)
        repeats.learn(row, mine, t.repeats)
        cooccurrence.learn(row, weight, mine, t.pairs)
        of_user = e.attributes[e.attribute_starts[index] : e.attribute_starts[index + 1]]
        attributes.learn(of_user, weight, length, user, m.attribute_sums, m.attribute_weights)
        embeddings.learn(row, weight, user, mine, m.known, m.n_known[0], own_seed, t.vectors, drawn, error, gradient)
        m.learned[0] += 1
        taught = m.content.lengths[row] > 0 and is_milestone(m.events[row])
        if taught and examples.add(row, m.events[row], m.content, t.vectors, m.examples):
            return index + 1
    return len(e.row)


@inline
def _scratch(n):
    """Return room for what all scorers say of n items, and for two scores more of each."""
    own, stand = np.zeros((len(combine.OWN), n), np.float32), np.empty((len(combine.STANDING), n), np.float32)
    return own, stand, np.empty(n, np.float32), np.empty(n, np.float32)


@inline
def _reach(m):
    """Return the end of the known items' rows: what lies beyond depends on where a record ends, and must not count."""
    reach = np.int64(0)
    for position in range(m.n_known[0]):
        reach = max(reach, np.int64(m.known[position]) + 1)
    return reach


@inline
def _allow(seen, allowed, m):
    """Take what a user has had out of what he may choose, or put it back."""
    if not m.tables.allow_repeats:
        for row in seen:
            if row >= 0:
                m.tables.known[row] = allowed and m.events[row] >= m.admit_after
