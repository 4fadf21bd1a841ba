"""Runs the program again with the memory settings that PyTorch on a CPU is fastest with. Import it before torch.

glibc gives large blocks back to the system as soon as they are freed, and each training step pays for getting them again,
page by page. These settings keep them, on huge pages.
"""

import os
import sys

SETTINGS = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
}


def use_tuned_allocator():
    """Returns in a process that has the settings. ENGRAFT_PEER_ALLOCATOR=plain leaves all as installed, to compare."""
    if os.environ.get("ENGRAFT_PEER_ALLOCATOR") == "plain" or all(os.environ.get(k) == v for k, v in SETTINGS.items()):
        return
    os.environ.update(SETTINGS)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.argv])
