"""Clients of a cluster, a load that they make, and a record that judges what the cluster says to them.

Each account has contacts c0, c1, …; the name of each is a number that only grows, since one session writes them all. So
whatever is shown of a contact must be at least what was acknowledged or shown before, and no more than was asked for. Its
vCard has such a number, too.

What one session sends to one account is numbered without gaps. Whichever session of that account was there before must
get all of it once, in order, or else the sender an error, but for what is on its way when a node or a link dies (`trial`).
"""
import base64
import contextlib
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
KEPT_MAX = 500  # Messages for an account that is away: fewer than may wait for it.
ON_THE_WAY_S = 3  # What was sent so long before a trial has arrived.
A_SILENCE = "a link gone silent"
ANSWER_S = 30  # No figure either: what has no answer by then gets none.
ROSTER = "{jabber:iq:roster}"
CLIENT = "{jabber:client}"
VCARD = "<vCard xmlns='vcard-temp'>{}</vCard>"


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
        """Its id, which an error has, too, is its body."""
        self.send(f"<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")

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

    def vcard(self, timeout=10.0):
        """Its number, "0" without one; none when it is refused."""
        answer = self.ask("get", VCARD.format(""), timeout=timeout)
        return (answer.findtext(".//{vcard-temp}NOTE") or "0") if condition_of(answer) in (None, "item-not-found") else None

    def close(self):
        self.socket.close()


def items_of(x):
    return x.iter(ROSTER + "item")


def item_text(contact, name):
    return f"<query xmlns='jabber:iq:roster'><item jid='{contact}' name='{name}'/></query>"


def condition_of(answer):
    """None: it is a result."""
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
        self.sent_at = {}  # By (sender's session, recipient's account): of each message, by number.
        self.bounced = set()  # (Sender's session, recipient's account, number).
        self.seen = {}  # By (sender's session, recipient's session): the numbers, as they came.
        self.present = {}  # Sessions that get messages, since when; those of them that stayed until the end.
        self.stayed, self.trials = set(), []
        self.kept = {}  # Messages for accounts that are away, which were stored.
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

    # -- messages --

    def sends(self, sender, account):
        """The number of its next message to that account."""
        with self.mutex:
            self.counts["messages sent"] += 1
            sent = self.sent_at.setdefault((sender, account), [])
            sent.append(time.monotonic())
            return len(sent) - 1

    def bounces(self, sender, account, number):
        with self.mutex:
            self.counts["messages bounced"] += 1
            self.bounced.add((sender, account, number))

    def is_present(self, session):
        with self.mutex:
            self.present[session] = time.monotonic()

    def stays(self, session):
        """Until the end."""
        with self.mutex:
            self.stayed.add(session)

    def is_gone(self, session):
        with self.mutex:
            self.stayed.discard(session)

    def received(self, sender, recipient, number):
        with self.mutex:
            self.counts["messages received"] += 1
            seen = self.seen.setdefault((sender, recipient), [])
            last = seen[-1] if seen else -1
            if number <= last:
                self.found("a message comes twice" if number in seen else "messages change places",
                           f"{recipient} gets {number} of {sender} after {last}")
            seen.append(number)

    def trial_within(self, begun, ended):
        """What was going on; none."""
        return next((what for begin, end, what in self.trials if begin < ended and begun < end), None)

    def missing(self):
        """(Sender, recipient, number, which trial it may be lost in): of what a session had to get."""
        out = []
        with self.mutex:
            for recipient, since in self.present.items():
                account = recipient.split("@")[0]
                for (sender, to), sent in self.sent_at.items():
                    if to != account:
                        continue
                    seen = self.seen.get((sender, recipient), [])
                    end = len(sent) if {sender, recipient} <= self.stayed else max(seen, default=-1)
                    for n in sorted(set(range(end)) - set(seen)):
                        if sent[n] > since and (sender, to, n) not in self.bounced:
                            out.append((sender, recipient, n, self.trial_within(sent[n], sent[n] + ON_THE_WAY_S)))
        return out

    def judge_messages(self):
        for sender, recipient, number, trial in self.missing():
            if trial:
                self.note(f"messages lost with {trial}")
            else:
                self.problem("a message is lost", f"{recipient} never gets {number} of {sender}, which is not told")

    def stored(self, account, body, sent_at):
        """What was sent behind it is answered."""
        with self.mutex:
            if not self.trial_within(sent_at, time.monotonic()):
                self.counts["messages stored"] += 1
                self.kept.setdefault(account, set()).add(body)

    def kept_were(self, account, bodies):
        """What came to somebody who was away until now."""
        for body, count in Counter(bodies).items():
            if count > 1:
                self.problem("a stored message comes twice", f"{account}: {body}")
        for body in sorted(self.kept.pop(account, set()) - set(bodies)):
            self.problem("a stored message is lost", f"{account}: {body}")
        lines = {}
        for body in bodies:
            sender, number = body.rsplit(" ", 1)
            if lines.setdefault(sender, -1) >= int(number):
                self.problem("stored messages change places", f"{account}: {number} of {sender} after {lines[sender]}")
            lines[sender] = int(number)
        self.note("stored messages received", len(bodies))

    # -- times --

    def begin_trial(self, what):
        """A node or a link dies now: what is on its way may be lost with it, until `end_trial`."""
        with self.mutex:
            self.trials.append([time.monotonic(), float("inf"), what])

    def end_trial(self):
        with self.mutex:
            self.trials[-1][1] = time.monotonic()

    def mark(self):
        """From now on counts who answers again, and when."""
        with self.mutex:
            self.marked_at, self.answers_again = time.monotonic(), {}

    def answered(self, account, sent_at):
        with self.mutex:
            if sent_at >= self.marked_at:
                self.answers_again.setdefault(account, time.monotonic() - self.marked_at)


