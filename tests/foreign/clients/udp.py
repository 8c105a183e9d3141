"""PySocks, as a program uses it that sends datagrams: udp.py HOST PORT USER TOKEN TARGET_HOST TARGET_PORT [hold]

Sends datagrams of many sizes to a target that sends them back. With "hold", the association stays until the proxy ends it.
"""

import socket
import sys

import socks

host, port, user, token, target_host, target_port, *hold = sys.argv[1:]
SIZES = [1, 2, 100, 512, 1200, 1472, 8192, 30000]

association = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
association.settimeout(30)
association.set_proxy(socks.SOCKS5, host, int(port), username=user, password=token)
try:
    for size in SIZES:
        sent = bytes(i % 251 for i in range(size))
        association.sendto(sent, (target_host, int(target_port)))
        received, _ = association.recvfrom(65536)
        if received != sent:
            sys.exit(f"a datagram of {size} bytes came back otherwise")
    print(f"{len(SIZES)} datagrams", flush=True)
    if hold:
        # RFC 1928: the association lives with the connection that asked for it.
        association._proxyconn.settimeout(30)
        try:
            association._proxyconn.recv(1)
        except ConnectionResetError:
            pass
        print("the association is over")
except socks.ProxyError as error:
    sys.exit(f"{error} {error.socket_err}")
