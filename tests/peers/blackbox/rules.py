"""What the state table does not say: contexts, retries, names, ids, two clients, access, faults."""
import io
import re
import struct
import threading
import time
import uuid

from impacket.dcerpc.v5 import rpcrt

from bench import CODES, DATA, name_of
from client import NDR32, NDR64, NIL, Fault

VALID = [base | bit for base in (0x00, 0x10, 0x19, 0x09) for bit in (0, 0x400000, 0x2)]
INVALID = [0x1, 0x3, 0x8, 0xA, 0x11, 0x13, 0x18, 0x1A, 0x20, 0x1D, 0x80, 0x400001, 0x400008,
           0x400018, 0x400002, 0x400012, 0x40001B, 0x40000B, 0x04000000, 0x04000009, 0x04400000,
           0x80000000, 0xFFFFFFFF]
MORE, ALIAS, HIDDEN = (r'\\127.0.0.1' + '\\' + name for name in ('more', 'alias', 'hidden$'))


def clean(server):
    """No set, no context: also for Samba, whose contexts only a recovery ends."""
    server.reset()
    if server.is_samba:
        server.reach('none')
        server.made = []


def contexts(server, findings):
    """2.2.2.2: twelve values and no other; who may write into the exposed share, and when."""
    check, a = findings.check, server.a
    clean(server)
    for context in INVALID:
        code = 'INV' if server.is_samba else 'CTX'
        check('SetContext 0x%08x' % context, a.set_context(context), code)
    check('StartShadowCopySet after invalid contexts', a.start()[0], 'BAD')
    a.set_context()
    for client in (a, server.b):
        check('an invalid context while one is set', client.set_context(3),
              'INV' if server.is_samba else 'CTX')
    check('StartShadowCopySet after that', server.start()[0], '0')
    for context in VALID:
        clean(server)
        what = 'context 0x%08x' % context
        if server.is_samba and context & 2:
            check(what, a.set_context(context), 'INV')
            continue
        the_set, copy = server.reach('Exposed', context)
        code, mapping = a.get_share_mapping(the_set, copy, DATA)
        check(what + ', GetShareMapping', code, '0')
        share = mapping['exposed']
        check(what + ', the file', read(a, share, 'hello.txt'), b'as it was\n')
        is_writable = bool(context & 0x400000) or server.is_samba
        check(what + ', a write before recovery', writes(a, share), is_writable)
        check(what + ', recovery', a.recovery_complete(the_set), '0')
        check(what + ', a write after recovery', writes(a, share), server.is_samba)
        check(what + ', the file after recovery', read(a, share, 'hello.txt'), b'as it was\n')
        check(what + ', delete', a.delete_share_mapping(the_set, copy, DATA), '0')
        check(what + ', the share is gone', read(a, share, 'hello.txt'), None)


def read(client, share, name):
    """A file's contents; None where they cannot be had."""
    into = io.BytesIO()
    try:
        client.smb.getFile(share, name, into.write)
    except Exception:
        return None
    return into.getvalue()


def writes(client, share):
    """Whether a new file can be made in a share."""
    try:
        client.smb.putFile(share, uuid.uuid4().hex, io.BytesIO(b'new').read)
    except Exception:
        return False
    return True


def retries_to_the_limit(server, findings):
    """The limit, twice; then the other client has the context."""
    check, a, b = findings.check, server.a, server.b
    for turn in range(2):
        for nth in range(1, 7):
            check('SetContext no. %d, turn %d' % (nth, turn), a.set_context(), '0')
            # Another client is refused, and does not count.
            check('another client after no. %d' % nth, b.set_context(), 'INP')
        check('SetContext no. 7, turn %d' % turn, a.set_context(), 'INP')
        check('StartShadowCopySet without the context', a.start()[0], 'BAD')
    check('another client after the limit', b.set_context(), '0')
    check('the first one then', a.set_context(), 'INP')


