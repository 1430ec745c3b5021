"""The item model of a namespace as it stands now, outside of its workers: the checkpoint and the log after it."""

from __future__ import annotations

from collections.abc import Callable

from contracts.learning import decode_lessons
from contracts.topics import LEARNING, topic_name
from infra.errors import BrokerError
from infra.settings import Settings
from models.item_model import ItemModel
from streams.kafka.admin import topic_ids
from streams.kafka.whole import read_whole
from streams.learning.checkpoints import Checkpoints
from streams.learning.engine import create_engine


def present_model(settings: Settings, warn: Callable[[str], None]) -> ItemModel:
    """Return the item model of the settings' namespace with all that its learning log says.

    Raises
    ------
    BrokerError
        When Kafka does not answer, or the log begins behind the newest checkpoint.
    """
    model = create_engine(settings).items
    log = topic_name(LEARNING, settings.kafka.prefix, settings.namespace)
    Checkpoints(settings.checkpoints, warn, topic_ids(settings, [log])[log]).restore(model)
    first = True
    for message in read_whole(settings, log, {0: model.position}):
        if first and message.offset() > model.position:
            raise BrokerError(
                f"{log} begins at {message.offset()} and the newest checkpoint in {settings.checkpoints} ends at "
                f"{model.position}: name the settings of the machine that keeps this namespace's checkpoints"
            )
        first = False
        try:
            model.learn(decode_lessons(message.value()), message.offset())
        except ValueError as error:
            warn(f"learning record {message.offset()} is skipped: {error}")
    return model


def names(model: ItemModel) -> dict[int, str]:
    """Return the ids of all items that have not left, by their keys."""
    catalogue = model.catalogue
    keys = catalogue.keys[: len(catalogue)].tolist()
    return {key: item for key, item in zip(keys, catalogue.ids, strict=True) if item}


def statistics(model: ItemModel) -> list[tuple[str, int]]:
    """Return (item, events learned) of all items that have not left, in the order of their ids."""
    catalogue = model.catalogue
    counts = catalogue.events[: len(catalogue)].tolist()
    return sorted((item, count) for item, count in zip(catalogue.ids, counts, strict=True) if item)
