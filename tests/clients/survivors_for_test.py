"""What those see who live on, when a node dies that served an account.

romeo is at one node that lives, juliet at the other. Both are there with a second device each, at the node that dies; and
that node serves juliet's account.
"""
import time
from collections import Counter

from cluster_for_test import until
from load_for_test import CLIENT, VCARD, condition_of, item_text, items_of, signed_in

REFUSED = {"remote-server-timeout", "internal-server-error", "resource-constraint"}


def befriend(nodes, romeo, others):
    """Each of them and romeo see each other's presence."""
    his = signed_in(nodes, romeo, "befriends")
    for name in others:
        hers = signed_in(nodes, name, "befriends")
        for one, to in ((his, name), (hers, romeo)):
            one.send(f"<presence type='subscribe' to='{to}@localhost'/>")
        for one, to in ((his, name), (hers, romeo)):
            one.send(f"<presence type='subscribed' to='{to}@localhost'/>")
        for one, to in ((his, name), (hers, romeo)):
            until(lambda: subscription(one, f"{to}@localhost") == "both", f"{one.jid} and {to} are friends")
        hers.close()
    his.close()


def subscription(client, contact):
    answer = client.ask("get", "<query xmlns='jabber:iq:roster'/>")
    return next((x.get("subscription") for x in items_of(answer) if x.get("jid") == contact), None) if answer else None


class Watched:
    """A session, and all that came to it."""

    def __init__(self, nodes, account, resource):
        self.client, self.account = signed_in(nodes, account, resource), account
        self.jid, self.all = self.client.jid, []
        self.client.request("get", "<query xmlns='jabber:iq:roster'/>")  # Now pushes come.

    def listen(self, seconds):
        until_when = time.monotonic() + seconds
        while (one := self.client.next(max(0.001, until_when - time.monotonic()))) is not None:
            self.all.append(one)

    def waits_for(self, holds, what):
        """`holds` sees all that came."""
        def attempt():
            self.listen(0.02)
            return holds(self.all)
        return until(attempt, f"{self.jid}: {what}", pause=0)

    def sees(self, sender, kind=None, status=None):
        return lambda all_: [x for x in all_ if x.tag == CLIENT + "presence" and x.get("from") == sender and
                             x.get("type") == kind and (status is None or x.findtext(CLIENT + "status") == status)]

    def answers(self):
        """Conditions by id."""
        out = {}
        for x in self.all:
            if x.tag == CLIENT + "iq" and x.get("type") in ("result", "error"):
                out.setdefault(x.get("id"), []).append(condition_of(x))
        return out

    def numbers(self, sender, kind):
        """Of messages: what came, or with "error" what came back."""
        return [int(x.get("id")) for x in self.all if x.tag == CLIENT + "message" and x.get("id", "").isdigit() and
                ((x.get("type") == "error") if kind == "error" else x.get("from") == sender)]