def retries(server, findings):
    """3.1.4.2 and MS-FSRVP <5>: five repetitions, for the client that holds the context; as many as it wants of
    Windows Server 2012."""
    check, a, b = findings.check, server.a, server.b
    clean(server)
    if server.is_samba:
        codes = [a.set_context() for _ in range(9)] + [b.set_context()]
        check('SetContext ten times', codes, [0] * 10)
        return
    first, second = a, b
    if server.profile == 'windows':
        for nth in range(1, 10):
            check('SetContext no. %d' % nth, a.set_context(), '0')
            check('another client after no. %d' % nth, b.set_context(), 'INP')
        first, second = b, a
    else:
        retries_to_the_limit(server, findings)
    code, the_set = server.start(second)
    check('Start of who holds the context', code, '0')
    check('an abort', second.abort(the_set), '0')
    codes = [first.set_context() for _ in range(6)]
    check('SetContext six times after an abort', codes, [0] * 6)
    # A second connection from one address is one client: its SetContext drops the set.
    clean(server)
    the_set, _ = server.reach('Added')
    twin = server.client()
    check('SetContext over another connection', twin.set_context(), '0')
    check('the dropped set', twin.prepare(the_set), 'MIS')
    twin.close()


def names(server, findings):
    """3.1.4.9, 3.1.4.10, 3.1.4.4: which name means which share."""
    check, a, samba = findings.check, server.a, server.is_samba
    clean(server)
    missing = 'INV' if samba else 'NF'
    good = [DATA, DATA + '\\', r'\\127.0.0.1\DATA', r'\\FSRVPREF\data', r'\\fsrvpref.example.org\Data\\'[:-1],
            r'\\::1\data', r'\\fe80--1.ipv6-literal.net\data', r'\\[::1]\data', r'\\x\hidden$', r'\\x\HIDDEN$' + '\\']
    for name in good:
        code, supported, owner = a.is_path_supported(name)
        check('IsPathSupported ' + name, (code, supported, bool(owner)), (0, 1, True))
        code, present, _ = a.is_path_shadow_copied(name)
        check('IsPathShadowCopied ' + name, (code, present), (CODES['UNS'] if samba else 0, 0))
    bad = ['', '\\', r'\\', r'\\127.0.0.1', r'\\127.0.0.1' + '\\', r'\\\data', 'data', r'\data',
           '//127.0.0.1/data', r'\\127.0.0.1\nowhere', r'\\127.0.0.1\data ', r'\\127.0.0.1\dat',
           r'\\127.0.0.1\*', r'\\127.0.0.1\..', r'\\127.0.0.1\data$', 'C:\\data',
           r'\\127.0.0.1' + '\\' + 'x' * 300, r'\\' + 'h' * 30_000 + r'\nowhere',
           r'\\127.0.0.1' + '\\' + '\ud800']
    # Samba passes over what goes on behind the share and stands before the host.
    longer = [r'\\127.0.0.1\data\dir', r'\\127.0.0.1\data\\', r'x\\127.0.0.1\data']
    a.set_context()
    _, the_set = server.start()
    check('AddToShadowCopySet of IPC$', a.add(the_set, r'\\x\IPC$'), (CODES['UNS'], NIL))
    for name in bad + longer:
        code = '0' if samba and name in longer else missing
        shown = name.encode('utf-8', 'replace').decode()[:60]
        check('IsPathSupported %r' % shown, a.is_path_supported(name)[0], code)
        check('IsPathShadowCopied %r' % shown, a.is_path_shadow_copied(name)[0],
              'UNS' if samba else missing)
        if code != '0':
            got = a.add(the_set, name)
            check('AddToShadowCopySet %r' % shown, got, (CODES[missing], NIL))
    a.abort(the_set)
    # The mapping is found by its share, however that is spelt, and tells the name that was given.
    for given in (DATA, r'\\FSRVPREF\Data' + '\\'):
        clean(server)
        the_set, copy = server.reach('Exposed', names=(given,))
        for asked in (DATA, DATA.upper(), DATA + '\\', r'\\other\data'):
            code, mapping = a.get_share_mapping(the_set, copy, asked)
            check('GetShareMapping %s for %s' % (asked, given), code, '0')
            check('its ids', (mapping['set'], mapping['copy']), (the_set, copy))
            check('its base', mapping['base'], r'\\FSRVPREF\data' if samba else given)
            check('its name', mapping['exposed'].lower(), 'data@{%s}' % copy)
            check('its time', 133_000_000_000_000_000 < mapping['time'] < 2 ** 60, True)
        for wrong in (MORE, ALIAS, '', 'data', r'\\127.0.0.1\data\dir'):
            if not (samba and wrong.endswith('dir')):
                check('GetShareMapping %r' % wrong, a.get_share_mapping(the_set, copy, wrong)[0], 'INV')
                check('DeleteShareMapping %r' % wrong, a.delete_share_mapping(the_set, copy, wrong),
                      'INV' if samba else 'NF')
        # These are there, and cannot be shadow copied.
        for name in (mapping['exposed'], 'IPC$', 'ipc$'):
            own = '\\\\127.0.0.1\\' + name
            check('IsPathSupported ' + name, a.is_path_supported(own)[0], 'UNS')
            check('IsPathShadowCopied ' + name, a.is_path_shadow_copied(own)[:2],
                  (CODES['UNS'] if samba else 0, 0))
        check('DeleteShareMapping in another spelling',
              a.delete_share_mapping(the_set, copy, r'\\HOST\DATA' + '\\'), '0')
    # MS-FSRVP <9>: `$\` at the end of the name that the client gave.
    for given, suffix in ((HIDDEN, '$' if samba else ''), (HIDDEN + '\\', '$')):
        clean(server)
        the_set, copy = server.reach('Exposed', names=(given,))
        _, mapping = a.get_share_mapping(the_set, copy, given)
        check('the share of ' + given, mapping['exposed'].lower(), 'hidden$@{%s}%s' % (copy, suffix))
        check('its end', a.delete_share_mapping(the_set, copy, given), '0')


