"""A client of MS-FSRVP over impacket, with its own stubs, so that it shares no thought with the server.

Every method answers with the code and what came beside it. A fault of RPC is raised as Fault.
"""
import socket
import struct
import uuid

from impacket.dcerpc.v5 import rpcrt, transport
from impacket.smbconnection import SMBConnection
from impacket.uuid import uuidtup_to_bin

INTERFACE = ('a8e0653c-2744-4389-a61d-7373df8b2292', '1.0')
NDR32 = ('8a885d04-1ceb-11c9-9fe8-08002b104860', '2.0')
NDR64 = ('71710533-beba-4937-8319-b5dbef9ccc36', '1.0')
NIL = uuid.UUID(int=0)
LEVELS = {
    'none': None,
    'connect': rpcrt.RPC_C_AUTHN_LEVEL_CONNECT,
    'packet': rpcrt.RPC_C_AUTHN_LEVEL_PKT,
    'integrity': rpcrt.RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    'privacy': rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
}
DIALECTS = {'2.0.2': 0x0202, '2.1': 0x0210, '3.0': 0x0300, '3.1.1': 0x0311}
FOREVER = 120_000


class Fault(Exception):
    """The server answered with a fault, or closed the pipe."""

    def __init__(self, code):
        super().__init__(hex(code) if isinstance(code, int) else str(code))
        self.code = code


class Source:
    """Connections made inside come from this address."""

    def __init__(self, address):
        self.address = address

    def __enter__(self):
        self.plain = socket.socket.connect
        address, plain = self.address, self.plain

        def connect(sock, where):
            if sock.family == socket.AF_INET:
                sock.bind((address, 0))
            return plain(sock, where)

        socket.socket.connect = connect

    def __exit__(self, *_):
        socket.socket.connect = self.plain


class SmallestBind(rpcrt.MSRPCBind):
    """Offers the shortest fragments that C706 lets anybody offer, MustRecvFragSize."""

    SIZE = 1432

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self['max_tfrag'] = self['max_rfrag'] = self.SIZE


class Ndr:
    """The stub of a request, in one of the two transfer syntaxes."""

    def __init__(self, is_64):
        self.is_64, self.stub = is_64, b''

    def dword(self, value):
        self.align(4)
        self.stub += struct.pack('<I', value)
        return self

    def guid(self, value):
        self.align(4)
        self.stub += value.bytes_le
        return self

    def string(self, text):
        """A reference pointer at the top: no referent, the string itself."""
        units = text if isinstance(text, bytes) else (text + '\0').encode('utf-16-le', 'surrogatepass')
        count = len(units) // 2
        self.align(8 if self.is_64 else 4)
        self.stub += struct.pack('<QQQ' if self.is_64 else '<III', count, 0, count) + units
        return self

    def align(self, size):
        self.stub += b'\0' * (-len(self.stub) % size)


class Reply:
    """The stub of a response, read from front to back."""

    def __init__(self, stub, is_64):
        self.stub, self.is_64, self.at = stub, is_64, 0

    def take(self, form, size, align):
        self.at += -self.at % align
        value, = struct.unpack_from(form, self.stub, self.at)
        self.at += size
        return value

    def dword(self):
        return self.take('<I', 4, 4)

    def word(self):
        """A pointer or a count."""
        return self.take('<Q', 8, 8) if self.is_64 else self.dword()

    def hyper(self):
        return self.take('<q', 8, 8)

    def guid(self):
        return uuid.UUID(bytes_le=self.take('16s', 16, 4))

    def string(self):
        maximum, offset, count = self.word(), self.word(), self.word()
        assert offset == 0 and count <= maximum, 'a string of another shape'
        text = self.stub[self.at:self.at + 2 * count].decode('utf-16-le')
        self.at += 2 * count
        assert text.endswith('\0'), 'a string without NUL'
        return text[:-1]

    def end(self):
        code = self.dword()
        assert self.at == len(self.stub), '%d bytes behind the code' % (len(self.stub) - self.at)
        return code


