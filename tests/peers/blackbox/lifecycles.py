"""Clients that do everything that MS-FSRVP 3.2 asks of them, one after the other: in each dialect and
representation that impacket speaks, and at both RPC levels. One in three aborts its set half way.

    lifecycles.py PORT   (the password comes from FSRVP_PASSWORD)
"""
import os
import sys
from itertools import product

from client import NDR32, NDR64, Client

SHARES = (r'\\127.0.0.1\data',)


def begin(client):
    for share in SHARES:
        code, supported, _ = client.is_path_supported(share)
        assert (code, supported) == (0, 1), (share, hex(code), supported)
    assert client.get_supported_version() == (0, 1, 1)
    assert client.set_context() == 0
    code, the_set = client.start()
    assert code == 0, hex(code)
    copies = {}
    for share in SHARES:
        code, copies[share] = client.add(the_set, share)
        assert code == 0, (share, hex(code))
    assert client.prepare(the_set) == 0
    return the_set, copies


def lifecycle(client):
    the_set, copies = begin(client)
    assert client.commit(the_set) == 0
    assert client.expose(the_set) == 0
    for share, copy in copies.items():
        code, mapping = client.get_share_mapping(the_set, copy, share)
        assert code == 0 and mapping['copy'] == copy, (share, hex(code), mapping)
    assert client.recovery_complete(the_set) == 0
    assert client.get_supported_version() == (0, 1, 1)
    for share, copy in copies.items():
        assert client.delete_share_mapping(the_set, copy, share) == 0


def abort(client):
    the_set, _ = begin(client)
    assert client.abort(the_set) == 0


def main():
    port, password = int(sys.argv[1]), os.environ['FSRVP_PASSWORD']
    variants = product(('2.0.2', '2.1', '3.0'), ('integrity', 'privacy'), (NDR32, NDR64))
    for n, (dialect, level, syntax) in enumerate(variants):
        client = Client(port, 'admin', password, level, dialect=dialect, syntax=syntax)
        (abort if n % 3 == 1 else lifecycle)(client)
        client.close()


main()