def stores(server, findings):
    """3.1.4.4: one shadow copy a store; 3.1.4.10: a store, not a share, is shadow copied."""
    check, a = findings.check, server.a
    windows = server.profile == 'windows'
    clean(server)
    the_set, first = server.reach('Added')
    check('the same share again', a.add(the_set, DATA)[0], 'EXI')
    code, same = a.add(the_set, ALIAS)
    check('another share of the store', code, '0' if windows else 'EXI')
    check('its id', same == NIL, not windows)
    code, second = a.add(the_set, MORE)
    check('a share of another store', (code, second == NIL, second == first), (0, False, False))
    check('PrepareShadowCopySet', a.prepare(the_set), '0')
    code, third = a.add(the_set, HIDDEN)
    check('a share after PrepareShadowCopySet', code, '0')
    check('PrepareShadowCopySet again', a.prepare(the_set), '0')
    check('CommitShadowCopySet', a.commit(the_set), '0')
    present = [a.is_path_shadow_copied(name)[:2] for name in (DATA, ALIAS, MORE)]
    check('IsPathShadowCopied', present,
          [(CODES['UNS'], 0)] * 3 if server.is_samba else [(0, 1)] * 3)
    check('ExposeShadowCopySet', a.expose(the_set), '0')
    # Each copy has one share, and no other.
    for copy, wrong in ((first, MORE), (second, DATA), (second, HIDDEN), (third, DATA)):
        check('a copy with the share of another', a.get_share_mapping(the_set, copy, wrong)[0], 'INV')
        check('its delete', a.delete_share_mapping(the_set, copy, wrong), 'INV' if server.is_samba else 'NF')
    for level in (0, 2, 0xFFFFFFFF):
        check('level %d' % level, a.get_share_mapping(the_set, first, DATA, level), (CODES['INV'], None))
    copies = [(first, DATA), (second, MORE), (third, HIDDEN)] + ([(same, ALIAS)] if windows else [])
    for nth, (copy, name) in enumerate(copies, 1):
        check('mapping %d' % nth, a.get_share_mapping(the_set, copy, name)[0], '0')
        check('its delete', a.delete_share_mapping(the_set, copy, name), '0')
        gone = ('INV' if nth < len(copies) else server.unknown_set())
        check('mapping %d afterwards' % nth, a.get_share_mapping(the_set, copy, name)[0], gone)
    check('the emptied set', a.delete_share_mapping(the_set, first, DATA), 'NF')


