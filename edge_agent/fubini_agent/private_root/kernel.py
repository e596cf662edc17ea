"""The kernel's calls that Python has no name for: clone, mount, pivot_root, namespaces, prctl.

All libc entry points are resolved at import, before any fork. Errors are `SetupError` with the call and its errno.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME = 32, 1024, 2048
MS_BIND, MS_REC, MS_PRIVATE, MS_RELATIME = 4096, 16384, 1 << 18, 1 << 21
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 28, 38
PR_SET_CHILD_SUBREAPER = 36
# NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each with its lock bit: uid 0 gains nothing by exec.
SECUREBITS = 0b11 | 0b1100 | 0b11000000
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4

_SYSCALLS = {  # machine: (clone, pivot_root); clone's first argument is the flags on all of these
    "x86_64": (56, 155),
    "aarch64": (220, 41),
    "riscv64": (220, 41),
    "loongarch64": (220, 41),
    "ppc64le": (120, 203),
}
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture

# PyDLL keeps the GIL held over the call: clone() must return in the child with it still held.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_mount = _libc.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_umount2 = _libc.umount2
_umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_unshare = _libc.unshare
_setns = _libc.setns
_clone_number, _pivot_number = _SYSCALLS.get(os.uname().machine, (None, None))


class SetupError(Exception):
    """A step of building the root failed; the text says which."""


def _fail(what: str) -> SetupError:
    number = ctypes.get_errno()
    return SetupError(f"{what}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")


def mount(source: str | None, target: str, fstype: str | None, flags: int, data: str | None = None) -> None:
    """mount(2).

    Raises:
        SetupError: the kernel refused.
    """
    if _mount(
        source.encode(errors="surrogateescape") if source else None,
        target.encode(errors="surrogateescape"),
        fstype.encode() if fstype else None,
        flags,
        data.encode(errors="surrogateescape") if data else None,
    ):
        raise _fail(f"mount {source or fstype} on {target}")


def mount_setattr(path: str, recursive: bool, set_bits: int, clear_bits: int) -> bool:
    attr = struct.pack("<QQQQ", set_bits, clear_bits, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    return not (
        _syscall(
            ctypes.c_long(_SYS_MOUNT_SETATTR),
            ctypes.c_int(AT_FDCWD),
            path.encode(errors="surrogateescape"),
            ctypes.c_uint(flags),
            attr,
            ctypes.c_size_t(len(attr)),
        )
    )


def remount_read_only(target: str) -> None:
    """For kernels before mount_setattr: the top mount only, keeping the flags a user namespace may not drop."""
    stat_flags = os.statvfs(target).f_flag
    keep = 0
    for mask, flag in ((2, MS_NOSUID), (4, MS_NODEV), (8, MS_NOEXEC), (1024, MS_NOATIME), (2048, MS_NODIRATIME)):
        if stat_flags & mask:
            keep |= flag
    if stat_flags & 4096:
        keep |= MS_RELATIME
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | keep)


def clone_supported() -> bool:
    return _clone_number is not None


def clone(flags: int) -> int:
    """fork(2) with new namespaces. Only for a process without threads; returns 0 in the child.

    Raises:
        SetupError: the kernel refused.
    """
    if _clone_number is None:
        raise SetupError(f"no clone number is known for machine {os.uname().machine!r}")
    zero = ctypes.c_ulong(0)
    pid = int(_syscall(ctypes.c_long(_clone_number), ctypes.c_ulong(flags | signal.SIGCHLD), zero, zero, zero, zero))
    if pid < 0:
        raise _fail("clone")
    return pid


def set_pdeathsig() -> None:
    if _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise _fail("prctl PDEATHSIG")


def set_subreaper() -> None:
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def drop_privileges() -> None:
    """No capability after the next exec, for root too, and no setuid program gives any."""
    _prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0)  # refused without CAP_SETPCAP: then there is nothing to drop
    _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def clone_flags(use_userns: bool) -> int:
    return CLONE_NEWNS | CLONE_NEWPID | (CLONE_NEWUSER if use_userns else 0)


def unshare_mounts() -> None:
    """A mount namespace of its own for this process.

    Raises:
        SetupError: the kernel refused.
    """
    if _unshare(CLONE_NEWNS):
        raise _fail("unshare")


def enter_mounts(namespace: int) -> None:
    """Into the mount namespace behind an open descriptor; root and working directory become its root.

    Raises:
        SetupError: the kernel refused.
    """
    if _setns(namespace, CLONE_NEWNS):
        raise _fail("setns")


def pivot_here() -> None:
    """Make the working directory the root, and take the old root away.

    Raises:
        SetupError: the kernel refused.
    """
    # pivot_root(".", ".") stacks the old root on the new one; detaching "." takes the old one away.
    if _syscall(ctypes.c_long(_pivot_number or 0), b".", b"."):
        raise _fail("pivot_root")
    if _umount2(b".", MNT_DETACH):
        raise _fail("umount of the old root")
    os.chdir("/")
