"""A complete worker in Python: the contract of docs/WORKERS.md, with the standard library only.

    python3 examples/worker.py http://localhost:8001[,http://other:8001] worker-1 [BACK_IN]

For https:// the PEM files are in the environment: ORCHESTRATOR_CA (of the orchestrator's authority),
ORCHESTRATOR_CLIENT_CERT and ORCHESTRATOR_CLIENT_KEY (of this worker).

Ctrl-C or SIGTERM: it gives its streams back and ends. With BACK_IN (60s): it ends, and its streams
are reserved for so long. Put your work into `run`. Needs Linux.
"""
import ipaddress
import json
import math
import os
import random
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

URLS, NAME = [url.strip().rstrip("/") for url in sys.argv[1].split(",")], sys.argv[2]
BACK_IN = sys.argv[3] if len(sys.argv) > 3 else ""
not_served = 0  # how many requests in a row no orchestrator has served
KEY = os.environ.get("ORCHESTRATOR_KEY", "")
EXPOSED = []  # the URL at which the key was said to be readable


def tls():
    """Checks the orchestrator, and shows the worker's certificate; read anew for each connection, so
    that files may be replaced while it runs."""
    context = ssl.create_default_context(cafile=os.environ.get("ORCHESTRATOR_CA"))
    if certificate := os.environ.get("ORCHESTRATOR_CLIENT_CERT"):
        # The password is for keys that have one, of which nobody can be asked.
        context.load_cert_chain(certificate, os.environ.get("ORCHESTRATOR_CLIENT_KEY"), "")
    return context


def http():
    """No proxy to the own network."""
    handlers = [urllib.request.ProxyHandler({})]
    if URLS[0].startswith("https://"):
        handlers.append(urllib.request.HTTPSHandler(context=tls()))
    return urllib.request.build_opener(*handlers)


def run(stream, stopped):
    """Works on one stream until `stopped` is set. Store results together with the epoch. A stream
    that cannot be worked on: raise an error whose text says why, without passwords."""
    while not stopped.wait(1):
        pass  # here a second of stream["url"] is worked on


