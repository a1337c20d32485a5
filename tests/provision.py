#!/usr/bin/env python3
"""Installs what the tests run on: `provision.py venv` makes build/venv, `provision.py ha VERSION` a Home Assistant,
`provision.py harness VERSION` that and Home Assistant's own test harness beside it.

An installed Home Assistant is kept in a cache folder outside the repository, with a stamp that is written last: a
half-finished one is removed and made again, a finished one costs nothing. It is a plain venv where the host has the
Python it needs, else (root only) a debootstrapped Debian with the venv inside, entered by chroot in a mount namespace
of its own: whatever is mounted there disappears with the process, however that ends.

Standard library only, Python >= 3.9. No host name stands here: debootstrap's mirror comes from apt's sources, and pip
and uv see their configuration as it is on this machine.
"""
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RECIPE = 3  # raise it when an existing install must be made again

# What a folder made by the tests enables, and what Home Assistant itself loads or imports.
INTEGRATIONS = (
    "api assist_satellite camera config conversation frontend history http isal light logbook logger mqtt network "
    "person recorder sun switch system_log template zone analytics application_credentials automation backup counter "
    "hardware input_boolean input_button input_datetime input_number input_select input_text scene schedule script "
    "system_health tag timer"
).split()
ADDED = ["mobile_app"]  # since that recipe: put into what is installed already, which others may be using

# Home Assistant's own test harness, of which only the core in a process is used: it goes on PYTHONPATH, so what it needs
# beyond Home Assistant itself stands here. No release of it is for 2026.11; this one is made for 2026.10.4.
HARNESSES = {
    "2025.4.4": "pytest-homeassistant-custom-component==0.13.236 iniconfig==2.3.1 pluggy==1.7.0 pytest==8.3.5 syrupy==4.8.1",
    "2026.11.0": "pytest-homeassistant-custom-component==0.13.375 freezegun==1.5.5 iniconfig==2.3.1 pluggy==1.7.0 "
                 "pygments==2.20.0 pytest==9.0.3 syrupy==6.1.1",
}

# Runs inside the new venv: Home Assistant's own resolver installs what it would install at its first start.
INSTALL_REQUIREMENTS = """
import asyncio, sys, tempfile
from homeassistant import core, loader, requirements
async def main(folder):
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = False
    loader.async_setup(hass)
    get = requirements.async_get_integration_with_requirements
    for domain in sys.argv[1:]:
        await get(hass, domain)
    from homeassistant.components.mqtt.const import SUPPORTED_COMPONENTS
    for domain in SUPPORTED_COMPONENTS:
        await get(hass, domain)
    from homeassistant.auth.mfa_modules import totp
    await requirements.async_process_requirements(hass, "auth", totp.REQUIREMENTS)
    await hass.async_stop(force=True)
with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder))
"""


class Failed(Exception):
    """The message tells the person what to do."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HA_AI_TEST_CACHE") or Path(base) / "ha-ai-test")


def run(*command, **kwargs):
    if subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, **kwargs).returncode:
        raise Failed("failed: " + " ".join(str(c) for c in command if "\n" not in str(c)))


@contextlib.contextmanager
def finished_once(folder, stamp):
    """Yields True when `folder` must be filled (emptied first), False when an earlier run finished it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".complete"
        if done.exists() and done.read_text() == stamp:
            yield False
            return
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        yield True
        done.write_text(stamp)


def make_venv(target=None):
    """The venv of the tests themselves."""
    target = Path(target or TESTS.parent / "build" / "venv")
    wanted = (TESTS / "requirements.txt").read_text() + f"# {sys.version}\n"
    with finished_once(target, wanted) as fill:
        if fill:
            run(sys.executable, "-m", "venv", target)
            run(target / "bin/python", "-m", "pip", "install", "-q", "-r", TESTS / "requirements.txt")
    return target


# --- Home Assistant ---------------------------------------------------------------------------------------------------

