"""Runs inside the machine: posts events from eight threads until its input ends, and prints what came of each."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from http.client import HTTPConnection

path = sys.argv[1]
stop = threading.Event()
answers: Counter[str] = Counter()
lock = threading.Lock()


def post(thread: int) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        event = {
            "email": f"load{thread}.{number}@example.fr", "whId": "", "campaignId": "load", "sendId": "load",
            "date": "2026-11-20T09:00:00Z", "type": "delivered",
        }  # fmt: skip
        connection = HTTPConnection("127.0.0.1", 8080, timeout=60)
        try:
            connection.request("POST", path, json.dumps(event))
            said = str(connection.getresponse().status)
        except OSError as error:
            said = type(error).__name__
        except Exception as error:
            said = f"http: {type(error).__name__}"
        finally:
            connection.close()
        with lock:
            answers[said] += 1
        stop.wait(0.005)


threads = [threading.Thread(target=post, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
print("started", flush=True)
sys.stdin.read()
stop.set()
for thread in threads:
    thread.join()
print(json.dumps(answers))
