"""What holds for every test."""

from __future__ import annotations

import signal

# Whoever is started in the background inherits that Ctrl-C is ignored, and so would each process that a test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
