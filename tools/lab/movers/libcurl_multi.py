"""libcurl's multi interface through pycurl: so many transfers at a time, one thread, one pool.
HTTP/1.1 alone: Debian's libcurl 7.88 cannot use a connection of cleartext HTTP/2 twice. See tally.py."""

import time
from io import BytesIO

import pycurl

from tally import Arguments, Tally

arguments = Arguments()
tally = Tally()
multi = pycurl.CurlMulti()
multi.setopt(pycurl.M_MAXCONNECTS, arguments.connections)
end = time.monotonic() + arguments.seconds
thinking = []  # (until, handle), in order


def make_handle():
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, arguments.url)
    handle.setopt(pycurl.TIMEOUT, 5)
    if arguments.body:
        handle.setopt(pycurl.POSTFIELDS, arguments.body)
    return handle


def ask(handle):
    handle.answer = BytesIO()
    handle.setopt(pycurl.WRITEDATA, handle.answer)
    multi.add_handle(handle)


def think(handle):
    multi.remove_handle(handle)
    thinking.append((time.monotonic() + arguments.think_s, handle))


handles = [make_handle() for _ in range(arguments.connections)]
for one in handles:
    ask(one)
asking = len(handles)
while asking:
    while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
        pass
    _, done, failed = multi.info_read()
    for handle in done:
        tally.answer(handle.getinfo(pycurl.RESPONSE_CODE), handle.answer.getvalue())
        think(handle)
    for handle, code, text in failed:
        tally.error(f"curl {code}: {text}")
        think(handle)
    asking -= len(done) + len(failed)
    now = time.monotonic()
    while thinking and (thinking[0][0] <= now or now >= end):
        handle = thinking.pop(0)[1]
        if now < end:
            ask(handle)
            asking += 1
    if not asking and thinking:
        time.sleep(max(0, thinking[0][0] - now))
        ask(thinking.pop(0)[1])
        asking += 1
    multi.select(min(0.05, max(0.0005, thinking[0][0] - now if thinking else 0.05)))
tally.print()
