"""Python Celery's end of the bench: one JSON object a line, in and out.

    -> {"op": "stores", "args": [...]}
    <- {"value": ...}    or    {"error": "..."}
"""
import json
import os
import sys
import time

from celery import Celery
from celery.result import AsyncResult, ResultSet

URL = sys.argv[1]
REPLIES = sys.stdout
# What Celery prints must not get between the replies.
sys.stdout = sys.stderr

app = Celery("bench", broker=URL, backend=URL)
caching = Celery("caching", broker=URL, backend=URL)
caching.conf.result_cache_max = 10_000
backend = app.backend


def sample(size=300):
    """The value of harness.ts's sample: `sent` is CLOCK_MONOTONIC in nanoseconds, as in Node."""
    sent = str(time.monotonic_ns())
    return {"sent": sent, "note": "x" * (size - 194 - len(sent))}


def ping():
    return backend.client.ping()


def store(task_id, value):
    backend.store_result(task_id, value, "SUCCESS")


def store_paced(ids, pause):
    for task_id in ids:
        backend.store_result(task_id, sample(), "SUCCESS")
        time.sleep(pause)


def stores(ids, size):
    """Stores a second, and microseconds of this process a store."""
    value = sample(size)
    start, used = time.perf_counter(), time.process_time()
    for task_id in ids:
        backend.store_result(task_id, value, "SUCCESS")
    took = time.perf_counter() - start
    return [len(ids) / took, (time.process_time() - used) / len(ids) * 1e6]


def reads(ids):
    start = time.perf_counter()
    for task_id in ids:
        if AsyncResult(task_id, app=app).result is None:
            raise RuntimeError("nothing to read")
    return len(ids) / (time.perf_counter() - start)


def cached(ids, turns):
    for task_id in ids:
        AsyncResult(task_id, app=caching).result
    start = time.perf_counter()
    for _ in range(turns):
        for task_id in ids:
            AsyncResult(task_id, app=caching).result
    return len(ids) * turns / (time.perf_counter() - start)


def wait_all(ids, timeout):
    """Waits for all by one ResultSet, which subscribes when it is made and reads when it is iterated."""
    used = time.process_time()
    pending = ResultSet([AsyncResult(task_id, app=app) for task_id in ids], app=app)
    woken = []
    for _, meta in pending.iter_native(timeout=timeout):
        now = time.monotonic_ns()
        woken.append((now, now - int(meta["result"]["sent"])))
    sockets = sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:") for fd in open_files())
    return {
        "latencies": [latency / 1000 for _, latency in woken],
        "seconds": (woken[-1][0] - woken[0][0]) / 1e9,
        "cpu": (time.process_time() - used) / len(ids) * 1e6,
        "connections": sockets,
    }


def open_files():
    names = []
    for name in os.listdir("/proc/self/fd"):
        if os.path.exists(f"/proc/self/fd/{name}") or os.path.islink(f"/proc/self/fd/{name}"):
            names.append(name)
    return names


OPS = {op.__name__: op for op in (ping, store, store_paced, stores, reads, cached, wait_all)}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"value": OPS[request["op"]](*request["args"])}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=REPLIES, flush=True)
