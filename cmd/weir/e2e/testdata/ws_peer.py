"""WebSocket peers made by others than we: Debian's python3-websockets as a server and as a client behind a proxy.

ws_peer.py serve CERT KEY                      echo on a port of its own, which it prints
ws_peer.py client PROXY HOST PORT CA           talk to an echo through a proxy by CONNECT; prints "ok" and what was agreed
ws_peer.py send PROXY HOST PORT CA             send standard input in three fragments; prints the close code
"""

import asyncio
import socket
import ssl
import sys

import websockets

LIMIT = 20


async def echo(connection):
    async for message in connection:
        step = max(1, len(message) // 3)
        # A list of pieces goes out as so many fragments.
        await connection.send([message[i:i + step] for i in range(0, len(message), step)] or [message])


async def serve(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


def tunnel(proxy, host, port):
    """Open a tunnel by CONNECT."""
    address, _, proxy_port = proxy.rpartition(":")
    s = socket.create_connection((address, int(proxy_port)), timeout=LIMIT)
    s.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        octet = s.recv(1)
        if not octet:
            sys.exit("the proxy closed the connection: " + repr(head))
        head += octet
    if b" 200 " not in head.split(b"\r\n")[0]:
        sys.exit("the proxy refused: " + repr(head))
    s.setblocking(False)
    return s


def connect(proxy, host, port, ca):
    context = ssl.create_default_context(cafile=ca)
    return websockets.connect(f"wss://{host}:{port}/echo", sock=tunnel(proxy, host, port), ssl=context, server_hostname=host, open_timeout=LIMIT)


async def client(proxy, host, port, ca):
    async with connect(proxy, host, port, ca) as connection:
        for message in ["hello", "Grüße " * 5000, bytes(range(256)) * 400, ""]:
            step = max(1, len(message) // 3)
            await connection.send([message[i:i + step] for i in range(0, len(message), step)] or [message])
            got = await asyncio.wait_for(connection.recv(), LIMIT)
            if got != message:
                sys.exit(f"{len(got)} came back, sent {len(message)}")
        await asyncio.wait_for(await connection.ping(), LIMIT)
        print("ok", [extension.name for extension in connection.extensions])


async def send(proxy, host, port, ca):
    message = sys.stdin.buffer.read().decode()
    async with connect(proxy, host, port, ca) as connection:
        try:
            await connection.send([message[:20], message[20:40], message[40:]])
            got = await asyncio.wait_for(connection.recv(), LIMIT)
            print("received", len(got))
        except websockets.exceptions.ConnectionClosed as closed:
            print("closed", closed.rcvd.code if closed.rcvd else "without a frame")


asyncio.run({"serve": serve, "client": client, "send": send}[sys.argv[1]](*sys.argv[2:]))
