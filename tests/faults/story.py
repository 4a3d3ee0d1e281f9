"""One randomised run: what goes wrong, when, all drawn from a seed; and how it is played."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random

from clarion.kit.crash import POINTS
from tests.faults.crew import Crew
from tests.faults.scene import Scene

# Names as in docs/sandbox.md, with a parameter that suits a channel whose total time-out is a second.
CALL_FAULTS: dict[str, float | None] = {
    "slow": 0.15,
    "drop_after_accept": None,
    "drop_before_accept": None,
    "error_after_accept": None,
    "refuse_500": None,
    "not_processed_503": None,
    "throttle": 0.1,
    "throttle_bare": None,
    "answer_late": 1.4,
    "accept_late": 1.1,
    "malformed_json": None,
    "half_close": None,
    "reset": None,
    "refuse_permanent": None,
}
WAKING = 0.5  # seconds in which a thawed worker has looked round and written down what it knows
CHAOS = ("kill", "freeze", "terminate", "echo", "nothing")


@dataclass(frozen=True)
class Story:
    """A run's plan. `chaos` is (seconds after the start, what)."""

    seed: int
    people: int
    workers: int
    rate: float
    look_up: bool
    faults: dict[str, float]
    crashes: tuple[str, ...]
    chaos: tuple[tuple[float, str], ...] = field(default_factory=tuple)

    @classmethod
    def drawn(cls, seed: int) -> Story:
        """The plan that a seed means, for ever."""
        rng = Random(seed)
        names = rng.sample(sorted(CALL_FAULTS), rng.randint(0, 4))
        workers = rng.choice((1, 2, 2, 3, 4))
        points = [p for p in POINTS if not p.startswith("expand")]
        crashes = [
            f"{rng.choice(points)}:{rng.choice((1, 1, 2, 5, 20))}" for _ in range(rng.randint(0, workers))
        ]
        chaos = sorted((rng.uniform(0.1, 0.8), rng.choice(CHAOS)) for _ in range(rng.randint(0, 3)))
        return cls(
            seed=seed, people=rng.randint(10, 80), workers=workers, rate=rng.choice((150.0, 100_000.0)),
            look_up=rng.random() < 0.5, faults={name: rng.uniform(0.02, 0.15) for name in names},
            crashes=tuple(crashes), chaos=tuple(chaos),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.__dict__}"


def play(story: Story, scene: Scene, mutant: str = "", seconds: float = 40.0) -> list[str]:
    """Play a story in a scene that is set up; everything that is wrong at the end, as sentences."""
    scene.sandbox.reset()
    parameters = {
        name: value for name, value in CALL_FAULTS.items() if value is not None and name in story.faults
    }
    scene.sandbox.configure(faults=None)  # a patch merges: the last story's faults go first
    scene.sandbox.configure(
        faults={"seed": story.seed, "probabilities": story.faults, "parameters": parameters},
        lookup={"mode": "on" if story.look_up else "off", "lag": 0.1},
    )
    crew = Crew(scene.environment, scene.folder, mutant)
    plan = list(story.chaos)
    rng = Random(story.seed + 1)
    try:
        for number in range(story.workers):
            crew.start(story.crashes[number] if number < len(story.crashes) else "")
        began = time.monotonic()

        def step() -> None:
            crew.supervise()
            elapsed = time.monotonic() - began
            while plan and plan[0][0] <= elapsed:
                _strike(plan.pop(0)[1], crew, scene, rng)
            if elapsed > 1.8:
                crew.thaw()

        done = scene.wait_done(seconds, step)
        if crew.frozen or any(what == "freeze" for _, what in story.chaos):
            # Who wakes now puts back what it had not begun, though it was held for unknown: to be sent yet.
            crew.thaw()
            time.sleep(WAKING)
            done = done and scene.wait_done(seconds, step)
        if done and story.look_up:
            done = scene.wait_settled(seconds, step)
        codes = crew.stop()
        wrong = [] if done else [f"not done after {seconds} s: {dict(scene.states())}"]
        if any(code is None for code in codes):
            wrong.append(f"a worker did not end within its time: {codes}")
        if done and story.look_up and (left := scene.unknown()):
            wrong.append(f"{left} are left unknown although the provider can be asked")
        return wrong + scene.judge()
    finally:
        crew.stop(timeout=0.0)


def _strike(what: str, crew: Crew, scene: Scene, rng: Random) -> None:
    alive = [p for p in crew.processes if p.is_alive() and p not in crew.frozen]
    if not alive:
        return
    victim = rng.choice(alive)
    if what == "kill":
        crew.kill(victim)
    elif what == "freeze":
        crew.freeze(victim)
    elif what == "terminate":
        victim.terminate()
    elif what == "echo":
        scene.echo()


def tell(story: Story, wrong: list[str]) -> str:
    """What a failure prints: the seed first."""
    return f"seed {story.seed} (CLARION_FAULT_SEED={story.seed}): " + "; ".join(wrong[:8]) + f"\n{story}"
