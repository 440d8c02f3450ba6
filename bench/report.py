"""The results as tables for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.proxy.results import Holding, ProxyResult
from bench.results import Results
from bench.spread import Spread
from bench.targets import TARGETS, verdict


def text(results: Results) -> str:
    """Return all measurements as text."""
    parts = [", ".join(f"{name}: {value}" for name, value in results.about.items())]
    if results.cpu:
        parts.append(_cpu(results))
    if facts := list(_facts(results)):
        parts.append(table(("measured", "result"), facts))
    if results.proxy is not None:
        parts.append(_proxy(results.proxy))
    if results.proxy_memory:
        parts.append(_proxy_memory(results.proxy_memory))
    parts.append(_to_reach(results))
    parts += [f"VOID {name}: {reason}" for name, reason in results.void.items()]
    return "\n\n".join(parts)


def _cpu(results: Results) -> str:
    head = (
        "row",
        "CPU ms/message",
        "messages/s",
        "AWS requests/message",
        "peak MiB",
        "floor ms",
        "ratio",
        "floor, same requests, ms",
        "ratio",
    )
    rows = [
        (
            name,
            row.cpu_ms.text(3),
            row.per_s.text(0),
            row.aws_requests.text(2),
            row.peak_mib.text(1),
            row.floor_ms.text(3),
            f"{row.ratio.text(1)}x",
            row.same_ms.text(3),
            f"{row.ratio_same.text(1)}x",
        )
        for name, row in results.cpu.items()
    ]
    requests = [
        f"  {name}: {', '.join(f'{operation} {count:g}' for operation, count in row.requests.items())}"
        for name, row in results.cpu.items()
    ]
    return "\n".join([table(head, rows), "", "requests a message:", *requests])


def _facts(results: Results) -> Iterable[tuple[str, str]]:
    if results.distance is not None:
        far = results.distance
        yield "messages/s, 100 workers, queue and store near", far.near_per_s.text(0)
        yield "  queue 20 ms away", f"{far.queue_per_s.text(0)}, {far.queue_share.text(2)} of that"
        yield (
            "  store too: GET 20 ms, PUT 30 ms",
            f"{far.all_per_s.text(0)}, {far.all_share.text(2)} of what is allowed",
        )
    if results.busy_mib is not None:
        yield "peak memory, 100 workers, all of them busy", f"{results.busy_mib:.1f} MiB"
    for name, mib in results.memory.items():
        yield f"peak memory, payload and result of {name}, 4 workers", f"{mib:.1f} MiB"
    if results.start is not None:
        yield "process start to first POST", f"{results.start.first_post_s.text(2)} s"
        yield "  compared with a Python that imports asyncio, uvloop, ssl", f"{results.start.ratio.text(1)}x"
    if results.latency_s is not None:
        yield "message on an idle queue to POST", f"{_ms(results.latency_s)} ms"
    if results.idle_percent is not None:
        yield "CPU when idle", f"{results.idle_percent:.2f} % of a core"
    if results.enqueuer is not None:
        made = results.enqueuer
        yield "enqueuer, items/s, items of 100 bytes, batches of 100", made.items_per_s.text(0)
        yield "  CPU us/item", made.cpu_us.text(1)
        yield f"  items/s of 1,000 bytes, a file of {made.file_mib:,.0f} MiB", f"{made.large_items_per_s:,.0f}"
        yield "  peak memory with that file", f"{made.peak_mib:.1f} MiB"
    yield from _gateway_facts(results)
    if results.soak is not None:
        soak = results.soak
        means = f"{soak.first_mib:.1f} MiB, then {soak.last_mib:.1f} MiB"
        yield f"memory, first and last quarter of {soak.messages} messages", f"{means} ({soak.apart * 100:+.1f} %)"


def _gateway_facts(results: Results) -> Iterable[tuple[str, str]]:
    if results.gateway is not None:
        taken = results.gateway
        yield "gateway, submissions/s with the payload in the message", taken.per_s.text(0)
        yield "  CPU us/submission, that of its floor", f"{taken.cpu_us.text(0)}, {taken.floor_us.text(0)}"
        yield "  ratio to the floor", f"{taken.ratio.text(1)}x"
        memory = f"{taken.first_mib:.1f} MiB, {taken.last_mib:.1f} MiB"
        yield f"  peak memory after a quarter of {taken.submissions}, after all", memory
    if results.waiters is not None:
        held = results.waiters
        yield f"gateway, peak memory with {held.waiters} clients that wait", f"{held.peak_mib:.1f} MiB"
        yield "  KiB for each, CPU of a core", f"{held.kib_each:.1f}, {held.cpu_percent:.0f} %"


def _proxy(result: ProxyResult) -> str:
    head = (
        *("proxy", "CPU us/request", "requests/s", "at half load: requests/s", "CPU us/request"),
        *("p50 added, ms", "p99 added, ms", "p99.9 added, ms"),
    )
    rows = [
        (
            name,
            it.cpu_us.text(1),
            it.per_s.text(0),
            f"{it.rate:.0f}",
            it.paced_us.text(1),
            it.added_ms.p50.text(3),
            it.added_ms.p99.text(3),
            it.added_ms.p999.text(3),
        )
        for name, it in result.programs.items()
    ]
    direct = result.direct_ms
    facts = (
        ("CPU of dequeuer to the floor, at half load", f"{result.to_floor.text(2)}x"),
        ("  each as fast as it can", f"{result.to_full_floor.text(2)}x"),
        ("CPU of dequeuer to a proxy with aiohttp", f"{result.to_usual.text(3)}x"),
        *(
            [("CPU of dequeuer to uvicorn, Starlette and httpx", f"{result.to_starlette.text(3)}x")]
            if result.to_starlette is not None
            else []
        ),
        ("CPU of the raw client", f"{result.client_us:.1f} us/request"),
        ("p50, p99, p99.9 without a proxy, ms", ", ".join(it.text(3) for it in (direct.p50, direct.p99, direct.p999))),
    )
    return "\n".join([table(head, rows), "", table(("measured", "result"), facts)])


def _proxy_memory(found: Mapping[str, Holding]) -> str:
    head = ("proxy, MiB", "1,000 streams", "10,000 idle", "download", "upload", "download MiB/s", "upload MiB/s")
    rows = [
        (
            name,
            *(f"{mib:.1f}" for mib in (it.streams_mib, it.idle_mib, it.download_mib, it.upload_mib)),
            f"{it.download_mib_per_s:.0f}",
            f"{it.upload_mib_per_s:.0f}",
        )
        for name, it in found.items()
    ]
    return table(head, rows)


def _ms(seconds: Spread) -> str:
    return Spread(median=seconds.median * 1e3, minimum=seconds.minimum * 1e3, maximum=seconds.maximum * 1e3).text(1)


def to_reach(results: Results) -> list[dict[str, Any]]:
    """Return the targets with their measurements."""
    return [
        {
            "what": target.what,
            "go": target.go,
            "nearer": target.nearer,
            "farther": target.farther,
            "unit": target.unit.strip(),
            "measured": (value := target.measured(results)),
            "verdict": verdict(target, value),
        }
        for target in TARGETS
    ]


def _to_reach(results: Results) -> str:
    rows = []
    for target in TARGETS:
        value = target.measured(results)
        goals = dict.fromkeys(f"{goal:g}{target.unit}" for goal in (target.nearer, target.farther))
        shown = "-" if value is None else f"{value:.{target.digits}f}{target.unit}"
        rows.append((target.what, target.go, ", then ".join(goals), shown, verdict(target, value)))
    return table(("to reach", "Go original", "goal", "measured", "verdict"), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    written = [_line(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    written.insert(1, _line("-" * width for width in widths))
    return "\n".join(written)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(results: Results) -> str:
    """Return all measurements as JSON."""
    return json.dumps({**asdict(results), "to_reach": to_reach(results)}, indent=2) + "\n"
