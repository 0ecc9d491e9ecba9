"""From raw results to rows: medians over the repeats with their spread, ours first, then what it is set against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmark.report import Row
from benchmark.router import cells
from benchmark.router.cells import Cell
from benchmark.router.generator import Taken, Times
from benchmark.router.goals import judged
from benchmark.router.ours import NAME
from benchmark.router.results import Growth, Results

DIRECT = "direct"
_MS = 1e-3


@dataclass(frozen=True)
class Single:
    """A row of one value, read of each repeat."""

    name: str
    unit: str
    cell: Cell
    read: Callable[[Taken], float]
    direct: bool = False


@dataclass(frozen=True)
class Spread:
    """A row of p50 and p99 in milliseconds. `added`: less what the upstream took itself in the same repeat."""

    name: str
    cell: Cell
    read: Callable[[Taken], Times]
    added: bool = False


FIGURES: Sequence[Single | Spread] = (
    Single("call_cpu", "us", cells.JSON_32, lambda taken: taken.cpu_us),
    Single("call_cpu_c1", "us", cells.JSON_1, lambda taken: taken.cpu_us),
    Single("call_cpu_c256", "us", cells.JSON_256, lambda taken: taken.cpu_us),
    Single("stream_cpu", "us", cells.PACED_32, lambda taken: taken.cpu_us),
    Single("stream_cpu_c256", "us", cells.PACED_256, lambda taken: taken.cpu_us),
    Single("burst_cpu", "us", cells.BURST_32, lambda taken: taken.cpu_us),
    Single("burst_cpu_c1", "us", cells.BURST_1, lambda taken: taken.cpu_us),
    Single("burst_cpu_c256", "us", cells.BURST_256, lambda taken: taken.cpu_us),
    Spread("added_latency", cells.JSON_1, lambda taken: taken.latency, added=True),
    Spread("latency_c32", cells.JSON_32, lambda taken: taken.latency),
    Spread("latency_c256", cells.JSON_256, lambda taken: taken.latency),
    Spread("burst_latency_c1", cells.BURST_1, lambda taken: taken.latency),
    Single("throughput", "1/s", cells.JSON_32, lambda taken: taken.rate, direct=True),
    Single("throughput_c1", "1/s", cells.JSON_1, lambda taken: taken.rate, direct=True),
    Single("throughput_c256", "1/s", cells.JSON_256, lambda taken: taken.rate, direct=True),
    Single("stream_throughput", "1/s", cells.BURST_32, lambda taken: taken.rate, direct=True),
    Spread("ttft", cells.PACED_OPEN, lambda taken: taken.first),
    Spread("ttft_c32", cells.PACED_32, lambda taken: taken.first),
    Spread("ttft_c256", cells.PACED_256, lambda taken: taken.first),
    Spread("chunk_gap", cells.PACED_OPEN, lambda taken: taken.gap),
    Spread("chunk_gap_c32", cells.PACED_32, lambda taken: taken.gap),
    Spread("chunk_gap_c256", cells.PACED_256, lambda taken: taken.gap),
)


def rows(results: Results) -> list[Row]:
    """Give all rows that were measured. Ours has no reference; a peer's has its name, and `ratio` is ours over it."""
    found: list[Row] = []
    for figure in FIGURES:
        found += _compared(figure, [taken for taken in results.taken if taken.cell.name == figure.cell.name])
    return [judged(row) for row in (*found, *_memory(results.grown), *_others(results.taken))]


def _compared(figure: Single | Spread, taken: Sequence[Taken]) -> list[Row]:
    names = sorted({each.target for each in taken} - {NAME, DIRECT})
    wanted = [NAME, *names]
    if figure.direct if isinstance(figure, Single) else not figure.added:
        wanted.insert(1, DIRECT)
    made = {name: _row(figure, name, taken) for name in wanted if any(each.target == name for each in taken)}
    ours = made.get(NAME)
    if ours is None:
        return []
    return [ours, *(_against(ours, made[name], name) for name in made if name != NAME)]


def _row(figure: Single | Spread, name: str, taken: Sequence[Taken]) -> Row:
    own = sorted((each for each in taken if each.target == name), key=lambda each: each.repeat)
    count, failed = sum(each.done for each in own), sum(each.failed for each in own)
    note = _load(figure)
    if isinstance(figure, Single):
        values = [figure.read(each) for each in own]
        return Row(
            figure.name, figure.unit, count, value=median(values), low=min(values), high=max(values), failed=failed,
            note=note,
        )  # fmt: skip
    base = {each.repeat: figure.read(each) for each in taken if each.target == DIRECT} if figure.added else {}
    p50s = [_less(figure.read(each).p50, base, each.repeat, "p50") for each in own]
    p99s = [_less(figure.read(each).p99, base, each.repeat, "p99") for each in own]
    return Row(
        figure.name, "ms", count, p50=median(p50s), p99=median(p99s), low=min(p50s), high=max(p50s), failed=failed,
        note=note,
    )  # fmt: skip


def _less(value: float, base: dict[int, Times], repeat: int, part: str) -> float:
    """Give milliseconds, less the upstream's own of the same repeat where there is a base."""
    own: float = getattr(base[repeat], part) if base else 0.0
    return (value - own) * _MS


def _load(figure: Single | Spread) -> str:
    cell = figure.cell
    form = {"json": "JSON", "burst": "stream in one piece", "paced": "64 tokens, one every 5 ms"}[cell.form]
    load = f"{cell.rate:g} begun a second" if cell.rate else f"{cell.callers} at once"
    return f"{form}, {load}" + (", less the upstream's own" if isinstance(figure, Spread) and figure.added else "")


def _against(ours: Row, theirs: Row, name: str) -> Row:
    ratio = ours.figure / theirs.figure if theirs.figure > 0 else None
    return Row(**{**theirs.__dict__, "reference": name, "ratio": ratio, "note": None})


def _memory(grown: Sequence[Growth]) -> list[Row]:
    """How much more memory is held after all calls than after the first portion of them."""
    made = {each.target: _growth(each) for each in grown}
    ours = made.pop(NAME, None)
    return [] if ours is None else [ours, *(_against(ours, row, name) for name, row in made.items())]


def _growth(grown: Growth) -> Row:
    value = grown.sizes[-1] - grown.sizes[0]
    note = f"JSON, 32 at once; PSS {grown.sizes[0]:.0f} MiB after the first calls, {grown.sizes[-1]:.0f} MiB after all"
    return Row("memory_growth", "MiB", grown.calls, value=value, note=note)


def _others(taken: Sequence[Taken]) -> list[Row]:
    """Say what else the machine did meanwhile."""
    if not taken:
        return []
    values = [each.others_cores for each in taken]
    note = "cores that other programs kept busy during a measurement: the machine's noise"
    return [
        Row("other_load", "cores", len(taken), value=median(values), low=min(values), high=max(values), note=note)
    ]  # fmt: skip
