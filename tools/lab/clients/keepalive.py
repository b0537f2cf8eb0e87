"""HTTP/1.1 by python's three usual clients: 20 connections of 20 requests each, GET and POST in turn.

usage: keepalive.py http.client|requests|urllib3 URL [CA]
"""

import http.client
import ssl
import sys
import urllib.parse

CONNECTIONS = 20
REQUESTS = 20


def by_http_client(url, ca):
    at = urllib.parse.urlsplit(url)
    for _ in range(CONNECTIONS):
        if ca:
            context = ssl.create_default_context(cafile=ca)
            to = http.client.HTTPSConnection(at.hostname, at.port, context=context)
        else:
            to = http.client.HTTPConnection(at.hostname, at.port)

        def ask(method, body, to=to):
            to.request(method, at.path or "/", body=body)
            answer = to.getresponse()
            answer.read()
            return answer.status

        yield ask
        to.close()


def by_requests(url, ca):
    import requests

    for _ in range(CONNECTIONS):
        with requests.Session() as session:
            # Not session.verify: the environment would go before it.
            yield lambda method, body, session=session: session.request(
                method, url, data=body, verify=ca
            ).status_code


def by_urllib3(url, ca):
    import urllib3

    for _ in range(CONNECTIONS):
        with urllib3.PoolManager(ca_certs=ca, retries=False) as pool:
            yield lambda method, body, pool=pool: pool.request(method, url, body=body).status


def main():
    by = {"http.client": by_http_client, "requests": by_requests, "urllib3": by_urllib3}[sys.argv[1]]
    ca = sys.argv[3] if len(sys.argv) > 3 else None
    for ask in by(sys.argv[2], ca):
        for number in range(REQUESTS):
            status = ask("POST", b"x" * 1000) if number % 2 else ask("GET", None)
            if status != 200:
                sys.exit(f"status {status}")


main()
