"""The Message Sequence Timer (3.1.2, 3.1.5), on servers whose timers run 90 times as fast: 180
seconds are two, 1800 are twenty. All servers wait at the same time."""
import time
import uuid

from bench import DATA
from rules import read

SHORT_S = 180 / 90
# Whoever is still there then was not on the short timer.
ALIVE_S = SHORT_S + 0.7
LATE_S = 10


class Run:
    """One server in one state, since when, and what is to become of it."""

    def __init__(self, server, state, ends, prepare=lambda server, the_set, copy: None):
        self.server, self.state, self.ends = server, state, ends
        self.ids = server.reach(state)
        self.share = None
        if state in ('Exposed', 'Recovered'):
            self.share = 'data@{%s}' % self.ids[1]
        self.since = time.monotonic()
        prepare(server, *self.ids)

    def is_over(self):
        """Start is refused for the set in progress before, and for the lack of a context after."""
        if self.state == 'context':
            return self.server.b.set_context() == 0
        return self.server.a.start()[0] == 0x80042301

    def follow(self, findings):
        check, a, what = findings.check, self.server.a, 'timer, ' + self.state
        if self.ends:
            while not self.is_over() and time.monotonic() < self.since + LATE_S:
                time.sleep(0.05)
            took = time.monotonic() - self.since
            check('%s: over after %.2f s' % (what, took), SHORT_S - 0.05 <= took < LATE_S, True)
            if self.state != 'context':
                check(what + ': the set', a.abort(self.ids[0]), self.server.unknown_set())
                check(what + ': another client', self.server.b.set_context(), '0')
        else:
            time.sleep(max(0, self.since + ALIVE_S - time.monotonic()))
            self.check_alive(findings, what)
        if self.share:
            file = None if self.ends else b'as it was\n'
            check(what + ': the share', read(a, self.share, 'hello.txt'), file)

    def check_alive(self, findings, what):
        check, a = findings.check, self.server.a
        if self.state == 'Recovered':
            check(what + ': the set', a.recovery_complete(self.ids[0]), 'BAD')
        elif self.server.is_samba and self.state == 'Exposed':
            # There the timer ends the context alone.
            check(what + ': the context', a.start()[0], 'BAD')
            check(what + ': the set', a.get_share_mapping(*self.ids, DATA)[0], '0')
        else:
            check(what + ': the set', a.start()[0], 'INP')


def check_timers(servers, findings):
    """Brings each server into a state, then waits for all of them."""
    servers = iter(servers)

    def asks_for_its_mapping(server, the_set, copy):
        findings.check('GetShareMapping', server.a.get_share_mapping(the_set, copy, DATA)[0], '0')

    def asks_for_another_copy(server, the_set, copy):
        got = server.a.get_share_mapping(the_set, uuid.uuid4(), DATA)[0]
        findings.check('GetShareMapping of no copy', got, 'INV')

    def adds_the_store_again(server, the_set, copy):
        findings.check('AddToShadowCopySet again', server.a.add(the_set, DATA)[0], 'EXI')

    first = next(servers)
    runs = [Run(first, 'Started', True)]
    runs.append(Run(next(servers), 'Added', False))
    runs.append(Run(next(servers), 'Added', True, adds_the_store_again))
    runs.append(Run(next(servers), 'Prepared', False))
    runs.append(Run(next(servers), 'Committed', True))
    runs.append(Run(next(servers), 'Recovered', False))
    runs.append(Run(next(servers), 'Exposed', not first.is_samba))
    if not first.is_samba:
        runs.append(Run(next(servers), 'context', True))
        runs.append(Run(next(servers), 'Exposed', False, asks_for_its_mapping))
        # The text stops the timer here and does not start it again; a careful server lets it run.
        runs.append(Run(next(servers), 'Exposed', True, asks_for_another_copy))
    for run in runs:
        run.follow(findings)
