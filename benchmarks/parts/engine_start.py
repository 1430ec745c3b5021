"""A process that has just started, its kernels compiled before: how long until they are loaded, and its first event.

python -m benchmarks.parts.engine_start
"""

from __future__ import annotations

import time

import orjson


def _main() -> None:
    began = time.perf_counter()
    from benchmarks.parts.engine_control import LENGTH  # noqa: PLC0415
    from benchmarks.parts.engine_speed import REASONS  # noqa: PLC0415  its imports are what is measured
    from contracts.events import Click  # noqa: PLC0415
    from contracts.learning import Source, decode_lessons, encode_lessons  # noqa: PLC0415
    from models.engine import Batch, Engine  # noqa: PLC0415
    from models.listing import ListEncoder  # noqa: PLC0415
    from models.warmup import warm_up  # noqa: PLC0415

    imported = time.perf_counter()
    warm_up()
    warm = time.perf_counter()
    engine = Engine()
    engine.users.admit("ann", None)
    batch = Batch([Click(user="ann", item="film", time=1)], [0], [0], [True], [Source("clicks", "start", 0, 0, 0)])
    observation = engine.observe(batch)
    engine.rank(observation)
    engine.learn(decode_lessons(encode_lessons(observation.lessons)), 0)
    ListEncoder(engine.items.catalogue).encode(engine.refresh(observation.slots, LENGTH, REASONS))
    done = time.perf_counter()
    figures = {"import_s": imported - began, "load_kernels_s": warm - imported, "first_event_s": done - warm}
    print(orjson.dumps({name: round(value, 4) for name, value in figures.items()}).decode())


if __name__ == "__main__":
    _main()