def ids(server, findings):
    """Nil ids, ids that nothing has, and ids of two sets in each other's place."""
    check, a, samba = findings.check, server.a, server.is_samba
    clean(server)
    check('a nil client id', (a.set_context(), server.start(client_set=NIL)[0]), (0, 0 if samba else CODES['INV']))
    calls = {'Add': lambda s: a.add(s, DATA)[0], 'Prepare': a.prepare, 'Commit': a.commit,
             'Expose': a.expose, 'Recovery': a.recovery_complete, 'Abort': a.abort,
             'GetShareMapping': lambda s: a.get_share_mapping(s, uuid.uuid4(), DATA)[0]}
    clean(server)
    server.reach('Added')
    for method, call in calls.items():
        check(method + ', nil set', call(NIL), 'INV')
        check(method + ', unknown set', call(uuid.uuid4()), server.unknown_set())
    check('Delete, unknown set', a.delete_share_mapping(uuid.uuid4(), uuid.uuid4(), DATA), 'NF')
    check('Delete, nil set', a.delete_share_mapping(NIL, uuid.uuid4(), DATA), 'NF' if samba else 'INV')
    if not samba:
        # The share comes before the set (3.1.4.4), the level before everything (3.1.4.11).
        check('Add, unknown share and set', a.add(uuid.uuid4(), r'\\x\nowhere')[0], 'NF')
        check('GetShareMapping, level and set', a.get_share_mapping(uuid.uuid4(), uuid.uuid4(), DATA, 2)[0], 'INV')
    clean(server)
    old = server.reach('Recovered')
    new = server.reach('Exposed', names=(MORE,))
    check('ids are new', len({*old, *new}), 4)
    works = server.profile != 'spec'
    check('the recovered set has mappings', a.get_share_mapping(*old, DATA)[0], '0' if works else 'BAD')
    for the_set, copy, name in ((old[0], new[1], DATA), (new[0], old[1], MORE), (new[0], uuid.uuid4(), MORE)):
        is_exposed = the_set == new[0] or works
        check('a copy of another set', a.get_share_mapping(the_set, copy, name)[0], 'INV' if is_exposed else 'BAD')
        check('its delete', a.delete_share_mapping(the_set, copy, name), 'INV' if samba else 'NF')
        check('a nil copy', a.delete_share_mapping(the_set, NIL, name), 'INV')
    check('set and copy exchanged', a.delete_share_mapping(new[1], new[0], MORE), 'NF')
    check('the new one', a.delete_share_mapping(*new, MORE), '0')
    check('the old one', a.delete_share_mapping(*old, DATA), '0')


def two_clients(server, findings):
    """One agent for all connections; only SetContext looks at the address (3.1.4.2)."""
    check, a, b = findings.check, server.a, server.b
    clean(server)
    the_set, copy = server.reach('Added')
    check('Add by the other client', b.add(the_set, MORE)[0], '0')
    check('Start by the other client', b.start()[0], 'INP')
    passing = server.client()
    check('Prepare over a third connection', passing.prepare(the_set), '0')
    passing.close()
    check('Commit by the other client', b.commit(the_set), '0')
    check('Expose after a connection has ended', a.expose(the_set), '0')
    check('GetShareMapping by the other client', b.get_share_mapping(the_set, copy, DATA)[0], '0')
    check('Recovery by the other client', b.recovery_complete(the_set), '0')
    check('SetContext by the other client', b.set_context(), '0')
    check('Delete by the other client', b.delete_share_mapping(the_set, copy, DATA), '0')


