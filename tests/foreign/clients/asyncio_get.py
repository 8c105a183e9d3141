"""asyncio as people write it by hand: what is http is asked of the proxy in the absolute form; for https there is a
CONNECT on a StreamWriter, and start_tls behind it.

asyncio_get.py KIND PROXY USER:TOKEN CERTIFICATE URL FILE    KIND: http, or https for a proxy that speaks TLS
"""

import asyncio
import base64
import ssl
import sys
from urllib.parse import urlsplit


async def read_head(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")


def expect_200(head: str) -> None:
    status_line = head.split("\r\n", 1)[0]
    if status_line.split(" ")[1] != "200":
        sys.exit(f"the proxy says {status_line}")


async def fetch(kind: str, proxy: str, credentials: str, certificate: str, url: str, file: str) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    host, port = proxy.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trust if kind == "https" else None)
    target = urlsplit(url)
    basic = base64.b64encode(credentials.encode()).decode()
    authorization = f"Proxy-Authorization: Basic {basic}\r\n"
    if target.scheme == "https":
        writer.write(f"CONNECT {target.netloc} HTTP/1.1\r\nHost: {target.netloc}\r\n{authorization}\r\n".encode())
        expect_200(await read_head(reader))
        await writer.start_tls(trust, server_hostname=target.hostname)
        form, authorization = target.path, ""
    else:
        form = url
    writer.write(
        f"GET {form} HTTP/1.1\r\nHost: {target.netloc}\r\n{authorization}Connection: close\r\n\r\n".encode()
    )
    expect_200(await read_head(reader))
    with open(file, "wb") as out:
        while piece := await reader.read(65536):
            out.write(piece)
    writer.close()


async def main() -> None:
    try:
        await asyncio.wait_for(fetch(*sys.argv[1:]), timeout=30)
    except OSError as error:
        sys.exit(f"{type(error).__name__}: {error}")


asyncio.run(main())
