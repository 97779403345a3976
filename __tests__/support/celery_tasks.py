"""Tasks for a real worker: `celery --workdir __tests__/support -A celery_tasks worker`."""
import errno
import os

import redis
from celery import Celery, group
from celery.exceptions import Ignore

URL = os.environ["CELERY_BROKER_URL"]

app = Celery("interop", broker=URL, backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(
    result_extended=os.environ.get("INTEROP_EXTENDED") == "1",
    task_track_started=os.environ.get("INTEROP_TRACK_STARTED") == "1",
)
signals = redis.Redis.from_url(URL)


class CardDeclined(Exception):
    """With two arguments."""


class NeedsMore(Exception):
    """Cannot be pickled: its constructor takes more than its args hold."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code


FAILURES = {
    "value": lambda: ValueError("boom", 2),
    "key": lambda: KeyError("missing"),
    "custom": lambda: CardDeclined("declined", 51),
    "unpicklable": lambda: NeedsMore(51, "declined"),
    "os": lambda: OSError(errno.ENOENT, "No such file or directory", "/nowhere"),
    "unicode": lambda: ValueError("caf\u00e9 \U0001f600"),
}


@app.task
def add(x, y):
    return x + y


@app.task
def echo(value):
    return value


@app.task
def total(values):
    return sum(values)


@app.task
def note(task_id):
    """Leaves a trace of its call. With one argument it is an error callback of the old kind, sent as a task."""
    signals.rpush("note-" + task_id, "called")


@app.task
def fail(name):
    raise FAILURES[name]()


@app.task
def fail_nested():
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise RuntimeError("outer") from error


@app.task
def return_set():
    return {1, 2}


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def retry(self, succeed):
    if succeed and self.request.retries:
        return self.request.retries
    try:
        raise ValueError("not yet")
    except ValueError as error:
        raise self.retry(exc=error if succeed else None, countdown=0)


@app.task(bind=True)
def progress(self, gate):
    """Tells PROGRESS, and goes on when the list `gate` has an element for it."""
    for done in (1, 2):
        self.update_state(state="PROGRESS", meta={"done": done})
        signals.blpop(gate, timeout=30)
    return "done"


@app.task(bind=True)
def spawn(self):
    """Leaves children behind: a task and a group."""
    child = add.delay(1, 1)
    members = group(add.s(i, i) for i in range(2)).apply_async()
    return [child.id, members.id, [member.id for member in members]]


@app.task
def ignore():
    raise Ignore()