def access(server, findings):
    """3.1.4: users, levels; the refusal comes before every other check."""
    check, samba = findings.check, server.is_samba
    clean(server)
    backup = server.client('backup', 'privacy')
    check('a backup operator at privacy', backup.get_supported_version(), (0, 1, 1))
    # impacket signs nothing at PKT, which RPC itself refuses.
    check('PKT without a verifier', fault(server.client(level='packet'), 0), 'rpc_s_access_denied')
    if samba:
        check('no level', server.client(level='none').get_supported_version()[0], '0')
    refused = [('eve', 'integrity'), ('eve', 'privacy'), ('admin', 'connect')]
    for user, level in refused + ([] if samba else [('admin', 'none')]):
        c, some = server.client(user, level), uuid.uuid4()
        codes = [c.get_supported_version()[0], c.set_context(), c.set_context(3), c.start()[0], c.add(some, DATA)[0],
                 c.prepare(some), c.commit(some), c.expose(some), c.recovery_complete(some), c.abort(some), c.abort(NIL),
                 c.is_path_supported(DATA)[0], c.is_path_supported(r'\\x\nowhere')[0], c.is_path_shadow_copied(DATA)[0],
                 c.get_share_mapping(some, some, DATA)[0], c.get_share_mapping(some, some, DATA, 9)[0],
                 c.delete_share_mapping(some, some, DATA)]
        check('%s at %s' % (user, level), {name_of(code) for code in codes}, {'DENIED'})
    check('nothing was set by the refused', server.b.set_context(), '0')


def fault(client, opnum, stub=b''):
    """The fault that a request gets, as impacket calls it."""
    try:
        client.call(opnum, stub)
    except Fault as error:
        return error.code
    return None


def faults(server, findings):
    """What is no call gets a fault, and the next call an answer."""
    check, a = findings.check, server.a
    out_of_range, bad_stub = 'nca_s_op_rng_error', 'rpc_x_bad_stub_data'
    text = 'x\0'.encode('utf-16-le')
    for what, opnum, stub, code in [
            ('opnum 13', 13, b'', out_of_range), ('opnum 65535', 65535, b'', out_of_range),
            ('SetContext without one', 1, b'', bad_stub), ('half an id', 2, b'\1' * 8, bad_stub),
            ('Prepare cut short', 12, b'\1' * 18, bad_stub),
            ('a string cut short', 8, struct.pack('<III', 9, 0, 9) + text, bad_stub),
            ('more than the maximum', 8, struct.pack('<III', 1, 0, 2) + text, bad_stub),
            ('an offset', 8, struct.pack('<III', 3, 1, 2) + text, bad_stub),
            ('no NUL', 8, struct.pack('<III', 1, 0, 1) + text[:2], bad_stub),
            ('an absurd length', 8, struct.pack('<III', 0xFFFFFFFF, 0, 0xFFFFFFFF) + text, bad_stub)]:
        check(what, fault(a, opnum, stub), code)
        check('a call after ' + what, a.get_supported_version(), (0, 1, 1))


def transports(server, findings):
    """A lifecycle over each dialect, level, transfer syntax, and in the smallest fragments."""
    # The impacket of Debian 12 has no keys in 3.1.1, neither here nor over smbd.
    check, plain = findings.check, server.a
    forms = [{'dialect': dialect} for dialect in ('2.0.2', '2.1', '3.0')]
    forms += [{'level': 'privacy'}, {'syntax': NDR64}, {'syntax': NDR64, 'level': 'privacy'},
              {'fragment': 16}, {'fragment': 16, 'level': 'privacy', 'syntax': NDR64}]
    for form in forms:
        clean(server)
        server.a = server.client(**form)
        a, what = server.a, ' '.join(map(str, form.values()))
        check('version, ' + what, a.get_supported_version(), (0, 1, 1))
        the_set, copy = server.reach('Exposed')
        code, mapping = a.get_share_mapping(the_set, copy, DATA)
        check('mapping, ' + what, (code, mapping['set'], mapping['copy'], mapping['base']),
              (0, the_set, copy, r'\\FSRVPREF\data' if server.is_samba else DATA))
        match = re.fullmatch(r'data@\{([0-9a-f-]{36})\}', mapping['exposed'])
        check('name, ' + what, match and match[1], str(copy))
        check('level 7, ' + what, a.get_share_mapping(the_set, copy, DATA, 7), (CODES['INV'], None))
        check('recovery, ' + what, a.recovery_complete(the_set), '0')
        check('delete, ' + what, a.delete_share_mapping(the_set, copy, DATA), '0')
        a.close()
        server.a = plain


