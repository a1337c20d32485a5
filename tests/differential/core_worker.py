"""frozen_core.py in a process of its own, in the venv (and the root) of a Home Assistant; given homes one after another."""
import ctypes
import json
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import provision  # noqa: E402


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class CoreWorker:
    """`work` is the folder in which all homes lie; `log` takes what Home Assistant says."""

    def __init__(self, version, work, log, script="frozen_core.py"):
        venv, root, harness = provision.make_harness(version)
        self.work, self.log = Path(work), Path(log)
        inside, harness_inside, here, self.work_inside = str(venv), str(harness), str(HERE), str(self.work)
        if root:
            inside, harness_inside, here, self.work_inside = "/opt/ha", "/opt/harness", "/opt/differential", "/config"
        self.command = [f"{inside}/bin/python", f"{here}/{script}"]
        if root:
            self.command = provision.in_root(root, self.command, [
                (venv, inside), (harness, harness_inside), (HERE, here), (self.work, self.work_inside)])
        self.environment = {"PATH": f"{inside}/bin:{provision.SYSTEM_PATH}", "HOME": "/tmp", "LANG": "C.UTF-8",
                            "PYTHONPATH": harness_inside, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        self.process = None

    def replay(self, name):
        """Has Home Assistant replay the home in the folder `name` of `work`; whether that worked."""
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=open(self.log, "a"), env=self.environment, text=True,
                                            preexec_fn=die_with_parent)
        self.process.stdin.write(f"{self.work_inside}/{name}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip() == "done"

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(60)
            self.process = None


def purposes_table(version, work):
    """What purposes_table.py finds in that Home Assistant."""
    worker = CoreWorker(version, work, work / "table.log", "purposes_table.py")
    with open(worker.log, "a") as log:
        subprocess.run([*worker.command, f"{worker.work_inside}/purposes.json"], stdin=subprocess.DEVNULL, stderr=log,
                       env=worker.environment, check=True)
    return json.loads((worker.work / "purposes.json").read_text())
