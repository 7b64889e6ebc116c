"""What the checks stand on: the findings, the codes, and a server that can be brought into any state."""
import os
import threading
import time
import uuid

from client import NDR32, Client

CODES = {
    '0': 0,
    'TIME': 0x80042500,
    'WAIT': 0x00000102,
    'FAILED': 0xFFFFFFFF,
    'BAD': 0x80042301,
    'NF': 0x80042308,
    'UNS': 0x8004230C,
    'EXI': 0x8004230D,
    'EARLY': 0x80042311,
    'INP': 0x80042316,
    'CTX': 0x8004231B,
    'MIS': 0x80042501,
    'DENIED': 0x80070005,
    'INV': 0x80070057,
}
NAMES = {code: name for name, code in CODES.items()}
DATA = r'\\127.0.0.1\data'


def name_of(code):
    if not isinstance(code, int) or isinstance(code, bool):
        return str(code)
    return NAMES.get(code, hex(code))


class Findings:
    """Counts what was checked and keeps what was wrong."""

    def __init__(self):
        self.checked, self.wrong = 0, []

    def check(self, what, got, *allowed):
        """Codes may be given by name."""
        self.checked += 1
        wanted = [CODES.get(a, a) if isinstance(a, str) else a for a in allowed]
        if got not in wanted:
            names = ' or '.join(str(name_of(w)) for w in wanted)
            self.wrong.append('%s: %s, not %s' % (what, name_of(got), names))
        return got in wanted


class Server:
    """A server under test, two clients of different addresses, and what was made on it."""

    def __init__(self, profile, port, password, hold=None):
        self.profile, self.port, self.password, self.hold = profile, port, password, hold
        self.a = self.client()
        self.b = self.client(source='127.0.0.2')
        self.made, self.committing = [], None

    def client(self, user='admin', level='integrity', source='127.0.0.1', syntax=NDR32, **more):
        return Client(self.port, user, self.password, level, source, syntax=syntax, **more)

    @property
    def is_samba(self):
        return self.profile == 'samba'

    def unknown_set(self):
        return 'INV' if self.is_samba else 'MIS'

    def holding(self, on):
        """While the file is there, no commit that has begun under it ends."""
        if on:
            with open(self.hold + '.new', 'w') as file:
                file.write(uuid.uuid4().hex)
            os.rename(self.hold + '.new', self.hold)
        elif self.hold and os.path.exists(self.hold):
            os.remove(self.hold)
        if not on and self.committing:
            self.committing.join()
            self.committing = None

    def begin_commit(self, the_set):
        """Leaves a commit under way."""
        self.holding(True)
        begun = self.hold + '.begun'
        if os.path.exists(begun):
            os.remove(begun)
        if self.is_samba:
            # There TimeOutInMilliseconds means nothing: somebody else has to wait.
            waiting = self.client()
            self.committing = threading.Thread(target=lambda: waiting.commit(the_set))
            self.committing.start()
        else:
            code = self.a.commit(the_set, 1)
            assert code == CODES['TIME'], 'a held commit ended with ' + name_of(code)
        limit = time.monotonic() + 30
        while not os.path.exists(begun):
            assert time.monotonic() < limit, 'no commit began'
            time.sleep(0.01)

    def start(self, client=None, client_set=None):
        """StartShadowCopySet, whose set is taken away in the end."""
        code, the_set = (client or self.a).start(client_set)
        if code == 0:
            self.made.append((the_set, uuid.uuid4()))
        return code, the_set

    def reset(self):
        """No set and, but for Samba, no context."""
        self.holding(False)
        if self.is_samba:
            for the_set, copy in self.made:
                self.a.abort(the_set)
                self.a.commit(the_set)
                self.a.expose(the_set)
                self.a.delete_share_mapping(the_set, copy, DATA)
            self.made = []
            return
        for client in (self.a, self.a, self.b, self.b):
            if client.set_context() == 0:
                break
        code, the_set = client.start()
        assert code == 0, 'the server cannot be reset: ' + name_of(code)
        client.abort(the_set)
        for the_set, copy in self.made:
            self.a.delete_share_mapping(the_set, copy, DATA)
        self.made = []

    def reach(self, world, context=0, names=(DATA,)):
        """Brings the server from nothing into a state; returns the set's id and the last copy's."""
        ids = uuid.uuid4(), uuid.uuid4()
        if world == 'none' and self.is_samba:
            ids = self.reach('Recovered', context, names)
            self.ok(self.a.delete_share_mapping(*ids, names[0]))
            return ids
        if world == 'none':
            return ids
        self.ok(self.a.set_context(context))
        if world == 'context':
            return ids
        code, the_set = self.a.start()
        self.ok(code)
        copy = ids[1]
        self.made.append((the_set, copy))
        if world == 'Started':
            return the_set, copy
        for name in names:
            code, copy = self.a.add(the_set, name)
            self.ok(code)
        self.made[-1] = (the_set, copy)
        if world == 'Creating':
            self.begin_commit(the_set)
        order = ['Added', 'Prepared', 'Committed', 'Exposed', 'Recovered']
        steps = [self.a.prepare, self.a.commit, self.a.expose, self.a.recovery_complete]
        done = order.index(world) if world in order else 0
        for step in steps[:done]:
            self.ok(step(the_set))
        return the_set, copy

    @staticmethod
    def ok(code):
        assert code == 0, 'a step on the way failed with ' + name_of(code)

    def world(self, the_set, copy):
        """What state the set and the context are in; the last look changes them."""
        a, status = self.a, 'Started'
        mapping = a.get_share_mapping(the_set, copy, DATA)[0]
        if mapping == CODES[self.unknown_set()]:
            status = None
        elif a.prepare(the_set) == 0:
            status = 'Added'
        elif a.delete_share_mapping(the_set, uuid.uuid4(), DATA) != CODES['BAD']:
            status = 'Exposed'
        code, other = a.start()
        is_context_set = code != CODES['BAD']
        if code == 0:
            a.abort(other)
        if status is None:
            return 'context' if is_context_set else 'none'
        if status == 'Exposed' and a.recovery_complete(the_set) != 0:
            return 'Recovered+' if is_context_set else 'Recovered'
        if status == 'Started' and a.expose(the_set) == 0:
            status = 'Committed'
        if status == 'Started' and not self.is_samba and a.commit(the_set, 1) != CODES['BAD']:
            status = 'Creating'
        return status if is_context_set else status + ' without context'
