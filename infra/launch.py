"""``python launch.py PARENT COMMAND …``: become the command, but end when the parent does.

A file of its own because it runs between fork and exec of a server: a function in that place (``preexec_fn``) may
deadlock in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):  # it died before the line above took effect
        sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])
