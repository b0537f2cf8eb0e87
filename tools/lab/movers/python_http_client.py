"""python http.client: a connection a thread, dialled again when the server has closed it (which
http.client does by itself) or after an error. See tally.py."""

from http.client import HTTPConnection
from urllib.parse import urlsplit

from tally import Arguments, run_workers

arguments = Arguments()
target = urlsplit(arguments.url)


def make_ask(number):
    connection = HTTPConnection(target.hostname, target.port, timeout=5)

    def ask():
        try:
            connection.request(arguments.method, target.path or "/", body=arguments.body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except Exception:
            connection.close()
            raise

    return ask


run_workers(arguments, make_ask)