class Survivors:
    def __init__(self, cluster, victim, romeo, juliet, turn, stalls):
        self.victim, self.turn, self.stalls = victim, turn, stalls
        here, there = (n for n in cluster.nodes if n is not victim)
        self.romeo, self.juliet = Watched([here], romeo, f"lives{turn}"), Watched([there], juliet, f"lives{turn}")
        self.dying = [Watched([victim], one.account, f"dies{turn}") for one in (self.romeo, self.juliet)]
        for one, other in ((self.romeo, self.dying[1]), (self.juliet, self.dying[0]), (self.romeo, self.juliet)):
            one.waits_for(one.sees(other.jid), f"{other.jid} is there")
        self.asked, self.sent_at = {}, []
        self.to = f"{juliet}@localhost"
        for one in self.dying:  # They hear it, and say nothing.
            self.ask("get", "<ping xmlns='urn:xmpp:ping'/>", one.jid)
        self.speaks(10)
        self.juliet.waits_for(lambda _: self.heard()[-1:] == [9], "the first messages")
        self.log_starts = len(here.log())
        stalls.take()

    def heard(self):
        return self.juliet.numbers(self.romeo.jid, "chat")

    def bounced(self):
        return set(self.romeo.numbers(None, "error"))

    def ask(self, kind, payload, to):
        self.asked[self.romeo.client.request(kind, payload, to)] = f"{kind} {to}"

    def speaks(self, count):
        for _ in range(count):
            self.sent_at.append(time.time())
            self.romeo.client.message(self.to, len(self.sent_at) - 1)
            if len(self.sent_at) % 5 == 0:
                self.ask("get", VCARD.format(""), self.to)
                self.ask("set", VCARD.format(""), self.to)

    def speak_until_heard(self):
        """The node is dead. What romeo says goes on, and gets there when somebody else serves the account."""
        at_death = len(self.sent_at)

        def attempt():
            self.speaks(1)
            self.romeo.listen(0.01)
            self.juliet.listen(0.01)
            return self.heard()[-1] >= at_death
        until(attempt, "juliet hears romeo again", pause=0)
        self.said_when_heard = len(self.sent_at)
        self.speaks(10)

    def link_broke_at(self):
        """As the node says where romeo is: from then on nothing is given to the dead one."""
        broke = self.romeo.client.node.links_down(since=self.log_starts)
        return next((at + 0.001 for at, said in broke if f'name="{self.victim}"' in said), None)

    def judge(self, check, record):
        """Returns how many messages waited for the new leader, and how many went down with the node."""
        name = f"kill {self.turn}"
        broke_at = until(self.link_broke_at, "the link is down")
        later = {n for n, at in enumerate(self.sent_at) if at >= broke_at}
        self.juliet.waits_for(lambda _: later <= set(self.heard()) | self.bounced_now(), "all that romeo says, or it bounces")
        heard, bounced = self.heard(), self.bounced()
        check(heard == sorted(set(heard)), f"{name}: in order and once: {heard}")
        lost = set(range(len(self.sent_at))) - set(heard) - bounced
        check(not bounced & set(heard), f"{name}: what bounced does not come: {bounced & set(heard)}")
        self.judge_answers(check, name)
        self.judge_presence(check, name)
        self.judge_pushes(check, name, record)
        for one in (self.romeo, self.juliet, *self.dying):
            one.client.close()
        return sum(n < self.said_when_heard for n in later), len(lost)

    def bounced_now(self):
        self.romeo.listen(0.001)
        return self.bounced()

    def judge_answers(self, check, name):
        answers = self.romeo.answers
        self.romeo.waits_for(lambda _: set(self.asked) <= set(answers()), "each request has an answer")
        twice = [self.asked[x] for x, all_ in answers().items() if x in self.asked and len(all_) > 1]
        check(not twice, f"{name}: answered once: {twice}")
        counts = Counter((what.split()[0], "/" in what, answers()[x][0]) for x, what in self.asked.items())
        odd = {x for x in counts if x[2] not in REFUSED | ({"service-unavailable"} if x[1] else
               {None, "item-not-found"} if x[0] == "get" else {"forbidden"})}
        check(not odd, f"{name}: requests to others are answered, or refused as must be: {counts}")

    def judge_presence(self, check, name):
        for one, other in ((self.romeo, self.dying[1]), (self.juliet, self.dying[0])):
            one.waits_for(one.sees(other.jid, "unavailable"), f"{other.jid} is gone")
        for one, other in ((self.romeo, self.juliet), (self.juliet, self.romeo)):
            one.client.send(f"<presence><status>{name}</status></presence>")
            other.waits_for(other.sees(one.jid, status=name), f"{one.jid} says something new")
        if (stalled := self.stalls.take()) > 0.2:  # Who comes back later than within a second was gone, for a moment.
            print(f"    {name}: who was seen to go is not judged: this process itself stood still for {stalled:.2f} s", flush=True)
            return
        for one, other in ((self.romeo, self.juliet), (self.juliet, self.romeo)):
            check(not other.sees(one.jid, "unavailable")(other.all), f"{name}: {other.jid} never sees {one.jid} go")
        for one, other in ((self.romeo, self.dying[1]), (self.juliet, self.dying[0])):
            check(len(one.sees(other.jid, "unavailable")(one.all)) == 1, f"{name}: {one.jid} sees {other.jid} go once")

    def judge_pushes(self, check, name, record):
        """juliet's other device writes, at romeo's node."""
        writer = signed_in([self.romeo.client.node], self.juliet.account, f"writes{self.turn}", presence=False)
        number, contact = self.turn + 1, "pushed"
        record.asked(self.juliet.account, contact, number)
        until(lambda: condition_of(writer.ask("set", item_text(f"{contact}@localhost", number))) is None, "a contact is taken")
        record.shown(self.juliet.account, contact, number, "an acknowledgement")
        self.juliet.waits_for(lambda all_: [x for y in all_ if y.get("type") == "set" for x in items_of(y)
                                            if x.get("jid") == f"{contact}@localhost" and x.get("name") == str(number)],
                              "the push of what another device has set")
        writer.close()
        check(True, f"{name}: pushed")
