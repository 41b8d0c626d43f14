"""Clients of a cluster, a load that they make, and a record that judges what the cluster says to them.

Each account has contacts c0, c1, …; the name of each is a number that only grows, since one session writes them all. So
whatever is shown of a contact must be at least what was acknowledged or shown before, and no more than was asked for.
"""
import base64
import hashlib
import hmac
import os
import random
import socket
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter

from cluster_for_test import PATIENCE, until

CONTACTS = 20
ANSWER_S = 30  # No figure either: what has no answer by then gets none.
ROSTER = "{jabber:iq:roster}"
CLIENT = "{jabber:client}"


class Closed(OSError):
    """The stream is over."""


class Client:
    """One stream, plain TCP, one thing at a time. `name` none: it does not sign in."""

    def __init__(self, node, name=None, resource="r", password="pw", presence=True):
        self.node, self.process = node, node.process
        try:
            self.socket = socket.create_connection((node.address, node.port), 10)
        except OSError as e:
            raise Closed(str(e)) from e
        self.waiting, self.count, self.jid = [], 0, None
        try:
            self.open()
            if name:
                self.sign_in(name, password)
                self.open()
                bound = self.ask("set", f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>")
                if bound is None or bound.get("type") != "result":
                    raise Closed("not bound")
                self.jid = bound.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid")
                if presence:
                    self.send("<presence/>")
        except (Closed, ET.ParseError) as e:
            self.close()
            raise Closed(str(e)) from e

    def sign_in(self, name, password):
        """SCRAM-SHA-1 (RFC 5802)."""
        namespace = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
        bare = f"n={name},r={os.urandom(9).hex()}"
        self.send(f"<auth {namespace} mechanism='SCRAM-SHA-1'>{base64.b64encode(f'n,,{bare}'.encode()).decode()}</auth>")
        challenge = self.next()
        if challenge is None or not challenge.tag.endswith("}challenge"):
            raise Closed("no challenge")
        said = base64.b64decode(challenge.text).decode()
        part = dict(x.split("=", 1) for x in said.split(","))
        salted = hashlib.pbkdf2_hmac("sha1", password.encode(), base64.b64decode(part["s"]), int(part["i"]))
        key = hmac.digest(salted, b"Client Key", "sha1")
        last = f"c=biws,r={part['r']}"
        signature = hmac.digest(hashlib.sha1(key).digest(), f"{bare},{said},{last}".encode(), "sha1")
        proof = base64.b64encode(bytes(x ^ y for x, y in zip(key, signature))).decode()
        self.send(f"<response {namespace}>{base64.b64encode(f'{last},p={proof}'.encode()).decode()}</response>")
        success = self.next()
        if success is None or not success.tag.endswith("}success"):
            raise Closed("not let in")

    def open(self):
        self.parser, self.depth, self.is_over = ET.XMLPullParser(("start", "end")), 0, False
        self.send("<stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
                  "xmlns:stream='http://etherx.jabber.org/streams'>")
        if self.next() is None:
            raise Closed("no features")

    def send(self, text):
        try:
            self.socket.settimeout(10)
            self.socket.sendall(text.encode())
        except OSError as e:
            raise Closed(str(e)) from e

    def next(self, timeout=10.0):
        """The next element; none in time."""
        deadline = time.monotonic() + timeout
        while not self.waiting:
            if self.is_over:
                raise Closed("the stream was ended")
            try:
                self.socket.settimeout(max(0.001, deadline - time.monotonic()))
                received = self.socket.recv(65_536)
            except (socket.timeout, BlockingIOError):
                return None
            except OSError as e:
                raise Closed(str(e)) from e
            if not received:
                raise Closed("closed")
            self.parser.feed(received)
            for event, element in self.parser.read_events():
                self.depth += 1 if event == "start" else -1
                if event == "end" and self.depth == 1:
                    self.waiting.append(element)
                self.is_over = self.is_over or self.depth == 0
        one = self.waiting.pop(0)
        if one.tag == "{http://etherx.jabber.org/streams}error":
            raise Closed("stream error: " + ", ".join(x.tag.split("}")[1] for x in one))
        return one

    def ask(self, kind, payload, to=None, timeout=10.0):
        """The answer; none in time. What comes before it stays for `next`."""
        number = self.request(kind, payload, to)
        deadline, others, found = time.monotonic() + timeout, [], None
        while time.monotonic() < deadline and found is None:
            one = self.next(deadline - time.monotonic())
            if one is None:
                break
            if one.tag == CLIENT + "iq" and one.get("id") == number and one.get("type") in ("result", "error"):
                found = one
            else:
                others.append(one)
        self.waiting = others + self.waiting
        return found

    def request(self, kind, payload, to=None):
        self.count += 1
        number = f"q{self.count}"
        address = f" to='{to}'" if to else ""
        self.send(f"<iq type='{kind}' id='{number}'{address}>{payload}</iq>")
        return number

    def message(self, to, body):
        self.send(f"<message to='{to}' type='chat'><body>{body}</body></message>")

    def bodies(self, count, timeout=PATIENCE):
        """Of the next messages that have one, at most so many."""
        out, deadline = [], time.monotonic() + timeout
        while len(out) < count and time.monotonic() < deadline:
            one = self.next(deadline - time.monotonic())
            if one is not None and one.tag == CLIENT + "message" and one.get("type") != "error":
                out.append(one.findtext(CLIENT + "body"))
        return out

    def push_of(self, contact, timeout=PATIENCE):
        """Waits for a roster push of that contact: its item, or none."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            one = self.next(deadline - time.monotonic())
            for item in items_of(one) if one is not None and one.get("type") == "set" else []:
                if item.get("jid") == contact:
                    return item
        return None

    def contacts(self, timeout=10.0):
        """Names by address; none when it is refused."""
        answer = self.ask("get", "<query xmlns='jabber:iq:roster'/>", timeout=timeout)
        if answer is None or answer.get("type") != "result":
            return None
        return {item.get("jid"): item.get("name", "") for item in items_of(answer)}

    def sets(self, contact, name="", timeout=10.0):
        """None: acknowledged; else the condition, or "silence"."""
        return condition_of(self.ask("set", item_text(contact, name), timeout=timeout))

    def close(self):
        self.socket.close()


def items_of(x):
    return x.iter(ROSTER + "item")


def item_text(contact, name):
    return f"<query xmlns='jabber:iq:roster'><item jid='{contact}' name='{name}'/></query>"


def condition_of(answer):
    if answer is None:
        return "silence"
    if answer.get("type") == "result":
        return None
    return next((x.tag.split("}")[1] for x in answer.iter() if x.tag.startswith("{urn:ietf:params:xml:ns:xmpp-stanzas}")), "?")


def register(node, name):
    return condition_of(Client(node).ask(
        "set", f"<query xmlns='jabber:iq:register'><username>{name}</username><password>pw</password></query>"))


def signed_in(nodes, name, resource="r", presence=True):
    """At any of them that lets it in."""
    def attempt():
        for node in nodes:
            if node.takes_clients:
                try:
                    return Client(node, name, resource, presence=presence)
                except Closed:
                    pass
        return None
    return until(attempt, f"{name} signs in")


def shard_of(node, name):
    """Of an account."""
    return until(lambda: node.shell(f"user info {name}@localhost"), f"{name} is known").split("shard")[-1].split()[0]


# -- the record --------------------------------------------------------------------------------------------------------


class Record:
    """What was asked, acknowledged, shown and delivered, by all sessions; and what of it should not be."""

    def __init__(self):
        self.mutex = threading.Lock()
        self.floor, self.ceiling = {}, {}  # By (account, contact).
        self.problems, self.kinds, self.counts, self.conditions = [], Counter(), Counter(), Counter()
        self.last_seen = {}  # By (sender's session, recipient's session): the number of its last message.
        self.marked_at, self.answers_again = time.monotonic(), {}

    def problem(self, kind, text):
        with self.mutex:
            self.found(kind, text)

    def found(self, kind, text):
        """Under the mutex. Keeps some of each kind."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= 5:
            self.problems.append(f"{kind}: {text}")

    def note(self, what, count=1):
        with self.mutex:
            self.counts[what] += count

    def asked(self, account, contact, number):
        with self.mutex:
            self.ceiling[account, contact] = number

    def refused(self, condition):
        with self.mutex:
            self.conditions[condition] += 1

    def shown(self, account, contact, number, how, least=0):
        """Also what is acknowledged. `least`: it must not be older."""
        with self.mutex:
            key = account, contact
            self.counts[how] += 1
            if number < least:
                self.found(f"{how} is stale", f"{account} is shown {contact} = {number}, but {least} was known before")
            if number > self.ceiling.get(key, 0):
                self.found(f"{how} is invented", f"{account} is shown {contact} = {number}, which nobody asked for")
            self.floor[key] = max(self.floor.get(key, 0), number)

    def floor_of(self, account):
        with self.mutex:
            return {contact: number for (of, contact), number in self.floor.items() if of == account}

    def roster(self, account, names, least, how):
        """A contact list that was shown; `least`, the floor when it was asked for."""
        numbers = {jid.split("@")[0]: int(name) for jid, name in names.items() if name.isdigit()}
        for contact in sorted(set(numbers) | set(least)):
            self.shown(account, contact, numbers.get(contact, 0), how, least.get(contact, 0))

    def received(self, sender, recipient, number):
        with self.mutex:
            self.counts["messages received"] += 1
            last = self.last_seen.get((sender, recipient), -1)
            if number <= last:
                self.found("a message comes twice" if number == last else "messages change places",
                           f"{recipient} gets {number} of {sender} after {last}")
            self.last_seen[sender, recipient] = number

    def mark(self):
        """From now on counts who answers again, and when."""
        with self.mutex:
            self.marked_at, self.answers_again = time.monotonic(), {}

    def answered(self, account, sent_at):
        with self.mutex:
            if sent_at >= self.marked_at:
                self.answers_again.setdefault(account, time.monotonic() - self.marked_at)


# -- the load ----------------------------------------------------------------------------------------------------------


class Talker(threading.Thread):
    """One session after another of an account. The first of an account writes; the others only listen."""

    def __init__(self, load, index, account, writes, home=None):
        super().__init__(daemon=True)
        self.home, self.answers = home, []  # The one node that it uses; (sent at, answered at, condition) of its writes.
        self.load, self.record, self.account, self.writes = load, load.record, account, writes
        self.random = random.Random(f"{load.seed} {account} {writes}")
        self.name, self.index, self.generation, self.number, self.turns = account, index, 0, 0, 0
        self.client, self.asked, self.pushed = None, {}, {}

    def run(self):
        try:
            self.talk()
        except Exception as e:  # Such as what is no XML.
            self.record.problem("a client gave up", f"{self.account}: {e!r}")
            raise

    def talk(self):
        while not self.load.ends.is_set():
            node = self.home or self.random.choice(self.load.cluster.running or [None])
            try:
                if node is None:
                    raise Closed("no node")
                self.generation += 1
                self.client = Client(node, self.account, f"{'w' if self.writes else 'l'}{self.generation}")
            except Closed:
                self.record.note("sign-ins refused")
                self.load.ends.wait(0.05)
                continue
            self.asked, self.pushed, self.turns = {}, {}, 0
            self.record.note("sessions")
            try:
                self.live()
            except Closed as e:
                self.ended(e)
            self.client.close()

    def live(self):
        """Until the load ends, or for half a minute or so: then it goes to another node."""
        leaves_at = time.monotonic() + (1e9 if self.home else self.random.uniform(20, 60))
        speaks_at = time.monotonic()
        is_told_of = self.client.request("get", "<query xmlns='jabber:iq:roster'/>")  # Now pushes come.
        self.asked[is_told_of] = ("get", time.monotonic(), self.record.floor_of(self.account))
        while time.monotonic() < leaves_at:
            if self.load.ends.is_set() and not self.asked:
                return
            if self.client.node.is_paused and not self.home:
                return  # A client would find out, too.
            if (one := self.client.next(max(0.01, speaks_at - time.monotonic()))) is not None:
                self.take(one)
            if time.monotonic() >= speaks_at:
                speaks_at = max(speaks_at + self.load.period, time.monotonic() - 0.1)
                self.look_for_silence()
                if self.writes and not self.load.ends.is_set():
                    self.speak()
        while self.asked and self.client.node.takes_clients:
            if (one := self.client.next(0.05)) is not None:
                self.take(one)
            self.look_for_silence()

    def speak(self):
        self.turns += 1
        now = time.monotonic()
        if len(self.asked) < 50 or now - max(sent_at for _, sent_at, _ in self.asked.values()) > 2:
            self.number += 1
            contact = f"c{self.number % CONTACTS}"
            self.record.asked(self.account, contact, self.number)
            key = self.client.request("set", item_text(contact + "@localhost", self.number))
            self.asked[key] = ("set", now, (contact, self.number))
        if self.turns % 10 == 0:
            least = self.record.floor_of(self.account)
            self.asked[self.client.request("get", "<query xmlns='jabber:iq:roster'/>")] = ("get", now, least)
        self.client.message(self.load.other(self.index + self.turns % 3 + 1) + "@localhost", self.turns)
        self.record.note("messages sent")

    def take(self, x):
        kind, way = x.tag.removeprefix(CLIENT), x.get("type")
        if kind == "message" and way != "error" and x.findtext(CLIENT + "body", "").isdigit():
            self.record.received(x.get("from"), self.client.jid, int(x.findtext(CLIENT + "body")))
        elif kind == "message" and way == "error":
            self.record.note("messages bounced")
        elif kind == "iq" and way == "set":
            for item in items_of(x):
                contact, number = item.get("jid").split("@")[0], int(item.get("name", "0"))
                self.record.shown(self.account, contact, number, "a push", self.pushed.get(contact, 0))
                self.pushed[contact] = number
            self.client.send(f"<iq type='result' id='{x.get('id')}'/>")
        elif kind == "iq" and way in ("result", "error") and x.get("id") in self.asked:
            self.answered(x, *self.asked.pop(x.get("id")))

    def answered(self, x, what, sent_at, about):
        if self.home and what == "set":
            self.answers.append((sent_at, time.monotonic(), condition_of(x)))
        if x.get("type") == "error":
            return self.record.refused(condition_of(x))
        self.record.answered(self.account, sent_at)
        if what == "set":
            return self.record.shown(self.account, *about, "an acknowledgement")
        names = {item.get("jid"): item.get("name", "") for item in items_of(x)}
        return self.record.roster(self.account, names, about, "a contact list")

    def look_for_silence(self):
        """Each request is answered, or refused."""
        late = [key for key, (_, sent_at, _) in self.asked.items() if time.monotonic() - sent_at > ANSWER_S]
        for key in late:
            what, _, about = self.asked.pop(key)
            self.record.problem("no answer", f"to a {what} of {self.client.jid}, at {self.client.node}: {about}")

    def ended(self, why):
        node = self.client.node
        if node.process is self.client.process and not node.may_end_sessions:
            self.record.problem("a session was ended", f"{self.client.jid}, at {node}, which lives: {why}")


class Load:
    """`with Load(cluster, accounts) as load`: two sessions for each account, on whichever node.

    With `homes`, one session for each, which stays on the node that stands there.
    """

    def __init__(self, cluster, accounts, homes=None, period=0.1, seed=0):
        self.cluster, self.period, self.seed, self.homes = cluster, period, seed, homes
        self.record, self.ends = Record(), threading.Event()
        self.accounts = [f"u{i}" for i in range(accounts)] if isinstance(accounts, int) else accounts
        self.talkers = []

    def other(self, index):
        return self.accounts[index % len(self.accounts)]

    def register(self):
        for i, name in enumerate(self.accounts):
            node = self.cluster.running[i % len(self.cluster.running)]
            until(lambda: register(node, name) in (None, "conflict"), f"{name} is registered")

    def shards(self):
        """By account."""
        return {name: shard_of(self.cluster.running[0], name) for name in self.accounts}

    def __enter__(self):
        for i, name in enumerate(self.accounts):
            if self.homes:
                self.talkers.append(Talker(self, i, name, True, self.homes[i]))
            else:
                self.talkers += [Talker(self, i, name, writes) for writes in (True, False)]
        self.record.mark()
        for one in self.talkers:
            one.start()
        until(lambda: self.all_answer(), "every account answers")
        return self

    def all_answer(self):
        with self.record.mutex:
            return len(self.record.answers_again) == len(self.accounts)

    def wait_for_answers(self):
        """Since the mark, all: returns the seconds that it took, by account."""
        until(self.all_answer, "every account answers again")
        return dict(self.record.answers_again)

    def __exit__(self, kind, *_):
        self.ends.set()
        for one in self.talkers:
            one.join(PATIENCE)

    def verify(self):
        """When it has ended: what was acknowledged or shown is there."""
        for name in self.accounts:
            least = self.record.floor_of(name)
            client = signed_in(self.cluster.running, name, "verifier", presence=False)
            names = until(client.contacts, f"the contacts of {name}")
            self.record.roster(name, names, least, "the last contact list")
            client.close()

    def summary(self):
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.record.counts.items()))
        refused = ", ".join(f"{count} {what}" for what, count in sorted(self.record.conditions.items()))
        return f"{counts}; refused: {refused or 'nothing'}"


def percentiles(values):
    """As text, in milliseconds."""
    if not values:
        return "none"
    ordered = sorted(values)
    at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1_000  # noqa: E731
    return f"p50 {at(0.5):.0f} ms, p99 {at(0.99):.0f} ms, max {ordered[-1] * 1_000:.0f} ms ({len(ordered)})"
