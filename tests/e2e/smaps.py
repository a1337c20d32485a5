"""Memory of a running program, from /proc/<pid>/smaps_rollup."""
from pathlib import Path


def memory(pid):
    """(RSS, private dirty) in MB, None when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:] if len(line.split()) == 3}
    if "Rss" not in kilobytes:
        return None
    return kilobytes["Rss"] * 1024 / 1e6, kilobytes["Private_Dirty"] * 1024 / 1e6
