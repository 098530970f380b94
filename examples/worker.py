"""A complete worker in Python: the contract of docs/WORKERS.md, with the standard library only.

    python3 examples/worker.py http://localhost:8001 worker-1

Ctrl-C or SIGTERM: it gives its streams back and ends. Put your work into `run`. Needs Linux.
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
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy to the own network


def run(stream, stopped):
    """Works on one stream until `stopped` is set. Store results together with the epoch."""
    while not stopped.wait(1):
        pass  # here a second of stream["url"] is worked on


def now():
    """A clock that goes on while the machine sleeps, as leases do; time.monotonic() does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Refused(Exception):
    """The orchestrator itself said no: (status, sentence). All else counts as no answer."""


def call(method, path, body=None, limit=10.0):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, data, headers, method=method)
    try:
        with HTTP.open(request, timeout=limit) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        # A 404 of something in between is not the orchestrator's: that one speaks problem+json.
        is_problem = error.headers.get_content_type() == "application/problem+json"
        if is_problem and error.code in (400, 404, 409, 422):
            raise Refused(error.code, json.load(error)["detail"]) from None
        raise


class Worker:
    def __init__(self):
        self.assigned = {}  # what the orchestrator said: id -> stream
        self.running = {}  # what really runs: id -> (epoch, event, thread)
        self.epochs = {}  # the highest epoch of each stream so far; a lower one is old news
        self.stop_at = 0.0  # exclusive streams must not run from this moment on
        self.lock = threading.RLock()
        self.leaving = threading.Event()

    def may_run(self, id, epoch):
        stream = self.assigned.get(id)
        if stream is None or stream["epoch"] != epoch:
            return False
        return now() < self.stop_at or stream.get("handoff") == "overlap"

    def settle(self, reason="it was taken away"):
        """Stops what must not run, then starts what should, one at a time. The clock is read for
        each: a process that was suspended finds its lease over, and stops before all else."""
        with self.lock:
            while True:
                bad = [i for i, (epoch, *_) in self.running.items() if not self.may_run(i, epoch)]
                new = [i for i, s in self.assigned.items()
                       if i not in self.running and self.may_run(i, s["epoch"])]
                if bad:
                    _, stopped, thread = self.running.pop(bad[0])
                    stopped.set()
                    thread.join()  # it has stopped before anybody else is told to start it
                    why = "the lease ended" if bad[0] in self.assigned else reason
                    print(f"stop {bad[0]}: {why}", flush=True)
                elif new:
                    stream, stopped = self.assigned[new[0]], threading.Event()
                    thread = threading.Thread(target=run, args=(stream, stopped), daemon=True)
                    thread.start()
                    self.running[new[0]] = (stream["epoch"], stopped, thread)
                    print(f"start {new[0]} epoch {stream['epoch']}", flush=True)
                else:
                    return

    def watch(self):
        """Beside the heartbeats: no slow answer may delay the stop at the end of the lease."""
        while True:
            self.settle()
            time.sleep(0.1)

    def lose_all(self, reason):
        with self.lock:
            self.assigned, self.stop_at = {}, 0.0
            self.settle(reason)

    def beat(self):
        with self.lock:
            running = sorted(self.running)
        sent = now()  # the lease counts from here, not from the answer
        body = {"server_id": NAME, "current_streams": len(running), "streams": running,
                "incarnation": self.incarnation, "assignment_version": self.version}
        answer = call("POST", "/heartbeat", body, min(self.interval / 2, 10.0))
        with self.lock:
            if answer["lease_seconds"] > 0:  # 0 grants none, and takes none back
                self.stop_at = max(self.stop_at, sent + 0.9 * answer["lease_seconds"])
            if "assign" in answer:
                if answer.get("full"):  # this is all there is
                    self.assigned = {}
                for id in answer["revoke"]:
                    self.assigned.pop(id, None)
                for stream in answer["assign"]:
                    if stream["epoch"] >= self.epochs.get(stream["stream_id"], 0):
                        self.epochs[stream["stream_id"]] = stream["epoch"]
                        self.assigned[stream["stream_id"]] = stream
                self.version = answer["assignment_version"]
        self.settle()
        return max(0.0, sent + self.interval * random.uniform(0.9, 1.0) - now())

    def register(self):
        answer = call("POST", "/register", {"server_id": NAME, "ip": "127.0.0.1", "port": 9000,
                                            "max_streams": 20, "auto_assign": True})
        self.interval = answer["heartbeat_interval_seconds"]
        self.version = 0  # "I run nothing: tell me all"
        self.incarnation = answer["incarnation"]
        print(f"registered, incarnation {self.incarnation}", flush=True)

    def live(self):
        threading.Thread(target=self.watch, daemon=True).start()
        self.incarnation, self.interval, failures = None, 10.0, 0
        while not self.leaving.is_set():
            longest, asked = (self.interval if self.incarnation else 30.0), 0.0
            try:
                if self.incarnation is None:
                    self.register()
                self.leaving.wait(self.beat())
                failures = 0
                continue
            except Refused as refused:
                status, detail = refused.args
                if status == 409 or (self.incarnation is None and status != 404):
                    self.lose_all("another process lives under the name of this worker")
                    sys.exit(f"{status}: {detail}")
                if status == 404:  # not registered any more: the streams are somebody else's
                    self.lose_all("the orchestrator does not know this worker any more")
                    self.incarnation = None
                print(f"{status}: {detail}", flush=True)
            except (OSError, ValueError, LookupError, TypeError) as error:
                # No answer, or none that makes sense. What runs goes on until the lease ends.
                print(f"the orchestrator does not answer: {error}", flush=True)
                retry_after = getattr(error, "headers", {}).get("Retry-After") or ""
                asked = min(60.0, float(retry_after) if retry_after.isdigit() else 0.0)
            wait = min(longest, min(1.0, self.interval / 8) * 2 ** min(failures, 10))
            failures += 1
            self.leaving.wait(max(asked, wait * random.uniform(0.5, 1.0)))
        held = sorted(self.assigned)
        self.lose_all("this worker leaves")
        if self.incarnation is None:
            return
        try:  # the release says which life leaves: it is refused if a newer process lives
            call("POST", "/streams/release", {"server_id": NAME, "stream_ids": held,
                                              "incarnation": self.incarnation})
            call("DELETE", "/instances/" + urllib.parse.quote(NAME, safe=""))
        except (OSError, ValueError, Refused) as error:
            print(f"left without goodbye: {error}", flush=True)


if __name__ == "__main__":
    worker = Worker()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.leaving.set())
    worker.live()
