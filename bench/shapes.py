"""compare.py --shapes: MobileNetV2 0.35 and 1.0 at 96 to 224, engraft beside ONNX Runtime and oneDNN's primitives.

Every peer is taken at the best of its settings: ONNX Runtime on all, half or one of the cores, many pictures in one run or
in several; oneDNN with memory formats of its own choice or channels-last throughout, many pictures by all cores together or
a share by each. Networks, pictures and what is timed are the same: from a normalised picture to probabilities. In every
round they take turns at each shape. Times are medians over the calls, ratios medians over the rounds:
  1 thread   time of one picture on one thread, engraft's by the peer's; below 1, engraft is faster
  all cores  time of one picture on all cores, the same
  many       pictures a second of 8 pictures on all cores, engraft's by the peer's; above 1, engraft is faster
The last line is one JSON object:
  slower_than_peer        "WIDTH/SIZE/CELL vs PEER" of all cells where engraft is slower
  worst_latency_ratio     the largest of the time ratios
  worst_throughput_ratio  the smallest of the others
"""

import json
import statistics

from frameworks import Engraft, OnnxRuntime, processor, write_results

WIDTHS = (0.35, 1.0)
SIZES = (96, 128, 160, 192, 224)
MANY = 8
CELLS = {"one_1": "1 thread", "one_all": "all cores", "many": "many"}
PEERS = {"onnxruntime": "ONNX Runtime", "onednn": "oneDNN"}
SECONDS = 0.25


def best_of(times, cells):
    """The least that any of oneDNN's settings took."""
    return min(measured[cell] for who, measured in times.items() for cell in cells
               if who.startswith("onednn") and cell in measured)


def measure_shape(engraft, onnxruntime, width, size, peer_first):
    """Milliseconds of each cell: of engraft, of each peer, and of every setting that was tried."""
    def peer():
        return onnxruntime.shape(width, size, MANY, SECONDS) if onnxruntime.ready else None
    theirs = peer() if peer_first else None
    times = engraft.shape(width, size)
    theirs = theirs or peer()
    onednn = {"one_1": best_of(times, ["one_1"]), "one_all": best_of(times, ["one_1", "one_all"]),
              "many": best_of(times, ["many"])}
    found = {"engraft": times["engraft"], "onednn": onednn, "settings": times}
    if theirs:
        found["settings"]["onnxruntime"] = theirs.pop("settings")
        found["onnxruntime"] = theirs
    return found


def ratio(rounds, shape, cell, peer):
    """Above 1 for `many`, below 1 for the others: engraft is faster."""
    values = [r[shape]["engraft"][cell] / r[shape][peer][cell] for r in rounds]
    middle = statistics.median(values)
    return round(1 / middle if cell == "many" else middle, 3)


def print_table(ratios, peers, rounds, cores):
    print(f"\n{processor()}, {cores} cores, medians of {rounds} rounds; many: {MANY} pictures, throughput; else time")
    print(f"{'engraft /':14}" + "".join(f"{PEERS[peer]:^36}" for peer in peers))
    print(f"{'width  size':14}" + "".join(f"{title:>12}" for _ in peers for title in CELLS.values()))
    for shape, row in ratios.items():
        width, size = shape.split("/")
        print(f"{width:5}{size:>6}   " + "".join(f"{row[peer][cell]:12.2f}" for peer in peers for cell in CELLS))


def summary_of(ratios):
    cells = [(f"{shape}/{cell} vs {PEERS[peer]}", cell == "many", value)
             for shape, row in ratios.items() for peer, by_cell in row.items() for cell, value in by_cell.items()]
    return {
        "slower_than_peer": [name for name, throughput, value in cells if (value < 1 if throughput else value > 1)],
        "worst_latency_ratio": max(value for _, throughput, value in cells if not throughput),
        "worst_throughput_ratio": min(value for _, throughput, value in cells if throughput),
    }


def compare(programs, cores, count):
    engraft = Engraft(programs, cores)
    onnxruntime = OnnxRuntime(programs.parent / "peers", programs, cores)
    if not onnxruntime.ready:
        print(f"{onnxruntime.name} is left out: {onnxruntime.absent}")
    peers = [peer for peer in PEERS if peer != "onnxruntime" or onnxruntime.ready]
    rounds = []
    for number in range(count):
        rounds.append({f"{width:.2f}/{size}": measure_shape(engraft, onnxruntime, width, size, number % 2 == 1)
                       for width in WIDTHS for size in SIZES})
        print(f"round {number + 1} of {count} is done", flush=True)
    ratios = {shape: {peer: {cell: ratio(rounds, shape, cell, peer) for cell in CELLS} for peer in peers}
              for shape in rounds[0]}
    print_table(ratios, peers, count, cores)
    summary = summary_of(ratios)
    write_results("-shapes", {"processor": processor(), "cores": cores, "summary": summary, "ratios": ratios, "rounds": rounds})
    print(json.dumps(summary))
