"""Messages per second through Faust as it comes, with the same body as ours.

Arguments: broker, topic, number of messages. Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import sys
from uuid import uuid4

import faust

from benchmarks.parts.body import Body


async def _main(broker: str, topic: str, messages: int) -> None:
    # Of all settings only those that keep it from opening a port and from creating a topic.
    app = faust.App(f"consume-{uuid4().hex}", broker=f"kafka://{broker}", web_enabled=False, topic_disable_leader=True)
    body, finished = Body(messages), asyncio.Event()

    async def agent(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            body.take(event.value, event.key, int(event.message.timestamp * 1000))
            if body.done:
                finished.set()

    app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"))(agent)
    await app.start()
    await finished.wait()
    body.report()
    await app.stop()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
