"""Becomes the program that its arguments name, after what subprocess could do only in a forked Python.

A fork with Python code in it would be of a process whose gRPC threads run, and may hang.
"""

import fcntl
import os
import signal
import sys
import termios

signal.signal(signal.SIGINT, signal.SIG_DFL)  # shells have programs in the background ignore it
if os.isatty(0):
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C is for whoever leads the terminal's session
os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - that is what it is for