def fragments(server, findings):
    """Names that need several of the smallest fragments, each way, in both syntaxes and levels."""
    check, plain = findings.check, server.a
    given = '\\\\' + 'h' * 3000 + '\\data'
    for syntax in (NDR32, NDR64):
        for level in ('integrity', 'privacy'):
            clean(server)
            server.a = a = server.client(level=level, syntax=syntax, smallest=True)
            agreed = rpcrt.MSRPCBindAck(a.agreed.getData())
            check('the agreed sizes', (agreed['max_tfrag'], agreed['max_rfrag']), (1432, 1432))
            the_set, copy = server.reach('Exposed', names=(given,))
            code, mapping = a.get_share_mapping(the_set, copy, given)
            base = r'\\FSRVPREF\data' if server.is_samba else given
            check('the mapping in fragments', (code, mapping['base'] == base), (0, True))
            check('its delete', a.delete_share_mapping(the_set, copy, given), '0')
            a.close()
            server.a = plain


def presentation_contexts(server, findings):
    """Several contexts in one bind, of which one is ours, and one more by alter_context."""
    check = findings.check
    for level in ('integrity', 'privacy'):
        client = server.client(level=level, strangers=3)
        check('a call behind strange contexts', client.get_supported_version(), (0, 1, 1))
        client.close()
    # With a level impacket logs on once more here, and one association has one logon.
    client = server.client(level='none', strangers=2)
    code = '0' if server.is_samba else 'DENIED'
    check('a call without a level', client.get_supported_version()[0], code)
    client.alter_context()
    for _ in range(2):
        check('a call after alter_context', client.get_supported_version()[0], code)
    client.close()


def waits(server, findings):
    """3.1.4.5: who waits for a commit, for how long, and what an abort tells him."""
    check, a, codes = findings.check, server.a, []
    if server.is_samba:
        # Nothing there ever waits twice.
        return
    clean(server)
    the_set, _ = server.reach('Creating')
    check('a second wait that is too short', a.commit(the_set, 1), 'TIME')
    waiter = threading.Thread(target=lambda: codes.append(server.b.commit(the_set)))
    waiter.start()
    check('a third one', a.commit(the_set, 1), 'TIME')
    server.holding(False)
    check('a wait that is long enough', a.commit(the_set), '0', 'BAD')
    waiter.join()
    check('the other wait', codes.pop(), '0', 'BAD')
    check('a wait for what is done', a.commit(the_set), 'BAD')
    check('ExposeShadowCopySet', a.expose(the_set), '0')
    clean(server)
    the_set, _ = server.reach('Creating')
    server.holding(False)
    time.sleep(0.3)
    check('a wait that comes late', a.commit(the_set), '0')
    clean(server)
    the_set, _ = server.reach('Creating')
    waiter = threading.Thread(target=lambda: codes.append(server.b.commit(the_set)))
    waiter.start()
    time.sleep(0.1)
    check('an abort', a.abort(the_set), '0')
    waiter.join()
    check('whoever waited', codes.pop(), 'FAILED', 'MIS')
    server.holding(False)
    check('the set', a.commit(the_set), 'MIS')
    clean(server)


ALL = [contexts, retries, names, stores, ids, two_clients, access, faults, transports, fragments, presentation_contexts]
