"""python urllib3: one pool for all threads, which does not ask again. See tally.py."""

import urllib3

from tally import Arguments, run_workers

arguments = Arguments()
pool = urllib3.PoolManager(maxsize=arguments.connections, retries=False, timeout=5)


def ask():
    answer = pool.request(arguments.method, arguments.url, body=arguments.body)
    return answer.status, answer.data


run_workers(arguments, lambda number: ask)
