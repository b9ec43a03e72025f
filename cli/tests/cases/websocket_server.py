"""A websocket server made of the package `websockets`, for the end-to-end tests.

Prints its port once it listens; with a certificate and its key as arguments it speaks TLS. What it does depends on the path:

  /            echoes every message
  /greet       sends {"hello": 1} by itself, then echoes
  /fragments   sends "abc" in three fragments
  /pings       sends 200 pings, then "done"
  /headers     sends the headers of the handshake as JSON
  /close       closes with 4001 and "enough"
  /large       sends 17 MiB in fragments of 1 MiB
  /mib         sends 1 MiB of text
  /silent      reads and never says anything
  /counts      sends how many connections were opened and closed cleanly so far, as JSON
  /refuse      answers the handshake with 403
"""

import asyncio
import http
import json
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

counts = {"opened": 0, "closed": 0}


async def talk(socket):
    path = socket.request.path.split("?")[0]
    if path == "/counts":
        await socket.send(json.dumps(counts))
        return
    counts["opened"] += 1
    try:
        if path == "/greet":
            await socket.send('{"hello": 1}')
        elif path == "/fragments":
            await socket.send(["a", "b", "c"])
        elif path == "/pings":
            pongs = [await socket.ping() for _ in range(200)]
            await asyncio.wait_for(pongs[-1], 10)
            await socket.send("done")
        elif path == "/headers":
            await socket.send(json.dumps(dict(socket.request.headers.raw_items())))
        elif path == "/close":
            await socket.close(4001, "enough")
        elif path == "/large":
            await socket.send([b"x" * (1 << 20)] * 17)
        elif path == "/mib":
            await socket.send("y" * (1 << 20))
        async for message in socket:
            if path != "/silent":
                await socket.send(message)
        counts["closed"] += 1
    except ConnectionClosed:
        pass


def refuse(connection, request):
    if request.path.startswith("/refuse"):
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not for you\n")


async def main():
    context = None
    if len(sys.argv) == 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
    async with serve(talk, "127.0.0.1", 0, process_request=refuse, ssl=context, max_size=32 << 20) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
