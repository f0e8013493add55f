"""Live cameras, each read in a process of its own that can be killed.

    parent: source.CameraSource -- process.CaptureProcess  <== pipe, shared memory ==>  child: __main__ -- a reader

A read of a camera can hang for ever inside a driver or a decoder, and hostile streams can crash one. Here both end a
child process; the parent starts another. docs/adr/0015-capture.md has the reasons.
"""
