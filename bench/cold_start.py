"""Part 5: from the start of the process to the event of its first job."""

import time

from bench.figures import Figure, Row
from bench.options import Options, say
from bench.producer import disks, publish
from bench.site import site

STARTS = 5


def measure(options: Options) -> list[Row]:
    seconds = []
    for position in range(STARTS if options.rounds > 1 else 2):
        say(f"cold start {position + 1}")
        with site() as place:
            publish(disks(place.name, 1))
            started = time.monotonic()
            place.start()
            for _ in place.channel.consume(place.event_queue, auto_ack=True, inactivity_timeout=30):
                seconds.append(time.monotonic() - started)
                break
            place.channel.cancel()
    meaning = "from exec to the event of a job that was waiting in the queue"
    return [Row("start", "cold start", meaning, "s", Figure.of(seconds))]