def python_for(version):
    """(minor of Python 3, least patch, Debian suite that has it) for a release of Home Assistant."""
    year, month = (int(n) for n in version.split(".")[:2])
    return (14, 2, "testing") if (year, month) >= (2026, 3) else (13, 0, "trixie")


def find_python(minor, patch):
    """A Python 3.<minor> of the host that can make a venv: on PATH, or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [shutil.which(f"python3.{minor}"), shutil.which("python3")]
    candidates += sorted(pyenv.glob(f"3.{minor}.*/bin/python3"), reverse=True)
    probe = ("import sys, ensurepip, sqlite3, ssl\n"
             f"sys.exit(not (3, {minor}, {patch}) <= sys.version_info < (3, {minor + 1}))")
    for python in filter(None, candidates):
        if subprocess.run([python, "-c", probe], capture_output=True).returncode == 0:
            return str(python)
    return None


def debian_mirror():
    """Where this machine's apt fetches Debian from."""
    if os.environ.get("HA_AI_DEBIAN_MIRROR"):
        return os.environ["HA_AI_DEBIAN_MIRROR"]
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.M))
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(RELEASE) $(COMPONENT) $(REPO_URI)",
         "Created-By: Packages"], capture_output=True, text=True).stdout
    for codename, suite, component, uri in (line.split(None, 3) for line in targets.splitlines()
                                            if len(line.split(None, 3)) == 4):
        if release.get("VERSION_CODENAME") in (codename, suite) and component == "main":
            return uri
    raise Failed("apt's sources name no Debian mirror: run `apt-get update`, or set HA_AI_DEBIAN_MIRROR to one")


def host_paths():
    """What package clients inside a chroot need to see of this machine: certificates, resolver, configuration."""
    paths = {Path(p) for p in ("/etc/ssl", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
                               "/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/uv", "/etc/localtime")}
    paths.add(Path.home())
    for name, value in os.environ.items():
        if name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_", "XDG_")) and value.startswith("/"):
            paths.add(Path(value))
    outer = [p for p in paths if p.exists() and not any(q in paths for q in p.parents)]
    return sorted(outer)


def in_root(root, command, binds=()):
    """The command line that runs `command` in `root`, seeing the (host, inside) folders or files of `binds`."""
    script = ["set -e", 'root=$1; shift', 'mount --rbind /proc "$root/proc"; mount --rbind /dev "$root/dev"']
    args = []
    for host, inside in binds:
        place = Path(f"{root}{inside}")
        if Path(host).is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        script.append('mount --bind "$1" "$root$2"; shift 2')
        args += [host, inside]
    script.append('exec chroot "$root" "$@"')
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script), "sh",
            str(root), *map(str, args), *map(str, command)]


def make_root(suite, minor):
    """A debootstrapped Debian with that Python; any number of venvs may be bound to its /opt/ha."""
    root = cache_folder() / f"debian-{suite}"
    packages = f"ca-certificates,gcc,g++,python3.{minor},python3.{minor}-dev,python3.{minor}-venv"  # some lack wheels
    with finished_once(root, packages) as fill:
        if fill:
            mirror = debian_mirror()
            proxy = subprocess.run(["apt-config", "dump", "--format", "%v", "Acquire::http::Proxy"],
                                   capture_output=True, text=True).stdout.strip()
            environment = dict(os.environ, **({"http_proxy": proxy} if proxy else {}))
            # One script serves all recent suites; this machine's debootstrap may not know the name of a newer one.
            run("unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase",
                f"--include={packages}", suite, root, mirror, "/usr/share/debootstrap/scripts/sid", env=environment,
                stdout=subprocess.DEVNULL)
            shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
            (root / "opt/ha").mkdir()
            (root / "config").mkdir()
    return root


def run_in(venv, enter, *commands):
    """Runs commands for the venv `venv` as seen from inside; `enter` turns a command into the one to run."""
    environment = dict(os.environ, VIRTUAL_ENV=venv, PATH=f"{venv}/bin:{SYSTEM_PATH}", LANG="C.UTF-8")
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH"):
        environment.pop(name, None)
    for command in commands:
        run(*enter(command), env=environment)


