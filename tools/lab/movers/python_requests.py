"""python requests: one session, its pool shared by all threads. See tally.py."""

import requests
from requests.adapters import HTTPAdapter

from tally import Arguments, run_workers

arguments = Arguments()
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=arguments.connections))


def ask():
    answer = session.request(arguments.method, arguments.url, data=arguments.body, timeout=5)
    return answer.status_code, answer.content


run_workers(arguments, lambda number: ask)
