"""Close a listening socket without resetting anybody.

Closing a listener resets every connection that the kernel has already accepted for it. So first a filter on the socket
drops the packets that ask for a new connection (Linux; a client that is turned away so tries again a second
later and is refused then, before it has sent anything), while handshakes under way complete; then everything in the
backlog is taken; then nothing can be lost by closing.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys

# From linux/filter.h: load the byte with the flags of the TCP header, mask SYN and ACK, drop if only SYN is set.
_SO_ATTACH_FILTER = 26
_INSTRUCTIONS = (
    (0x30, 0, 0, 13),  # ldb [13]
    (0x54, 0, 0, 0x12),  # and SYN|ACK
    (0x15, 0, 1, 0x02),  # jeq SYN, next, skip one
    (0x06, 0, 0, 0),  # ret 0: drop
    (0x06, 0, 0, 0xFFFFFFFF),  # ret all: keep
)


def shut(listener: socket.socket) -> bool:
    """Let no new connection begin; return False where the system cannot do that.

    Connections that exist go on, those in the backlog can still be accepted.
    """
    if not sys.platform.startswith("linux"):
        return False
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _INSTRUCTIONS)
    program = ctypes.create_string_buffer(code)
    described = struct.pack("HP", len(_INSTRUCTIONS), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
    except OSError:  # a sandbox without it: what is left is the quiet time before
        return False
    return True
