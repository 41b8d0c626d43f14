"""Nodes of a cluster as processes, on loopback addresses or in network namespaces of their own that can be cut off."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server_for_test import binary  # noqa: E402

PATIENCE = 120  # no figure: only so that a hang ends
SHARDS = 8


class InVain(Exception):
    """Something did not come, however long one waited."""


def until(holds, what, timeout=PATIENCE, pause=0.05):
    """What `holds` returns as soon as that is something; its OSErrors are nothing."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            found = holds()
        except OSError:
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise InVain(what)
        time.sleep(pause)


class Stalls:
    """When this process itself was not let run: then no time that it took says anything about servers."""

    def __init__(self):
        self.worst, self.mutex = 0.0, threading.Lock()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            begun = time.monotonic()
            time.sleep(0.01)
            with self.mutex:
                self.worst = max(self.worst, time.monotonic() - begun - 0.01)

    def take(self):
        """The longest since the last call, in seconds."""
        with self.mutex:
            worst, self.worst = self.worst, 0.0
        return worst


# -- networks ----------------------------------------------------------------------------------------------------------


class Loopback:
    """One address of 127.0.0.0/8 for each process that runs this, so that no two runs can be in each other's way."""

    def __init__(self):
        number = os.getpid() * 4 + 2
        self.host = f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def address(self, number):
        return self.host

    def inside(self, number):
        return []

    def close(self):
        pass


