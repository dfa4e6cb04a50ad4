"""Prints the figures of compare/run as a table of ratios, with the goals that are stated for them."""

import json
import sys

GOALS = {
    ("decode", "hessian-lite 4"): 3.0,
    ("decode", "dubbo-go-hessian2"): 8.0,
    ("tree", "hessian-lite 4"): 1.5,
}
PLAN_GOAL = 1.5  # times our own decode
SPEED_GOALS = {"64 KiB text": 1500, "1000 pojos": 400}  # skim, MB/s


def bound(what, message):
    """What keeps a figure from its goal, as profiles show."""
    if what != "plan":
        return "one jump a value that the data decides, and the allocations of a tree"
    if "KiB" in message:
        return "text is copied once into a new message, where reading it only looks at it"
    return "the fixed cost of a message: its class definition by name, and its one allocation"



rows = [json.loads(line) for line in open(sys.argv[1])]
nanos = {(r["codec"], r["what"], r["message"]): r["nanos"] for r in rows}
sizes = {r["message"]: r["bytes"] for r in rows}
others = ["hessian-lite 4", "hessian-lite 3", "dubbo-go-hessian2"]
short = []

print(f"{'message':18} {'bytes':>7} {'what':7} {'ours':>10} {'MB/s':>7}  " + "  ".join(f"{o:>26}" for o in others))
for message, size in sizes.items():
    for what in ["skim", "decode", "plan", "tree", "encode"]:
        ours = nanos[("landbridge", what, message)]
        speed = size / ours * 1000
        line = f"{message:18} {size:>7} {what:7} {ours:>8.0f}ns {speed:>7.0f}"
        goal = SPEED_GOALS.get(message) if what == "skim" else None
        if goal and speed < goal:
            short.append(f"skim of {message}: {speed:.0f} MB/s, goal {goal}")
        if what == "plan":
            times = ours / nanos[("landbridge", "decode", message)]
            line += f"  {times:.2f} times our decode"
            if times > PLAN_GOAL:
                short.append(f"plan of {message}: {times:.2f} times the decode alone, goal {PLAN_GOAL}; {bound(what, message)}")
            print(line)
            continue
        for other in others:
            theirs = nanos.get((other, "encode" if what == "encode" else "decode", message))
            if what == "skim" or theirs is None:
                line += "  " + " " * 26
                continue
            ratio = theirs / ours
            line += f"  {theirs:>14.0f}ns {ratio:>8.1f}x"
            goal = GOALS.get((what, other))
            if goal and ratio < goal:
                short.append(f"{what} of {message} beside {other}: {ratio:.1f}x, goal {goal}x; {bound(what, message)}")
        print(line)
print()
print("decode: tokens, without a tree; plan: Hessian to protobuf; tree: `Value`. Theirs builds objects in both rows.")
for line in short:
    print("short of its goal:", line)
