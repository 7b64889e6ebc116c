"""Every method in every state: what it answers, and the state behind it.

`INP` refuses and changes nothing; `0>Added` succeeds and leads there; `T` and `F` are what
IsPathShadowCopied says of the share's store.
"""
from bench import DATA

STATES = ['none', 'context', 'Started', 'Added', 'Creating', 'Committed', 'Exposed', 'Recovered']

SPEC = """
GetSupportedVersion  0    0    0    0    0    0    0    0
IsPathSupported      0    0    0    0    0    0    0    0
IsPathShadowCopied   F    F    F    F    F    T    T    T
StartShadowCopySet   BAD  0>Started  INP  INP  INP  INP  INP  BAD
SetContext/other     0>context  INP  INP  INP  INP  INP  INP  0>Recovered+
SetContext           0>context  0>context  0>context  0>context  0>context  0>context  0>context  0>Recovered+
AddToShadowCopySet   MIS  MIS  0>Added  EXI  BAD  BAD  BAD  BAD
PrepareShadowCopySet MIS  MIS  BAD  0  BAD  BAD  BAD  BAD
CommitShadowCopySet  MIS  MIS  BAD  0>Committed  0>Committed  BAD  BAD  BAD
ExposeShadowCopySet  MIS  MIS  BAD  BAD  BAD  0>Exposed  BAD  BAD
RecoveryComplete     MIS  MIS  BAD  BAD  BAD  BAD  0>Recovered  BAD
GetShareMapping      MIS  MIS  BAD  BAD  BAD  BAD  0  BAD
DeleteShareMapping   NF   NF   BAD  BAD  BAD  BAD  0>context  0>none
AbortShadowCopySet   MIS  MIS  0>none  0>none  0>none  0>none  0>none  0>none
"""

# MS-FSRVP <10>, Microsoft's own suite, and a remark of smbtorture's on several shares of a store.
WINDOWS = """
GetShareMapping      MIS  MIS  EARLY EARLY EARLY EARLY 0 0
AbortShadowCopySet   MIS  MIS  0>none  0>none  0>none  0>none  0>none  BAD
"""

SAMBA = """
IsPathShadowCopied   UNS  UNS  UNS  UNS  UNS  UNS  UNS  UNS
StartShadowCopySet   BAD  0>Started  INP  INP  INP  INP  0>Exposed  BAD
SetContext/other     0>context  0  0  0  0  0  0  0>Recovered+
SetContext           0>context  0  0  0  0  0  0  0>Recovered+
AddToShadowCopySet   INV  INV  0>Added  EXI  BAD  BAD  BAD  BAD
PrepareShadowCopySet INV  INV  BAD  0  BAD  BAD  BAD  BAD
CommitShadowCopySet  INV  INV  BAD  0>Committed  BAD  BAD  BAD  BAD
ExposeShadowCopySet  INV  INV  BAD  BAD  BAD  0>Exposed  BAD  BAD
RecoveryComplete     INV  INV  BAD  BAD  BAD  BAD  0>Recovered  BAD
GetShareMapping      INV  INV  EARLY EARLY EARLY EARLY 0 0
AbortShadowCopySet   INV  INV  0>context  0>context  BAD  0  0  0
"""


def table(profile):
    """The rows of the specification, with those of a profile in their place."""
    rows = {}
    for text in (SPEC, {'windows': WINDOWS, 'samba': SAMBA}.get(profile, '')):
        for line in text.split('\n'):
            words = line.split()
            if words:
                rows[words[0]] = dict(zip(STATES, words[1:], strict=True))
    return rows


def run(method, server, the_set, copy):
    """One call with good arguments; the word that the table has for its answer."""
    a = server.a
    if method == 'IsPathShadowCopied':
        code, present, compatibility = a.is_path_shadow_copied(DATA)
        assert compatibility == 0
        return code if code else 'FT'[present]
    if method == 'StartShadowCopySet':
        code, new = a.start()
        if code == 0:
            server.made.append((new, copy))
        return code
    if method == 'AddToShadowCopySet':
        code, new = a.add(the_set, DATA)
        assert (code == 0) == (new.int != 0), 'an id beside a refusal'
        if code == 0:
            server.made[-1] = (the_set, new)
        return code
    if method == 'CommitShadowCopySet' and not server.is_samba:
        # In Creating this is the second wait for one commit.
        server.holding(False)
    calls = {
        'GetSupportedVersion': lambda: a.get_supported_version()[0],
        'IsPathSupported': lambda: a.is_path_supported(DATA)[0],
        'SetContext': a.set_context,
        'SetContext/other': server.b.set_context,
        'PrepareShadowCopySet': lambda: a.prepare(the_set),
        'CommitShadowCopySet': lambda: a.commit(the_set),
        'ExposeShadowCopySet': lambda: a.expose(the_set),
        'RecoveryComplete': lambda: a.recovery_complete(the_set),
        'GetShareMapping': lambda: a.get_share_mapping(the_set, copy, DATA)[0],
        'DeleteShareMapping': lambda: a.delete_share_mapping(the_set, copy, DATA),
        'AbortShadowCopySet': lambda: a.abort(the_set),
    }
    return calls[method]()


def check_table(server, findings, spares):
    """Refusals one after the other in one state, which they must leave alone; what succeeds in a
    state of its own."""
    rows, blocking = table(server.profile), []
    for state in STATES:
        server.reset()
        ids = server.reach(state)
        changes = []
        for method, row in rows.items():
            if '>' in row[state]:
                changes.append(method)
            else:
                got = run(method, server, *ids)
                findings.check('%s in %s' % (method, state), got, row[state])
        if not (server.is_samba and state == 'Creating'):
            findings.check('what refusals leave of %s' % state, server.world(*ids), state)
        for method in changes:
            case = (method, state, *rows[method][state].split('>'))
            # MS-FSRVP <6>: after these Windows starts no set for half an hour.
            if server.profile == 'windows' and case[:2] in (
                    ('AbortShadowCopySet', 'Added'), ('AbortShadowCopySet', 'Exposed')):
                blocking.append(case)
            else:
                check_change(server, findings, *case)
    for spare, case in zip(spares, blocking, strict=True):
        check_change(spare, findings, *case)
        findings.check('SetContext after an abort in %s' % case[1], spare.a.set_context(), '0')
        findings.check('StartShadowCopySet after it', spare.a.start()[0], 'INP')
    server.reset()


def check_change(server, findings, method, state, code, behind):
    server.reset()
    ids = server.reach(state)
    got = run(method, server, *ids)
    findings.check('%s in %s' % (method, state), got, code)
    if method == 'StartShadowCopySet' and behind == 'Started':
        ids = server.made[-1]
    elif method == 'AddToShadowCopySet':
        ids = server.made[-1]
    server.holding(False)
    findings.check('the state after %s in %s' % (method, state), server.world(*ids), behind)
