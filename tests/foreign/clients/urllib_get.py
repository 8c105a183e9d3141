"""Python's urllib: urllib_get.py PROXY_URL CERTIFICATE URL FILE"""

import http.client
import ssl
import sys
import urllib.error
import urllib.request

proxy, certificate, url, file = sys.argv[1:]
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({"http": proxy, "https": proxy}),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=certificate)),
)
try:
    response = opener.open(url, timeout=30)
except (urllib.error.URLError, OSError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
try:
    with response, open(file, "wb") as out:
        while piece := response.read(65536):
            out.write(piece)
except (http.client.HTTPException, OSError) as error:
    sys.exit(f"the content ends early: {type(error).__name__}: {error}")
if response.length:
    sys.exit(f"the content ends early: {response.length} bytes are missing")
