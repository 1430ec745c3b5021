"""What the writing half of the service is given: Kafka, people's data, and how much it takes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.topics import PUBLIC, topic_name
from serving.search.lexicon import Lexicon, load_lexicon
from serving.writing.persons import Nobody, People
from serving.writing.publisher import NoPublisher, Publisher

_NO_KAFKA = "this service was started without Kafka: set kafka.bootstrap, or start a broker with `headrace local`"


def topics(prefix: str = "headrace") -> dict[str, str]:
    """Return the full names of the topics that tokens name."""
    return {topic.name: topic_name(topic, prefix, "") for topic in PUBLIC}


@dataclass(frozen=True, slots=True)
class Writing:
    """The parts; the application closes the publisher when it stops.

    Parameters
    ----------
    publisher : Publisher
    people : People
    topics : mapping of str to str
        Name in tokens → full name.
    events_at_once : int
        Events or items of one request, at most.
    waiting : int
        Requests that may wait for their own writes at the same time.
    streams : int
        Server-sent streams open at the same time.
    lexicon : Lexicon
        Understands wishes in free words.
    """

    publisher: Publisher = field(default_factory=lambda: NoPublisher(_NO_KAFKA))
    people: People = field(default_factory=lambda: Nobody(_NO_KAFKA))
    topics: Mapping[str, str] = field(default_factory=topics)
    events_at_once: int = 1000
    waiting: int = 2000
    streams: int = 500
    lexicon: Lexicon = field(default_factory=load_lexicon)