class Client:
    """One SMB connection with the pipe open and the interface bound."""

    def __init__(self, port, user='admin', password='', level='integrity', source='127.0.0.1',
                 dialect=None, syntax=NDR32, fragment=None, smallest=False, strangers=0):
        options = {'preferredDialect': DIALECTS[dialect]} if dialect else {}
        self.is_64 = syntax == NDR64
        with Source(source):
            self.smb = SMBConnection('127.0.0.1', '127.0.0.1', sess_port=port, timeout=120, **options)
            self.smb.login(user, password)
        pipe = transport.SMBTransport('127.0.0.1', filename=r'\FssagentRpc', smb_connection=self.smb)
        self.dce = pipe.get_dce_rpc()
        if LEVELS[level]:
            self.dce.set_credentials(user, password)
            self.dce.set_auth_type(rpcrt.RPC_C_AUTHN_WINNT)
            self.dce.set_auth_level(LEVELS[level])
        self.dce.connect()
        self.interface = uuidtup_to_bin(INTERFACE)
        usual = rpcrt.MSRPCBind
        rpcrt.MSRPCBind = SmallestBind if smallest else usual
        try:
            # `strangers` are contexts of interfaces that nobody has, in front of ours.
            self.agreed = self.dce.bind(self.interface, bogus_binds=strangers, transfer_syntax=syntax)
        finally:
            rpcrt.MSRPCBind = usual
        self.fragment = fragment

    def close(self):
        self.smb.close()

    def alter_context(self):
        """Goes on in a presentation context of its own."""
        self.dce = self.dce.alter_ctx(self.interface)

    def call(self, opnum, stub=b''):
        """Sends one request and returns the stub of its response."""
        # impacket makes no fragments at all of nothing.
        self.dce.set_max_fragment_size(self.fragment if self.fragment and stub else 0)
        try:
            self.dce.call(opnum, stub)
            return self.dce.recv()
        except rpcrt.DCERPCException as error:
            raise Fault(error.error_code or str(error)) from None

    def ask(self, opnum, request=None):
        return Reply(self.call(opnum, request.stub if request else b''), self.is_64)

    def ndr(self):
        return Ndr(self.is_64)

    def code(self, opnum, request):
        return self.ask(opnum, request).end()

    def get_supported_version(self):
        reply = self.ask(0)
        low, high = reply.dword(), reply.dword()
        return reply.end(), low, high

    def set_context(self, context=0):
        return self.code(1, self.ndr().dword(context))

    def start(self, client_set=None):
        reply = self.ask(2, self.ndr().guid(client_set or uuid.uuid4()))
        the_set = reply.guid()
        return reply.end(), the_set

    def add(self, the_set, name, client_copy=None):
        reply = self.ask(3, self.ndr().guid(client_copy or uuid.uuid4()).guid(the_set).string(name))
        copy = reply.guid()
        return reply.end(), copy

    def commit(self, the_set, timeout_ms=FOREVER):
        return self.code(4, self.ndr().guid(the_set).dword(timeout_ms))

    def expose(self, the_set, timeout_ms=FOREVER):
        return self.code(5, self.ndr().guid(the_set).dword(timeout_ms))

    def recovery_complete(self, the_set):
        return self.code(6, self.ndr().guid(the_set))

    def abort(self, the_set):
        return self.code(7, self.ndr().guid(the_set))

    def is_path_supported(self, name):
        reply = self.ask(8, self.ndr().string(name))
        supported = reply.dword()
        owner = reply.string() if reply.word() else None
        return reply.end(), supported, owner

    def is_path_shadow_copied(self, name):
        reply = self.ask(9, self.ndr().string(name))
        present, compatibility = reply.dword(), reply.dword()
        return reply.end(), present, compatibility

    def get_share_mapping(self, the_set, copy, name, level=1):
        request = self.ndr().guid(copy).guid(the_set).string(name).dword(level)
        reply = self.ask(10, request)
        assert reply.dword() == level, 'another level'
        mapping = None
        if level == 1 and reply.word():
            mapping = {'set': reply.guid(), 'copy': reply.guid()}
            base, exposed = reply.word(), reply.word()
            mapping['time'] = reply.hyper()
            mapping['base'] = reply.string() if base else None
            mapping['exposed'] = reply.string() if exposed else None
        elif reply.is_64 and level != 1:
            reply.at += -reply.at % 8
        return reply.end(), mapping

    def delete_share_mapping(self, the_set, copy, name):
        return self.code(11, self.ndr().guid(the_set).guid(copy).string(name))

    def prepare(self, the_set, timeout_ms=FOREVER):
        return self.code(12, self.ndr().guid(the_set).dword(timeout_ms))
