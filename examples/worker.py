"""A complete worker in Python: the contract of docs/WORKERS.md, with the standard library only.

    python3 examples/worker.py http://localhost:8001 worker-1

Ctrl-C or SIGTERM: it gives its streams back and ends. Put your work into `run`.
"""

import json
import random
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

URL, NAME = sys.argv[1].rstrip("/"), sys.argv[2]
MAX_STREAMS = 20
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy on the own network


def run(stream, stopped):
    """Works on one stream until `stopped` is set. Store results together with the epoch."""
    while not stopped.wait(1):
        pass  # here a second of stream["url"] is worked on


def now():
    """Seconds on a clock that goes on while the machine sleeps; time.monotonic() does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Refused(Exception):
    """The orchestrator said no: `status` and its sentence. Anything else counts as no answer."""

    def __init__(self, status, detail):
        super().__init__(detail)
        self.status = status


def call(method, path, body=None, limit=10.0):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with HTTP.open(request, timeout=limit) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        # A 404 of something in between is not the orchestrator's: that one speaks problem+json.
        if error.headers.get_content_type() == "application/problem+json" and error.code < 500:
            raise Refused(error.code, json.load(error).get("detail", "")) from None
        error.retry_after = float(error.headers.get("Retry-After") or 0)
        raise


class Worker:
    def __init__(self):
        self.assigned = {}  # what the orchestrator said: id -> stream
        self.running = {}  # what really runs: id -> (epoch, event, thread)
        self.epochs = {}  # the highest epoch ever heard of: an older one is a late message
        self.stop_at = 0.0  # exclusive streams must not run after this moment
        self.lock = threading.Lock()
        self.leaving = threading.Event()

    def may_run(self, stream, epoch):
        if stream is None or stream["epoch"] != epoch:
            return False
        return now() < self.stop_at or stream.get("handoff") == "overlap"

    def settle(self, reason="it was taken away"):
        """Stops what must not run, then starts what should, one at a time. The clock is read before
        each: a process that was suspended finds its lease over and stops before all else."""
        with self.lock:
            while True:
                bad = [i for i, (epoch, *_) in self.running.items() if not self.may_run(self.assigned.get(i), epoch)]
                new = [s for i, s in self.assigned.items() if i not in self.running and self.may_run(s, s["epoch"])]
                if bad:
                    _, stopped, thread = self.running.pop(bad[0])
                    stopped.set()
                    thread.join()  # it does not run any more when somebody else is told to
                    print(f"stop {bad[0]}: {reason if bad[0] not in self.assigned else 'the lease ended'}", flush=True)
                elif new:
                    stream, stopped = new[0], threading.Event()
                    thread = threading.Thread(target=run, args=(stream, stopped), daemon=True)
                    self.running[stream["stream_id"]] = (stream["epoch"], stopped, thread)
                    thread.start()
                    print(f"start {stream['stream_id']} epoch {stream['epoch']}", flush=True)
                else:
                    return

    def watch(self):
        """Beside the heartbeats, so that no slow answer delays the stop at the lease's end."""
        while not self.leaving.wait(0.1):
            self.settle()

    def apply(self, sent, answer):
        """Takes the answer to a heartbeat that was sent at `sent`: the lease counts from then."""
        with self.lock:
            if answer["lease_seconds"] > 0:  # 0 grants none, and takes none back
                self.stop_at = max(self.stop_at, sent + 0.9 * answer["lease_seconds"])
            if answer.get("full"):
                self.assigned = {}
            for i in answer.get("revoke", []):
                self.assigned.pop(i, None)
            for stream in answer.get("assign", []):
                if stream["epoch"] >= self.epochs.get(stream["stream_id"], 0):
                    self.epochs[stream["stream_id"]] = stream["epoch"]
                    self.assigned[stream["stream_id"]] = stream
        self.settle()

    def lose_everything(self, reason):
        with self.lock:
            self.assigned, self.stop_at = {}, 0.0
        self.settle(reason)

    def live(self):
        threading.Thread(target=self.watch, daemon=True).start()
        incarnation, version, interval, failures = None, 0, 10.0, 0
        while not self.leaving.is_set():
            sent, wait = now(), 0.0
            try:
                if incarnation is None:
                    body = {"server_id": NAME, "ip": "127.0.0.1", "port": 9000, "max_streams": MAX_STREAMS, "auto_assign": True}
                    answer = call("POST", "/register", body)
                    incarnation, version = answer["incarnation"], 0  # 0: "I run nothing, tell me all"
                    interval = answer["heartbeat_interval_seconds"]
                    print(f"registered, incarnation {incarnation}", flush=True)
                else:
                    with self.lock:
                        ids = sorted(self.running)
                    body = {"server_id": NAME, "current_streams": len(ids), "streams": ids,
                            "incarnation": incarnation, "assignment_version": version}
                    answer = call("POST", "/heartbeat", body, min(interval / 2, 10.0))
                    self.apply(sent, answer)
                    version, failures = answer["assignment_version"], 0
                    wait = max(0.0, sent + interval * random.uniform(0.9, 1.0) - now())
            except Refused as refused:
                if refused.status == 404 and incarnation is not None:  # not registered any more
                    self.lose_everything("the orchestrator does not know this worker any more")
                    incarnation, failures = None, failures + 1
                    wait = 0.0 if failures == 1 else min(30.0, 0.5 * 2 ** min(failures, 8))
                elif refused.status == 409 or incarnation is None:  # a newer process; or a bad name
                    self.lose_everything("another process lives under the name of this worker")
                    self.leaving.set()
                    sys.exit(f"{refused.status}: {refused}")
                else:
                    failures, wait = failures + 1, interval
            except (OSError, ValueError, KeyError, TypeError) as error:  # no answer, or no sense in it
                longest = 30.0 if incarnation is None else interval
                wait = min(longest, min(1.0, interval / 8) * 2 ** min(failures, 16)) * random.uniform(0.5, 1.0)
                wait = max(wait, min(60.0, getattr(error, "retry_after", 0.0)))
                failures += 1
                print(f"the orchestrator does not answer: {error}", flush=True)
            self.leaving.wait(wait)
        held = sorted(self.assigned)
        self.lose_everything("this worker leaves")
        if incarnation is not None:
            try:  # the release says which life leaves: it is refused if a newer process lives
                call("POST", "/streams/release", {"server_id": NAME, "incarnation": incarnation, "stream_ids": held})
                call("DELETE", "/instances/" + urllib.parse.quote(NAME, safe=""))
            except (OSError, ValueError, Refused):
                pass  # then the lease runs out


if __name__ == "__main__":
    worker = Worker()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: worker.leaving.set())
    worker.live()
