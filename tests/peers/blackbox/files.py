"""Files over impacket: browse, read, write, rename and delete on a base share and on what FSRVP
exposes of it, in each dialect that impacket speaks, and at both RPC levels that FSRVP allows.

    files.py PORT   (the password comes from FSRVP_PASSWORD)
"""
import io
import os
import struct
import sys

from client import Client

DATA = r'\\127.0.0.1\data'
LONG = os.urandom(300_000)


def browse(smb, share):
    names = {entry.get_longname() for entry in smb.listPath(share, '*')}
    assert {'.', '..', 'hello.txt', 'sub'} <= names, names
    assert '.fsrvp-copies' not in names, 'the place of the copies shows'
    one, = smb.listPath(share, r'sub\deep.txt')
    assert one.get_filesize() == 5 and not one.is_directory()
    for name, text in (('hello.txt', b'as it was\n'), (r'sub\deep.txt', b'deep\n')):
        into = io.BytesIO()
        smb.getFile(share, name, into.write)
        assert into.getvalue() == text, (share, name, into.getvalue())
    assert share in {entry['shi1_netname'][:-1] for entry in smb.listShares()}, 'not listed'


def change(smb, share):
    smb.createDirectory(share, 'made')
    smb.putFile(share, r'made\one.bin', io.BytesIO(LONG).read)
    smb.rename(share, r'made\one.bin', r'made\two.bin')
    into = io.BytesIO()
    smb.getFile(share, r'made\two.bin', into.write)
    assert into.getvalue() == LONG, 'other bytes'
    assert {e.get_longname() for e in smb.listPath(share, r'made\*')} == {'.', '..', 'two.bin'}
    # A stream of it is another file beside its contents, and goes with it.
    smb.putFile(share, r'made\two.bin:notes', io.BytesIO(b'beside').read)
    for name, bytes in ((r'made\two.bin:NOTES:$DATA', b'beside'), (r'made\two.bin', LONG)):
        into = io.BytesIO()
        smb.getFile(share, name, into.write)
        assert into.getvalue() == bytes, name
    smb.deleteFile(share, r'made\two.bin:notes')
    smb.deleteFile(share, r'made\two.bin')
    smb.deleteDirectory(share, 'made')
    reparse_points(smb, share)
    # What has been opened is read and written at any place.
    tree = smb.connectTree(share)
    file = smb.createFile(tree, 'places.bin')
    for offset in (70_000, 0, 3):
        smb.writeFile(tree, file, b'here', offset)
    assert smb.readFile(tree, file, 70_000, 4) == b'here'
    assert smb.readFile(tree, file, 0, 8) == b'herhere\0'
    smb.closeFile(tree, file)
    smb.deleteFile(share, 'places.bin')
    smb.disconnectTree(tree)


def reparse_points(smb, share):
    """MS-FSCC 2.1.2: a junction is kept and shown as it was set, and not followed."""
    set_it, get_it, delete_it, as_itself = 0x900A4, 0x900A8, 0x900AC, 0x200000
    name = 'C:\\live'.encode('utf-16le')
    paths = struct.pack('<HHHH', 0, len(name), len(name) + 2, 0) + name + b'\0' * 4
    junction = struct.pack('<LHH', 0xA0000003, len(paths), 0) + paths
    link = struct.pack('<LHH', 0xA000000C, len(paths) + 4, 0) + paths[:8] + b'\1\0\0\0' + paths[8:]
    smb.createDirectory(share, 'way')
    tree = smb.connectTree(share)
    server = smb.getSMBServer()

    def at(way, **options):
        return smb.openFile(tree, way, desiredAccess=0x1F01FF, **options)

    def control(way, code, data=b'', room=65536):
        file = at(way, creationOption=as_itself)
        try:
            return server.ioctl(tree, file, code, flags=1, inputBlob=data, maxOutputResponse=room)
        finally:
            smb.closeFile(tree, file)

    def refused(status, attempt):
        try:
            attempt()
        except Exception as error:
            code = getattr(error, 'getErrorCode', None) or error.get_error_code
            assert code() == status, (hex(status), hex(code()), error)
            return
        raise AssertionError('let through, not ' + hex(status))

    refused(0xC0000275, lambda: control('way', get_it))
    refused(0xC0000278, lambda: control('way', set_it, junction[:-1]))
    control('way', set_it, junction)
    assert control('way', get_it) == junction
    shown, = (entry for entry in smb.listPath(share, '*') if entry.get_longname() == 'way')
    assert shown.get_attributes() & 0x410 == 0x410, hex(shown.get_attributes())
    refused(0xC0000279, lambda: at('way', creationOption=1))
    refused(0xC0000277, lambda: control('way', set_it, link))
    refused(0xC0000277, lambda: control('way', delete_it, link[:4] + b'\0' * 4))
    control('way', delete_it, junction[:4] + b'\0' * 4)
    refused(0xC0000275, lambda: control('way', get_it))
    control('way', set_it, link)
    refused(0x8000002D, lambda: at('way', creationOption=1))
    control('way', delete_it, link[:4] + b'\0' * 4)
    smb.deleteDirectory(share, 'way')
    smb.disconnectTree(tree)


def is_refused(smb, share):
    """Each change on its own: none may be let through."""
    changes = [
        lambda: smb.createDirectory(share, 'made'),
        lambda: smb.putFile(share, 'one.bin', io.BytesIO(b'1').read),
        lambda: smb.putFile(share, 'hello.txt', io.BytesIO(b'1').read),
        lambda: smb.putFile(share, 'hello.txt:new', io.BytesIO(b'1').read),
        lambda: smb.rename(share, 'hello.txt', 'two.txt'),
        lambda: smb.deleteFile(share, 'hello.txt'),
        lambda: smb.deleteDirectory(share, 'sub'),
    ]
    for nth, attempt in enumerate(changes):
        try:
            attempt()
        except Exception as error:
            assert 'STATUS_' in str(error), error
            continue
        raise AssertionError('change no. %d went through in %s' % (nth, share))


def lifecycle(port, password, dialect, level, context):
    client = Client(port, password=password, dialect=dialect, level=level)
    smb = client.smb
    browse(smb, 'data')
    change(smb, 'data')
    assert client.set_context(context) == 0
    code, the_set = client.start()
    assert code == 0
    code, copy = client.add(the_set, DATA)
    assert code == 0
    assert client.prepare(the_set) == 0 and client.commit(the_set) == 0 and client.expose(the_set) == 0
    share = client.get_share_mapping(the_set, copy, DATA)[1]['exposed']
    browse(smb, share)
    (change if context & 0x400000 else is_refused)(smb, share)
    assert client.recovery_complete(the_set) == 0
    browse(smb, share)
    is_refused(smb, share)
    browse(smb, share)
    assert client.delete_share_mapping(the_set, copy, DATA) == 0
    try:
        smb.connectTree(share)
    except Exception as error:
        assert 'STATUS_BAD_NETWORK_NAME' in str(error), error
    else:
        raise AssertionError('the share is still there')
    client.close()


def main():
    port, password = int(sys.argv[1]), os.environ['FSRVP_PASSWORD']
    for nth, dialect in enumerate(('2.0.2', '2.1', '3.0')):
        for level in ('integrity', 'privacy'):
            lifecycle(port, password, dialect, level, 0x400009 if nth % 2 == (level == 'privacy') else 0)


if __name__ == '__main__':
    main()
