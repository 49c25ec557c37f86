"""Run a program that must not outlive the test which started it.

    leash.py [--tree] PROGRAM [ARG...]

The first line on stdout is the program's process id. Its output goes to our stderr, which the
caller points at a log file. When our stdin ends (the caller closed it, or was killed) or on
SIGTERM, the program's whole process group gets SIGTERM and, three seconds later, SIGKILL.
The exit code is the program's own (128 + signal when a signal ended it, 127 when it cannot start).

With --tree whatever the program started and left behind in sessions of its own is killed too.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

GRACE_S = 3.0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def die_with_parent():
    """The last resort, on Linux: the kernel kills the program when this wrapper is killed."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


def adopt_orphans():
    """Become the parent of every process below whose own parent ends (Linux)."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    except (OSError, AttributeError):
        pass


def children():
    """The process ids of our children, adopted ones included."""
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return found
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The second field is a name in parentheses that may hold anything.
                parent = file.read().rpartition(b")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if int(parent) == os.getpid():
            found.append(int(name))
    return found


def reap_adopted(own):
    for pid in children():
        if pid != own:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def kill_the_rest():
    """The children of those killed become ours, and are found in the next round."""
    while left := children():
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


def signal_group(pid, number):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass


def exit_code(child):
    code = child.wait()
    return code if code >= 0 else 128 - code


def main(argv):
    tree = argv[0] == "--tree"
    if tree:
        argv = argv[1:]
        adopt_orphans()
    # Signals only wake the select below; what happened is then read from the process itself.
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    terminated = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: terminated.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            stderr=sys.stderr.fileno(),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        print(f"cannot start {argv[0]}: {error}", file=sys.stderr)
        return 127
    print(child.pid, flush=True)

    kill_at = None
    while child.poll() is None:
        watched = [wake_read] if kill_at else [wake_read, sys.stdin.fileno()]
        timeout = max(0.0, kill_at - time.monotonic()) if kill_at else None
        ready, _, _ = select.select(watched, [], [], timeout)
        if wake_read in ready:
            os.read(wake_read, 4096)
            if tree:
                reap_adopted(child.pid)
        stdin_ended = sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 4096)
        if kill_at is None and (stdin_ended or terminated):
            signal_group(child.pid, signal.SIGTERM)
            kill_at = time.monotonic() + GRACE_S
        elif kill_at is not None and time.monotonic() >= kill_at:
            signal_group(child.pid, signal.SIGKILL)
            kill_at = time.monotonic() + GRACE_S
    if tree:
        kill_the_rest()
    return exit_code(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