def vcard_of(account):
    """As the record calls it."""
    return f"{account}'s own", "vCard"


# -- the load ----------------------------------------------------------------------------------------------------------


class Talker(threading.Thread):
    """One session after another of an account. The first of an account writes; the others only listen."""

    def __init__(self, load, index, account, writes, home=None):
        super().__init__(daemon=True)
        self.home, self.answers = home, []  # The one node that it uses; (sent at, answered at, condition) of its writes.
        self.load, self.record, self.account, self.writes = load, load.record, account, writes
        self.random = random.Random(f"{load.seed} {account} {writes}")
        self.name, self.index, self.generation, self.number, self.turns = account, index, 0, 0, 0
        self.client, self.asked, self.pushed, self.is_silent = None, {}, {}, False
        self.bounced = set()  # Of what it sent to accounts that are away.

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
        least = self.record.floor_of(self.account)
        is_there = self.client.request("get", "<query xmlns='jabber:iq:roster'/>")  # Now pushes come, and messages.
        self.asked[is_there] = ("first get", time.monotonic(), least)
        while time.monotonic() < leaves_at:
            if self.load.ends.is_set() and not self.asked:
                return self.stay()
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

    def stay(self):
        """Silent, until the others' messages are there."""
        self.record.stays(self.client.jid)
        self.is_silent = True
        while not self.load.is_over.is_set():
            if (one := self.client.next(0.05)) is not None:
                self.take(one)

    def speak(self):
        self.turns += 1
        now = time.monotonic()
        if len(self.asked) < 50 or now - max(sent_at for _, sent_at, _ in self.asked.values()) > 2:
            self.number += 1
            contact = f"c{self.number % CONTACTS}"
            self.record.asked(self.account, contact, self.number)
            key = self.client.request("set", item_text(contact + "@localhost", self.number))
            self.asked[key] = ("set", now, (contact, self.number))
            if self.number % 10 == 0:
                self.record.asked(*vcard_of(self.account), self.number)
                key = self.client.request("set", VCARD.format(f"<NOTE>{self.number}</NOTE>"))
                self.asked[key] = ("vCard", now, self.number)
        if self.turns % 10 == 0:
            least = self.record.floor_of(self.account)
            self.asked[self.client.request("get", "<query xmlns='jabber:iq:roster'/>")] = ("get", now, least)
        if self.turns % 20 == 0 and self.load.away:
            self.leave_word(self.load.away[self.index % len(self.load.away)], now)
        to = self.load.other(self.index + self.turns % 3 + 1)
        self.client.message(f"{to}@localhost", self.record.sends(self.client.jid, to))

    def leave_word(self, account, now):
        """For somebody who is away; whose account answers what comes behind it when it is stored."""
        if len(self.record.kept.get(account, ())) < KEPT_MAX:
            body = f"{self.client.jid} {self.turns}"
            self.client.message(f"{account}@localhost", body)
            key = self.client.request("get", VCARD.format(""), f"{account}@localhost")
            self.asked[key] = ("word", now, (account, body))

    def take(self, x):
        kind, way = x.tag.removeprefix(CLIENT), x.get("type")
        if kind == "message" and way != "error" and x.findtext(CLIENT + "body", "").isdigit():
            self.record.received(x.get("from"), self.client.jid, int(x.findtext(CLIENT + "body")))
        elif kind == "message" and way == "error":
            if x.get("id").isdigit():
                self.record.bounces(self.client.jid, x.get("from").split("@")[0], int(x.get("id")))
            else:
                self.bounced.add(x.get("id"))
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
        if what == "word":
            return about[1] in self.bounced or self.record.stored(*about, sent_at)
        self.record.answered(self.account, sent_at)
        if what == "set":
            return self.record.shown(self.account, *about, "an acknowledgement")
        if what == "vCard":
            return self.record.shown(*vcard_of(self.account), about, "an acknowledgement")
        if what == "first get":
            self.record.is_present(self.client.jid)
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
        self.record.is_gone(self.client.jid)
        if node.process is self.client.process and not node.may_end_sessions:
            self.record.problem("a session was ended", f"{self.client.jid}, at {node}, which lives: {why}")


