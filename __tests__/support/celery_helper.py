"""Runs snippets for the tests: one JSON object a line, in and out.

    -> {"id": 1, "code": "return AsyncResult(task_id).state", "args": {"task_id": "t"}, "thread": false}
    <- {"id": 1, "value": "SUCCESS"}    or    {"id": 1, "error": "<traceback>"}

A snippet is the body of a function of its args. It sees `app`, whose broker and result backend are argv[1], `make_app`
and what is imported here. With "thread" it runs beside the others, so that it may block.
"""
import json
import sys
import textwrap
import threading
import traceback

import celery
import kombu
import redis
from celery import Celery, states
from celery.result import AsyncResult, GroupResult, result_from_tuple

URL = sys.argv[1]
REPLIES = sys.stdout
# What snippets print must not get between the replies.
sys.stdout = sys.stderr
LOCK = threading.Lock()
APPS = {}


def make_app(**conf):
    """The app with these settings: the same one for the same settings."""
    key = repr(sorted(conf.items()))
    if key not in APPS:
        APPS[key] = Celery("interop", broker=URL, backend=URL)
        APPS[key].conf.update(conf)
    return APPS[key]


def view(task_id, **conf):
    """What AsyncResult shows of a task."""
    result = AsyncResult(task_id, app=make_app(**conf))
    children = result.children
    return {
        "state": result.state,
        "ready": result.ready(),
        "result": repr(result.result),
        "type": type(result.result).__name__,
        "traceback": result.traceback,
        "children": children and [list(child.as_tuple()) for child in children],
        "date_done": result.date_done and result.date_done.isoformat(),
        "name": result.name,
        "args": result.args,
        "kwargs": result.kwargs,
        "worker": result.worker,
        "retries": result.retries,
        "queue": result.queue,
    }


def caught(task_id, timeout=5):
    """What AsyncResult.get raises."""
    try:
        AsyncResult(task_id, app=app).get(timeout=timeout)
    except Exception as error:
        kind = type(error)
        return {
            "type": kind.__name__,
            "module": kind.__module__,
            "bases": [base.__name__ for base in kind.__mro__],
            "str": str(error),
            "args": repr(error.args),
        }
    return None


app = make_app()
app.set_default()


def run(request):
    try:
        names = ", ".join(request["args"])
        body = textwrap.indent(textwrap.dedent(request["code"]), "  ")
        scope = dict(globals())
        exec(f"def snippet({names}):\n  pass\n{body}\n", scope)
        reply = json.dumps({"id": request["id"], "value": scope["snippet"](**request["args"])})
    except BaseException:
        reply = json.dumps({"id": request["id"], "error": traceback.format_exc()})
    with LOCK:
        REPLIES.write(reply + "\n")
        REPLIES.flush()


for line in sys.stdin:
    todo = json.loads(line)
    if todo["thread"]:
        threading.Thread(target=run, args=(todo,), daemon=True).start()
    else:
        run(todo)