class Namespaces:
    """Each node in a network namespace; this process is the router between them. Run `enter` first."""

    @staticmethod
    def enter():
        """Starts this program anew in a network namespace of its own, where that is allowed."""
        if os.environ.get("TROUPE_TEST_NAMESPACE"):
            return True
        unshare = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
        if not shutil.which("ip") or subprocess.run(unshare + ["true"], capture_output=True, check=False).returncode != 0:
            return False
        os.environ["TROUPE_TEST_NAMESPACE"] = "1"
        os.execvp("unshare", unshare + [sys.executable] + sys.argv)

    def __init__(self):
        self.holders, self.cuts = {}, []
        self.ip("link set lo up")
        with open("/proc/sys/net/ipv4/ip_forward", "w") as out:
            out.write("1")

    def ip(self, *lines, inside=None):
        words = self.inside(inside) if inside else []
        subprocess.run([*words, "ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True, capture_output=True)

    def address(self, number):
        if number not in self.holders:
            self.make(number)
        return f"10.91.{number}.2"

    def inside(self, number):
        return ["nsenter", f"--net=/proc/{self.holders[number].pid}/ns/net"]

    def make(self, number):
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        of = "/proc/{}/ns/net".format
        until(lambda: os.readlink(of(holder.pid)) != os.readlink(of("self")), "a namespace")
        self.holders[number] = holder
        # The kernel takes its time with that of a namespace that has ended.
        subprocess.run(["ip", "link", "del", f"v{number}"], check=False, capture_output=True)
        self.ip(f"link add v{number} type veth peer name inner", f"link set inner netns {holder.pid}",
                f"addr add 10.91.{number}.1/24 dev v{number}", f"link set v{number} up")
        self.ip("link set lo up", f"addr add 10.91.{number}.2/24 dev inner", "link set inner up",
                f"route add default via 10.91.{number}.1", inside=number)

    def cut(self, *pairs):
        """Drops in silence what goes from the first to the second of each."""
        new = [f"pref {100 + len(self.cuts) + i} from {self.address(a)} to {self.address(b)} blackhole"
               for i, (a, b) in enumerate(pairs)]
        self.ip(*[f"rule add {x}" for x in new])
        self.cuts += new

    def heal(self):
        cuts, self.cuts = self.cuts, []
        if cuts:
            self.ip(*[f"rule del {x}" for x in cuts])

    def close(self):
        for holder in self.holders.values():
            holder.kill()
            holder.wait()


def both(*pairs):
    return [*pairs, *[(b, a) for a, b in pairs]]


# -- nodes -------------------------------------------------------------------------------------------------------------


class Node:
    def __init__(self, folder, number, network):
        self.folder, self.number, self.network = os.path.join(folder, f"node{number}"), number, network
        self.address, self.port, self.link_port = network.address(number), 22_000 + number, 22_100 + number
        self.process, self.is_paused, self.environment = None, False, {}
        self.may_end_sessions = False
        self.config = os.path.join(self.folder, "troupe.conf")
        os.mkdir(self.folder)
        with open(self.config, "w") as out:
            out.write(f"""[server]
data_folder = "data"
[listen]
c2s = ["{self.address}:{self.port}"]
c2s_tls = []
[tls]
required = false
[sign_in]
registrations_per_address_per_hour = 0
scram_iterations = 4096
[storage]
shards = {SHARDS}
[cluster]
listen = "{self.address}:{self.link_port}"
[log]
format = "text"
[hosts.main]
name = "localhost"
registration = "open"
""")
        os.mkdir(self.data, 0o700)

    def __str__(self):
        return f"node {self.number}"

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    @property
    def takes_clients(self):
        return self.process is not None and self.process.poll() is None and not self.is_paused

    def run(self, *words):
        return subprocess.run([*self.network.inside(self.number), binary(), *words, "--config", self.config],
                              capture_output=True, text=True, check=False, timeout=PATIENCE)

    def shell(self, line):
        """What it says; nothing when it can't."""
        done = self.run("shell", "-c", line)
        return done.stdout if done.returncode == 0 else ""

    def status(self, part="shards"):
        """Rows of `cluster status`, each with its keys for programs."""
        done = self.run("shell", "--json", "-c", f"cluster status {part}")
        return json.loads(done.stdout) if done.returncode == 0 else []

    def leaders(self):
        """(node, term) by group, as this node knows."""
        return {row["shard"]: (int(row["leader"] or 0), row["term"]) for row in self.status()}

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as text:
            return text.read()

    def links_down(self, since=0):
        """Of its links that broke: when, as time.time() tells it, and what the log says; from there in the log on."""
        lines = re.findall(r"(\d{4}-\d\d-\d\dT[\d:.]+)Z \w+ +cluster\.link_down +(.*)", self.log()[since:])
        return [(datetime.fromisoformat(stamp + "+00:00").timestamp(), said) for stamp, said in lines]

    def start(self, waits=True):
        if self.process:
            self.process.wait(PATIENCE)
        with open(os.path.join(self.folder, "log"), "a") as log:
            self.process = subprocess.Popen([*self.network.inside(self.number), binary(), "serve", "--config", self.config],
                                            stdout=log, stderr=log, env={**os.environ, **self.environment})
        self.may_end_sessions = False
        if waits:
            self.wait_until_up()

    def wait_until_up(self):
        until(lambda: self.process.poll() is not None or self.shell("version"), f"{self} starts")
        if self.process.poll() is not None:
            raise InVain(f"{self} starts; it said: {self.log()[-2_000:]}")

    def kill(self, waits=True):
        self.may_end_sessions = True
        self.process.kill()
        self.is_paused = False
        if waits:
            self.process.wait()

    def pause(self):
        self.is_paused = True
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def stop(self):
        self.may_end_sessions = True
        self.process.terminate()
        return self.process.wait(PATIENCE)


class Cluster:
    """`with Cluster(network) as x`: a folder, and nodes that end with it."""

    def __init__(self, network):
        self.network, self.nodes, self.replicas = network, [], 3
        self.folder = tempfile.mkdtemp(prefix="troupe-cluster-")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.kill()
        self.network.close()
        if os.environ.get("KEEP"):
            print("kept:", self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def make_node(self):
        self.nodes.append(Node(self.folder, len(self.nodes) + 1, self.network))
        return self.nodes[-1]

    @property
    def running(self):
        return [n for n in self.nodes if n.takes_clients]

    def found(self, before=None):
        """The first node; `before`, if any, is done with it while it is alone."""
        first = self.make_node()
        if before:
            first.start()
            before(first)
            first.stop()
        made = first.run("cluster", "init")
        if made.returncode != 0:
            raise InVain(f"cluster init: {made.stderr}")
        first.start()
        until(lambda: first.shell("cluster set moves_max 9"), "the first node leads")
        if self.replicas != 3:
            until(lambda: first.shell(f"cluster set replicas {self.replicas}"), "so many replicas")

    def grow(self, count):
        """To so many nodes, and until all is in place."""
        while len(self.nodes) < count:
            self.invite(self.make_node())
            self.nodes[-1].start()
        self.wait_until_good()

    def invite(self, node):
        by = self.running[0]
        token = until(lambda: [w for w in by.shell("cluster invite").split() if w.startswith("troupe-join:")], "a token")[0]
        joined = node.run("cluster", "join", token)
        if joined.returncode != 0:
            raise InVain(f"cluster join: {joined.stderr}")

    def is_good(self, seen_by):
        """Every group has all its replicas, a leader, and nothing is moving."""
        rows, members = seen_by.status(), [x for x in seen_by.status("nodes") if x["state"] != "gone"]
        replicas = self.replicas if len(members) >= self.replicas else 3 if len(members) >= 3 else 1
        return len(rows) == SHARDS + 1 and not seen_by.status("moves") and all(
            x["health"] in ("good", "alone") and x["leader"] and len(x["replicas"].split()) == replicas for x in rows)

    def wait_until_good(self, timeout=PATIENCE * 2):
        until(lambda: all(self.is_good(n) for n in self.running), "every shard is good again", timeout)

    def silences(self):
        """Of links that broke since nothing was heard over them: from when to when, as time.monotonic() tells it."""
        boot = time.time() - time.monotonic()
        found = [(at - boot, re.search(r"nothing heard for (\d+) ms", said)) for n in self.nodes for at, said in n.links_down()]
        return sorted((at - int(silence.group(1)) / 1_000, at) for at, silence in found if silence)

    def double_leaders(self):
        """Groups that two nodes served in one term, by their logs: there may be none."""
        claims = {}
        for node in self.nodes:
            for line in node.log().splitlines():
                if "cluster.leader " in line and '"this node leads"' in line:
                    fields = dict(x.split("=", 1) for x in line.split() if "=" in x)
                    group = line.split("group=", 1)[1].split(" term=")[0]
                    claims.setdefault((group, int(fields["term"])), set()).add(node.number)
        return sorted(f"{group}, term {term}: nodes {sorted(who)}" for (group, term), who in claims.items() if len(who) > 1)

    def describe(self):
        """For whoever looks into a failure."""
        for node in self.running:
            print(f"-- {node}", node.shell("cluster status"), node.shell("cluster status shards"), node.shell("actors session"),
                  node.shell("actors user --limit 50"), sep="\n")
