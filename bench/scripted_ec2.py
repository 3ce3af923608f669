"""A scripted EC2: answers each call after the same pause, any number of them at once, and counts them.

Each volume that is asked for exists, is detached and has no snapshots; lists are those of a fleet. Run as a program:
the port, the pause in seconds, and the number of volumes in the fleet.
"""

import asyncio
import json
import sys
import urllib.parse

from fleet import Fleet

ANSWER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<{0}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{1}</{0}Response>')
VOLUME = (
    "<volumeSet><item><volumeId>{0}</volumeId><size>200</size><snapshotId/>"
    "<availabilityZone>us-east-2a</availabilityZone><status>available</status>"
    "<createTime>2026-01-01T00:00:00.000Z</createTime><attachmentSet/><tagSet>"
    "<item><key>gpu-dev-user</key><value>alice</value></item><item><key>disk_name</key><value>{0}</value></item>"
    "</tagSet></item></volumeSet>")
calls: dict[str, int] = {}


async def answer(body: str, pause: float, fleet: Fleet) -> str:
    fields = dict(urllib.parse.parse_qsl(body))
    action = fields.get("Action", "")
    calls[action] = calls.get(action, 0) + 1
    await asyncio.sleep(pause)
    if fields.get("Filter.1.Name") == "tag-key":
        content = fleet.page(fields)
    else:
        content = VOLUME.format(fields["VolumeId.1"]) if action == "DescribeVolumes" else "<snapshotSet/>"
    return ANSWER.format(action, "<requestId>00000000-0000-4000-8000-000000000000</requestId>" + content)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float, fleet: Fleet) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
            body = (await reader.readexactly(length)).decode()
            text = json.dumps(calls) if head.startswith(b"GET ") else await answer(body, pause, fleet)
            content = text.encode()
            header = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(content)
            writer.write(header + content)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int, pause: float, volumes: int) -> None:
    fleet = Fleet(volumes)
    server = await asyncio.start_server(lambda *ends: serve(*ends, pause, fleet), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
