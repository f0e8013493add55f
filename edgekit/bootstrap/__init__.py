"""Scripts that travel to a device as text, before there is anything of edgekit on it.

Each is one file that imports the standard library alone and keeps to Python 3.6, which a board with JetPack 4 has: it
is to be refused with the reason, not with a syntax error. A script finds its argument, a JSON text, in sys.argv[1].
"""

from pathlib import Path


def source(name: str) -> str:
    """The text of a script: "collect", "receive" ..."""
    return (Path(__file__).parent / (name + ".py")).read_text("utf-8")
