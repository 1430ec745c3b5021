"""Messages per second through Faust as it comes, with the same body as ours.

Prints one JSON line. Arguments: broker, topic, number of messages.
"""

from __future__ import annotations

import asyncio
import sys
import time
from uuid import uuid4

import faust
import orjson

from parts.body import Body


async def _main(broker: str, topic: str, messages: int) -> None:
    # Of all settings only those that keep it from opening a port and from creating topics.
    app = faust.App(
        f"consume-{uuid4().hex}", broker=f"kafka://{broker}", web_enabled=False, topic_disable_leader=True
    )
    body, finished = Body(messages), asyncio.Event()
    began = ended = 0.0

    @app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def agent(stream: faust.StreamT[bytes]) -> None:
        nonlocal began, ended
        async for event in stream.events():
            began = began or time.perf_counter()
            body.take(event.value, event.key, int(event.message.timestamp * 1000))
            if body.done and not ended:
                ended = time.perf_counter()
                finished.set()

    await app.start()
    await finished.wait()
    figures = {"messages": body.taken, "seconds": round(ended - began, 3)}
    rate = round(body.taken / (ended - began))
    print(orjson.dumps(figures | {"messages_per_second": rate}).decode(), flush=True)
    await app.stop()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
