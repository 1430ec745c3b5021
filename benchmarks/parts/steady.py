"""Publishes the events of a file at a steady rate, as the control of freshness does: one at a time, linger 1 ms.

Arguments: broker, topic, events per second, file with one event per line. Prints one JSON line: the rate kept.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
import orjson

from contracts.events import Click
from infra.settings import Kafka, Settings
from streams.kafka.producer import EventProducer, key_of

_SLEEP_S = 0.0005


def _main(broker: str, topic: str, rate: int, file: Path) -> None:
    lines = file.read_bytes().splitlines()
    decode = msgspec.json.Decoder(Click).decode
    keyed = [(key_of(decode(line)), line) for line in lines]
    producer = EventProducer(Settings(kafka=Kafka(bootstrap=broker, client={"linger.ms": "1"})))
    producer.cluster()  # connected before the clock starts
    begin = time.perf_counter()
    for number, (key, line) in enumerate(keyed):
        while time.perf_counter() < begin + number / rate:
            time.sleep(_SLEEP_S)
        producer.send(topic, key, line)
    producer.flush()
    kept = round(len(keyed) / (time.perf_counter() - begin))
    print(orjson.dumps({"events": len(keyed), "events_per_second": kept}).decode())


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