def install(version, venv, python, enter):
    """Makes the venv of `python`, both as seen from inside."""
    run_in(venv, enter, [python, "-m", "venv", venv],
           [f"{venv}/bin/python", "-m", "pip", "install", "-q", "uv"],
           [f"{venv}/bin/uv", "pip", "install", "-q", "--compile-bytecode", f"homeassistant=={version}"],
           [f"{venv}/bin/python", "-c", INSTALL_REQUIREMENTS, *INTEGRATIONS])


def add_integrations(folder, venv, enter):
    """Installs what ADDED needs, once."""
    stamp = folder / ".added"
    if not stamp.exists() or stamp.read_text() != " ".join(ADDED):
        run_in(venv, enter, [f"{venv}/bin/python", "-c", INSTALL_REQUIREMENTS, *ADDED])
        stamp.write_text(" ".join(ADDED))


def find_root(version):
    """The root to enter for that release, None when the host's own Python serves."""
    minor, patch, suite = python_for(version)
    if not os.environ.get("HA_AI_TEST_CHROOT") and find_python(minor, patch):
        return None
    if os.geteuid() != 0:
        raise Failed(f"Home Assistant {version} needs Python 3.{minor} (at least 3.{minor}.{patch}). Put one on PATH or into "
                     f"pyenv: `pyenv install 3.{minor}`; or let root make one: "
                     f"`sudo {sys.executable} {Path(__file__)} ha {version}` and run the tests as root")
    if not shutil.which("debootstrap"):
        raise Failed(f"Home Assistant {version} needs Python 3.{minor}: run `apt-get install -y debootstrap` and repeat")
    return make_root(suite, minor)


def make_ha(version):
    """Installs that release; returns (its venv on the host, the root to enter with the venv bound to /opt/ha, or None)."""
    minor, patch, _ = python_for(version)
    root = find_root(version)
    folder = cache_folder() / f"ha-{version}{'-root' if root else ''}"
    with finished_once(folder, f"{version} recipe {RECIPE}") as fill:
        if root:
            binds = [(p, p) for p in host_paths()] + [(folder, "/opt/ha")]
            venv, python, enter = "/opt/ha", f"/usr/bin/python3.{minor}", lambda command: in_root(root, command, binds)
        else:
            venv, python, enter = str(folder), find_python(minor, patch), lambda command: command
        if fill:
            install(version, venv, python, enter)
        add_integrations(folder, venv, enter)
    return folder, root


def make_harness(version):
    """Installs that release and its test harness; returns what make_ha does and the harness's folder."""
    venv, root = make_ha(version)
    if version not in HARNESSES:
        raise Failed(f"no test harness is known for Home Assistant {version}, only for {', '.join(HARNESSES)}")
    folder = cache_folder() / f"harness-{version}"
    packages = HARNESSES[version].split()
    with finished_once(folder, " ".join(packages)) as fill:
        if fill:
            inside, target = ("/opt/ha", "/opt/harness") if root else (str(venv), str(folder))
            command = [f"{inside}/bin/uv", "pip", "install", "-q", "--no-deps", "--python", f"{inside}/bin/python",
                       "--target", target, *packages]
            if root:
                binds = [(p, p) for p in host_paths()] + [(venv, inside), (folder, target)]
                command = in_root(root, command, binds)
            run(*command)
    return venv, root, folder


def main(arguments):
    try:
        if arguments == ["venv"]:
            print(make_venv())
        elif len(arguments) == 2 and arguments[0] == "ha" and re.fullmatch(r"\d{4}\.\d+\.\d+", arguments[1]):
            print(make_ha(arguments[1])[0])
        elif len(arguments) == 2 and arguments[0] == "harness":
            print(make_harness(arguments[1])[2])
        else:
            raise Failed("usage: provision.py venv | provision.py ha VERSION | provision.py harness VERSION")
    except (Failed, OSError) as error:
        sys.exit(f"provision: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
