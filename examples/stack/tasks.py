"""The Python side of the example: an ordinary Celery application.

    python3 -m celery --workdir examples/stack -A tasks worker
"""
import os
import time
from datetime import datetime, timezone
from decimal import Decimal

from celery import Celery

REDIS = "redis://localhost:6379/0"

app = Celery(
    "stack",
    broker=os.environ.get("CELERY_BROKER_URL", REDIS),
    backend=os.environ.get("CELERY_RESULT_BACKEND", REDIS),
)
app.conf.task_default_queue = os.environ.get("CELERY_TASK_QUEUE", "celery")
# Tasks of the TypeScript worker: app.send_task("typescript.add", [2, 3]).get(timeout=5)
app.conf.task_routes = {"typescript.*": {"queue": os.environ.get("TYPESCRIPT_TASK_QUEUE", "typescript")}}
app.conf.task_track_started = True
# Whoever shares results must have the same serializer.
app.conf.result_serializer = os.environ.get("CELERY_RESULT_SERIALIZER") or "json"
app.conf.result_accept_content = [app.conf.result_serializer]
app.conf.broker_connection_retry_on_startup = True


class CardDeclined(Exception):
    """An error of the application's own."""


@app.task(name="python.add")
def add(x, y):
    return x + y


@app.task(name="python.total")
def total(values):
    return sum(values)


@app.task(name="python.fail")
def fail(reason):
    raise CardDeclined(reason)


@app.task(name="python.progress", bind=True)
def progress(self, steps):
    for step in range(1, steps + 1):
        self.update_state(state="PROGRESS", meta={"current": step, "total": steps})
        time.sleep(0.2)
    return steps


@app.task(name="python.slow")
def slow(seconds):
    time.sleep(seconds)
    return seconds


@app.task(name="python.types")
def types():
    """Celery 5.3 and later write these with their types, 5.2 as texts."""
    return {"price": Decimal("19.90"), "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)}