def now():
    """A clock that goes on while the machine sleeps, as leases do; time.monotonic() does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Refused(Exception):
    """The orchestrator itself said no: (status, sentence, life). All else is no answer."""


def is_cleartext(url):
    """Whether a listener between this machine and another one can read what is sent."""
    parts = urllib.parse.urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return True


def warn_of_exposure():
    if KEY and not EXPOSED and is_cleartext(URLS[0]):
        EXPOSED.append(URLS[0])
        host = urllib.parse.urlsplit(URLS[0]).hostname
        print(f"warning: the key (ORCHESTRATOR_KEY) is sent to http://{host} without encryption: a listener on "
              "the way can read it and act with it; name the orchestrator by https://", flush=True)


def turn_to_another():
    """The first one is asked."""
    global not_served
    not_served += 1
    URLS.append(URLS.pop(0))


def call(method, path, body=None, limit=10.0):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    warn_of_exposure()
    if KEY:  # needed if the orchestrator's AUTH is on: a key of the role worker
        headers["Authorization"] = "Bearer " + KEY
    request = urllib.request.Request(URLS[0] + path, data, headers, method=method)
    try:
        with http().open(request, timeout=limit) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        # A 404 of something in between is not the orchestrator's: that one speaks problem+json.
        is_problem = error.headers.get_content_type() == "application/problem+json"
        if is_problem and error.code in (400, 404, 409, 422):
            problem = json.load(error)
            current = problem.get("current_incarnation")
            raise Refused(error.code, problem["detail"], current) from None
        turn_to_another()
        raise
    except (OSError, ValueError):
        turn_to_another()
        raise


class Worker:
    def __init__(self):
        self.assigned = {}  # what the orchestrator said: id -> stream
        self.running = {}  # what really runs: id -> (epoch, event, thread)
        self.failed = {}  # what cannot be run here: id -> (epoch, reason)
        self.epochs = {}  # the highest epoch of each stream so far; a lower one is old news
        self.stop_at = 0.0  # exclusive streams must not run from this moment on
        self.stop_after = math.inf  # so long after the sending of a heartbeat that is
        self.incarnation, self.last_incarnation = None, 0
        self.term = 0  # the highest one heard: an orchestrator with a lower one was deposed
        self.version, self.interval, self.limit = 0, 10.0, 10.0
        self.stopping_since = None  # a stop is under way; None: nothing is left to be stopped
        self.loss = "it was taken away"
        self.lock = threading.Condition(threading.RLock())  # nobody waits long while holding it
        self.hurry = threading.Event()  # what runs has changed: say so at once
        self.leaving = threading.Event()

    def may_run(self, id, epoch):
        stream = self.assigned.get(id)
        if stream is None or stream["epoch"] != epoch:
            return False
        return now() < self.stop_at or stream.get("handoff") == "overlap"

    def attempt(self, stream, stopped):
        try:
            run(stream, stopped)
        except Exception as error:  # given back, for another worker to try
            why = " ".join((str(error) or type(error).__name__).split())[:512]
            with self.lock:
                self.failed[stream["stream_id"]] = (stream["epoch"], why)
            self.hurry.set()

    def give_back(self):
        """The orchestrator shows the reason, and pauses a stream that nobody can run."""
        for id, (epoch, why) in list(self.failed.items()):
            if self.running.get(id, (None,))[0] == epoch:
                call("POST", "/streams/release", {"server_id": NAME, "stream_ids": [id], "epochs": [epoch],
                                                  "incarnation": self.incarnation, "reason": why})
                print(f"give back {id}: {why}", flush=True)
            with self.lock:
                if self.running.get(id, (None,))[0] == epoch:
                    del self.running[id]
                    self.assigned.pop(id, None)
                self.failed.pop(id, None)

    def watch(self):
        """Stops what must not run, then starts what should, one at a time, beside the heartbeats:
        no slow answer delays a stop, no slow stop delays a heartbeat. The clock is read for each:
        a process that was suspended finds its lease over, and stops before all else."""
        while True:
            with self.lock:
                bad = [i for i, (epoch, *_) in self.running.items() if not self.may_run(i, epoch)]
                new = [i for i, s in self.assigned.items()
                       if i not in self.running and self.may_run(i, s["epoch"])]
                if not bad and self.stopping_since is not None:
                    self.stopping_since = None
                    self.lock.notify_all()
                if bad:
                    self.stopping_since = now()
                    _, stopped, thread = self.running[bad[0]]
                    why = "the lease ended" if bad[0] in self.assigned else self.loss
                elif new:
                    stream, stopped = self.assigned[new[0]], threading.Event()
                    thread = threading.Thread(target=self.attempt, args=(stream, stopped),
                                              daemon=True)
                    thread.start()
                    self.running[new[0]] = (stream["epoch"], stopped, thread)
                    print(f"start {new[0]} epoch {stream['epoch']}", flush=True)
                else:
                    self.lock.wait(0.1)
                    continue
            if bad:
                stopped.set()
                thread.join()  # it has stopped before anybody else is told to start it
                with self.lock:
                    self.running.pop(bad[0], None)
                print(f"stop {bad[0]}: {why}", flush=True)
            self.hurry.set()

    def all_stopped(self):
        return not any(not self.may_run(i, epoch) for i, (epoch, *_) in self.running.items())

    def lose_all(self, reason):
        with self.lock:
            self.assigned, self.stop_at, self.loss = {}, 0.0, reason
            self.lock.notify_all()
            self.lock.wait_for(lambda: not self.running)

    def pace(self):
        """Three tries fit into a lease, whatever interval was told before."""
        return max(0.05, min(self.interval, self.stop_after / 3))

    def beat(self):
        global not_served
        with self.lock:
            running, settled = sorted(self.running), self.all_stopped()
            since = self.stopping_since
            if since is not None and now() - since > min(self.stop_after, 240.0):
                return 1.0  # a stop hangs: no more heartbeats, so that others get the streams
            self.hurry.clear()
            sent = now()  # the lease counts from here, not from the answer
        body = {"server_id": NAME, "current_streams": len(running), "streams": running,
                "incarnation": self.incarnation}
        if self.term:
            body["term"] = self.term
        if 0 < self.stop_at <= sent:  # the lease is over, and another one starts the streams again
            body["resuming"] = True
        if settled:  # otherwise it would confirm what is not done yet
            body["assignment_version"] = self.version
        answer = call("POST", "/heartbeat", body,
                      min(4.0 if len(URLS) > 1 else 10.0, max(0.2, min(self.limit, self.pace() / 2))))
        with self.lock:
            self.term = max(self.term, answer.get("term", 0))
            lease = answer["lease_seconds"]
            if lease == 0 or answer.get("proven") is False:
                turn_to_another()  # this one may be cut off
            else:
                not_served = 0
            # 0 grants no lease and takes none back. Any other answer replaces the stop time, even
            # by an earlier one. A heartbeat without a version renews a running lease only: a lease
            # that has ended needs the answer to a version, which says what was lost meanwhile.
            # Then `watch` starts what is still in `assigned`. A worker that keeps no such list
            # sends version 0 here, and is sent the whole list.
            if lease > 0 and (settled or sent < self.stop_at):
                told = answer.get("stop_after_seconds") or math.inf
                self.stop_after = told if told < lease else 0.9 * lease
                self.stop_at = sent + self.stop_after
            self.loss = "it was taken away"
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
            elif settled and answer["assignment_version"] < self.version:
                self.version = 0  # the orchestrator lost its memory: send all of it
            self.lock.notify_all()
        return max(0.0, sent + self.pace() * random.uniform(0.9, 1.0) - now())

    def register(self):
        answer = call("POST", "/register", {"server_id": NAME, "ip": "127.0.0.1", "port": 9000,
                                            "max_streams": 20, "auto_assign": True})
        URLS.extend(url for url in answer.get("orchestrators", []) if url not in URLS)
        self.interval = answer["heartbeat_interval_seconds"]
        self.limit = answer.get("request_timeout_seconds", math.inf)
        self.version = 0  # "I follow no list yet: send all of it"
        self.incarnation = answer["incarnation"]
        if self.incarnation <= self.last_incarnation:
            self.epochs = {}  # another database, which counts anew
        self.last_incarnation = self.incarnation
        print(f"registered, incarnation {self.incarnation}", flush=True)

    def pause(self, seconds):
        """Until the next heartbeat is due, or there is something to say."""
        self.leaving.wait(min(seconds, 0.05))
        if not self.leaving.is_set() and seconds > 0.05:
            self.hurry.wait(seconds - 0.05)

    def live(self):
        threading.Thread(target=self.watch, daemon=True).start()
        failures = 0
        while not self.leaving.is_set():
            longest, asked = (self.pace() if self.incarnation else 30.0), 0.0
            before = not_served
            try:
                if self.incarnation is None:
                    self.register()
                wait = self.beat()
                self.give_back()
                self.pause(wait)
                failures = 0
                continue
            except Refused as refused:
                status, detail, current = refused.args
                if status == 409 and self.incarnation and current and current < self.incarnation:
                    status = 404  # nobody took over: the orchestrator forgot this life
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
                most = longest if self.incarnation else 60.0  # patience must not cost the lease
                asked = min(most, float(retry_after) if retry_after.isdigit() else 0.0)
            if before < not_served < len(URLS):
                continue  # at once: another one was not asked yet
            wait = min(longest, min(1.0, self.interval / 8) * 2 ** min(failures, 10))
            failures += 1
            self.leaving.wait(max(asked, wait * random.uniform(0.5, 1.0)))
        held = {id: stream["epoch"] for id, stream in sorted(self.assigned.items())}
        self.lose_all("this worker leaves")
        if self.incarnation is None:
            return
        try:  # the release says which life leaves: it is refused if a newer process lives
            if not BACK_IN:
                call("POST", "/streams/release", {"server_id": NAME, "stream_ids": list(held),
                                                  "epochs": list(held.values()),
                                                  "incarnation": self.incarnation})
            back = f"&back_in={urllib.parse.quote(BACK_IN)}" if BACK_IN else ""
            name = urllib.parse.quote(NAME, safe="")
            call("DELETE", f"/instances/{name}?incarnation={self.incarnation}{back}")
        except (OSError, ValueError, Refused) as error:
            print(f"left without goodbye: {error}", flush=True)


def leave_when_asked(worker):
    signal.sigwait(ENDS)
    worker.leaving.set()
    worker.hurry.set()


if __name__ == "__main__":
    ENDS = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # a handler could run while a lock is held
    worker = Worker()
    threading.Thread(target=leave_when_asked, args=(worker,), daemon=True).start()
    worker.live()
