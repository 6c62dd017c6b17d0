"""Learning curves: k pictures a label are taught over HTTP, then the rest is asked."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks import ledger
from benchmarks.marks import Mark, Measured
from benchmarks.schooling import Labelled, ask_all, lesson, read
from benchmarks.served import Client, Service, free_port
from domain import TaskKind
from terminal import progress_bar


@dataclass(frozen=True, slots=True)
class Course:
    """What is taught and how many pictures a label at a time. `marks`: accuracies to reach."""

    name: str
    folder: str
    kind: TaskKind
    shots: tuple[int, ...]
    marks: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


COURSES = {
    course.name: course
    for course in (
        Course("kannada", "kannada", TaskKind.DRAWING, (1, 3, 5, 10), (0.75, 0.89, 0.93, 0.96)),
        Course("smile", "smile", TaskKind.PHOTO, (5, 20, 100), (0.74, 0.80, 0.86)),
        Course(
            "hands", "hands/indoor", TaskKind.PHOTO, (1, 3, 5, 10, 20),
            labels=("thumbs_up", "thumbs_down"),
        ),
    )
}  # fmt: skip


@dataclass(slots=True)
class Point:
    """One k: of each seed the share answered rightly; of each correction the milliseconds."""

    accuracies: list[float] = field(default_factory=list)
    teach_ms: list[float] = field(default_factory=list)
    asked: int = 0
    similar: int = 0

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "accuracy": round(float(np.mean(self.accuracies)), 4),
            "spread": round(float(np.std(self.accuracies)), 4),
            "of_each_seed": [round(accuracy, 4) for accuracy in self.accuracies],
            "asked": self.asked,
            "answered_by_similar_pictures": self.similar,
            "teach_ms_median": round(float(np.median(self.teach_ms)), 1),
            "teach_ms_p95": round(float(np.percentile(self.teach_ms, 95)), 1),
        }


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--courses", nargs="+", choices=COURSES, default=list(COURSES))
    parser.add_argument("--seeds", type=int, default=5, help="fresh tasks (%(default)s)")
    parser.add_argument(
        "--asked", type=int, default=500, help="pictures at most a seed and k (%(default)s)"
    )


def measure(arguments: argparse.Namespace, folder: Path) -> Measured:
    """Run the courses against one service.

    Raises
    ------
    NotEnoughData
        A course has too few pictures.
    """
    curves: dict[str, dict[int, Point]] = {}
    with Service(folder / "kshot", free_port()) as service:
        for name in arguments.courses:
            course = COURSES[name]
            pictures = read(arguments.data / course.folder, course.kind, course.labels)
            curves[name] = run(course, pictures, service.port, arguments.seeds, arguments.asked)
    figures = {
        "seeds": arguments.seeds,
        "courses": {
            name: {str(k): point.summary() for k, point in curve.items()}
            for name, curve in curves.items()
        },
    }
    draw(figures["courses"], ledger.FOLDER / "out" / "learning-kshot.png")
    return Measured(figures, _line(figures), list(_marks(figures["courses"])))


def run(
    course: Course, pictures: Sequence[Labelled], port: int, seeds: int, asked: int
) -> dict[int, Point]:
    """Teach and ask, in a fresh task each seed."""
    points = {k: Point() for k in course.shots}
    total = seeds * len(course.shots)
    with progress_bar(f"Teaching {course.name}", total) as advance, Client(port) as teacher:
        for seed in range(seeds):
            task = f"{course.name}-{seed}"
            teacher.make(task, course.kind.value)
            taught, rest = lesson(pictures, course.shots[-1], asked, seed)
            done = 0
            for k in course.shots:
                # the labels take turns, as people who teach several do
                turns = [one[at] for at in range(done, k) for one in taught.values()]
                points[k].teach_ms.extend(_teach(teacher, task, turns))
                _examine(points[k], port, task, rest)
                done = k
                advance(1)
    return points


def _teach(client: Client, task: str, pictures: Sequence[Labelled]) -> Iterator[float]:
    for picture in pictures:
        data = picture.data
        started = time.perf_counter()
        client.teach(task, data, picture.label)
        yield (time.perf_counter() - started) * 1000


def _examine(point: Point, port: int, task: str, pictures: Sequence[Labelled]) -> None:
    answers = ask_all(port, task, [picture.data for picture in pictures])
    right = [a["prediction"] == p.label for a, p in zip(answers, pictures, strict=True)]
    point.accuracies.append(float(np.mean(right)))
    point.asked += len(right)
    point.similar += sum(answer["source"] == "similar" for answer in answers)


def draw(courses: Mapping[str, Any], out: Path) -> None:
    """The learning curves, with their spread and their marks."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in courses.items():
        shots = [int(k) for k in curve]
        means = [100 * point["accuracy"] for point in curve.values()]
        spreads = [100 * point["spread"] for point in curve.values()]
        (line, *_) = axes.errorbar(shots, means, yerr=spreads, marker="o", capsize=3, label=name)
        marks = COURSES[name].marks
        if marks:
            wanted = [100 * mark for mark in marks]
            axes.plot(shots, wanted, "_", color=line.get_color(), markersize=18)
    axes.set_xscale("log")
    axes.set(xlabel="pictures taught of each label", ylabel="answered rightly, %")
    axes.set_title("Learning over HTTP; bars: one standard deviation over seeds, dashes: marks")
    axes.grid(alpha=0.3)
    axes.legend()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)


def _marks(courses: Mapping[str, Any]) -> Iterator[Mark]:
    for name, curve in courses.items():
        for k, wanted in zip(COURSES[name].shots, COURSES[name].marks, strict=False):
            yield Mark(f"{name}, {k} a label", curve[str(k)]["accuracy"], least=wanted)


def _line(figures: Mapping[str, Any]) -> str:
    told = []
    for name, curve in figures["courses"].items():
        shots = " / ".join(curve)
        right = " / ".join(
            f"{100 * point['accuracy']:.1f} ± {100 * point['spread']:.1f}"
            for point in curve.values()
        )
        times = [point["teach_ms_median"] for point in curve.values()]
        told.append(f"{name} {shots} a label: {right} %, {max(times):.0f} ms a correction")
    return f"taught over HTTP, {figures['seeds']} seeds: " + "; ".join(told)
