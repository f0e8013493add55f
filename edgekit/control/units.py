"""The systemd units of a device: the templates of systemd/, filled in for its login user and its systemd.

systemd warns about a setting that it does not know and goes on without it. Such settings are left out instead: the log
then shows what matters, and a unit says what is really in force.
"""

from __future__ import annotations

from edgekit.control.link import PACKAGE

UNIT_FOLDER = "/etc/systemd/system"
TMPFILES_PATH = "/etc/tmpfiles.d/edgekit.conf"
CONTROL_PATH = "/usr/local/libexec/edgekit-control"
ARGUS_PATH = "/usr/local/libexec/edgekit-argus"
TEMPLATES = (
    *("edgekit@.service", "edgekit-reconcile@.service"),
    *("edgekit-control.service", "edgekit-control.path"),
    *("edgekit-argus.service", "edgekit-argus.path"),
)

# Settings of the templates that are younger than JetPack 5's systemd 245, with the version that brought each.
# Source: the manual pages systemd.exec(5), systemd.service(5) and systemd.unit(5), "Added in version".
SINCE = {
    "ProtectProc": 247,
    "ProcSubset": 247,
    "PrivateIPC": 248,
}


def render(template: str, user: str, systemd: int) -> str:
    """A template's text for a login user and a version of systemd."""
    lines = template_text(template).replace("{user}", user).splitlines(keepends=True)
    return "".join(line for line in lines if SINCE.get(line.partition("=")[0], 0) <= systemd)


def device_files(user: str, systemd: int) -> dict[str, dict[str, object]]:
    """What root gets on a device: path -> text and mode, as bootstrap/install.py wants it."""
    files: dict[str, dict[str, object]] = {
        f"{UNIT_FOLDER}/{name}": _file(render(name, user, systemd)) for name in TEMPLATES
    }
    files[TMPFILES_PATH] = _file(render("edgekit.conf", user, systemd))
    files[CONTROL_PATH] = _file(_program("control"), 0o755)
    files[ARGUS_PATH] = _file(_program("argus"), 0o755)
    return files


def template_text(name: str) -> str:
    """A template as it is written: of the checkout, or of the installed package."""
    checkout = PACKAGE.parent / "systemd" / name
    packaged = PACKAGE / "data" / "systemd" / name
    return (packaged if packaged.exists() else checkout).read_text("utf-8")


def _program(name: str) -> str:
    """A root program that stays on the device."""
    return "#!/usr/bin/python3 -IS\n" + (PACKAGE / "bootstrap" / f"{name}.py").read_text("utf-8")


def _file(text: str, mode: int = 0o644) -> dict[str, object]:
    return {"text": text, "mode": mode}