class Load:
    """`with Load(cluster, accounts) as load`: two sessions for each account, on whichever node.

    With `homes`, one session for each, which stays on the node that stands there.
    """

    def __init__(self, cluster, accounts, homes=None, period=0.1, seed=0):
        self.cluster, self.period, self.seed, self.homes = cluster, period, seed, homes
        self.record, self.ends, self.is_over = Record(), threading.Event(), threading.Event()
        self.accounts = [f"u{i}" for i in range(accounts)] if isinstance(accounts, int) else accounts
        self.talkers, self.away = [], []

    def other(self, index):
        return self.accounts[index % len(self.accounts)]

    def register(self):
        """One of them for whoever is away."""
        self.away = ["away"]
        for i, name in enumerate(self.accounts + self.away):
            node = self.cluster.running[i % len(self.cluster.running)]
            until(lambda: register(node, name) in (None, "conflict"), f"{name} is registered")
        for name in self.away:  # Who has a vCard has an answer for others.
            with contextlib.closing(signed_in(self.cluster.running, name, presence=False)) as client:
                until(lambda: condition_of(client.ask("set", VCARD.format("<NOTE>away</NOTE>"))) is None, f"{name}'s vCard")

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
        deadline = time.monotonic() + (ANSWER_S if kind is None else 0)
        while time.monotonic() < deadline and not self.is_settled():
            time.sleep(0.2)
        self.is_over.set()
        for one in self.talkers:
            one.join(PATIENCE)
        self.excuse_silences()
        self.record.judge_messages()
        if excused := self.record.counts[f"messages lost with {A_SILENCE}"]:
            print(f"not judged: {excused} messages lost with links over which nothing was heard", flush=True)

    def excuse_silences(self):
        """A machine that stands still for a second breaks links, and what waits on a link is lost with it."""
        for begun, ended in self.cluster.silences():
            self.record.trials.append([begun, ended + ON_THE_WAY_S, A_SILENCE])

    def is_settled(self):
        return all(one.is_silent or not one.is_alive() for one in self.talkers) and \
            all(trial for *_, trial in self.record.missing())

    @contextlib.contextmanager
    def trial(self, what):
        """A node dies in it, or a link; what is on its way then may be lost, and nothing else."""
        self.record.begin_trial(what)
        yield
        self.record.end_trial()

    def verify(self):
        """When it has ended: what was acknowledged or shown is there."""
        for name in self.away:
            with contextlib.closing(signed_in(self.cluster.running, name, "verifier")) as client:
                self.record.kept_were(name, bodies_of(client, self.record.kept.get(name, set())))
        for name in self.accounts:
            least = self.record.floor_of(name)
            client = signed_in(self.cluster.running, name, "verifier", presence=False)
            names = until(client.contacts, f"the contacts of {name}")
            self.record.roster(name, names, least, "the last contact list")
            of, what = vcard_of(name)
            number = int(until(client.vcard, f"the vCard of {name}"))
            self.record.shown(of, what, number, "the last vCard", self.record.floor_of(of).get(what, 0))
            client.close()

    def summary(self):
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.record.counts.items()))
        refused = ", ".join(f"{count} {what}" for what, count in sorted(self.record.conditions.items()))
        return f"{counts}; refused: {refused or 'nothing'}"


def outcome_of_read(client, contact, name):
    """Of the contact list that was asked for through a node that had stood still."""
    deadline = time.monotonic() + ANSWER_S
    try:
        while (answer := client.next(max(0.01, deadline - time.monotonic()))) is not None:
            if answer.tag == CLIENT + "iq" and answer.get("type") == "error":
                return "refused"
            if answer.tag == CLIENT + "iq" and answer.get("type") == "result":
                shown = {x.get("jid"): x.get("name") for x in items_of(answer)}
                return "new" if shown.get(contact) == name else "stale"
    except OSError:
        return "session ended"
    return "none"


def bodies_of(client, wanted):
    """All that come to it, until those are there."""
    out, deadline = [], time.monotonic() + ANSWER_S
    while (one := client.next(2)) is not None or not wanted <= set(out) and time.monotonic() < deadline:
        if one is not None and one.tag == CLIENT + "message" and one.get("type") != "error":
            out.append(one.findtext(CLIENT + "body"))
    return out


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def percentiles(values):
    """As text, in milliseconds."""
    if not values:
        return "none"
    at = [percentile(values, share) * 1_000 for share in (0.5, 0.99, 1)]
    return f"p50 {at[0]:.0f} ms, p99 {at[1]:.0f} ms, max {at[2]:.0f} ms ({len(values)})"
