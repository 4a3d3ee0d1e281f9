"""One randomised run: what goes wrong, when, all drawn from a seed; and how it is played."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from clarion.kit.crash import POINTS
from tests.faults.crew import Crew
from tests.faults.judge import forgotten, unheard
from tests.faults.outage import WAYS, Outage, Weather
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
# What is told afterwards: how for all of a story, and otherwise for some.
RECEIPT_MODES = ("normal", "early", "late", "five_times", "reversed", "missing")
RECEIPT_FAULTS: dict[str, float | None] = {
    "receipts_early": None,
    "receipts_late": 0.8,
    "receipts_five_times": None,
    "receipts_reversed": None,
    "receipts_missing": None,
    "receipts_failed": 131026,
}
QUICKLY = {
    "sent_after": 0.02, "delivered_after": 0.1, "read_after": 0.25, "read_share": 0.5, "batch_within": 0.02,
    "batch_size": 10, "late_by": 0.8, "missing_share": 0.5, "backoff": 0.1, "backoff_cap": 0.5, "retries": 40,
}  # fmt: skip
WORKERS, SHARES = (1, 2, 3, 4, 5, 6, 7, 8), (12, 30, 22, 22, 5, 4, 2, 3)
WAKING = 0.5  # seconds in which a thawed worker has looked round and written down what it knows
RETURNING = 3.0  # seconds until whoever waits for the database has looked again
PATIENCE = 120.0  # seconds for a story to end; it takes ten where nothing else keeps the machine busy
CHAOS = ("kill", "freeze", "terminate", "echo", "deafen", "nothing")
VIOLENT = ("kill", "freeze")  # who suffers it cannot write down what it knows


@dataclass(frozen=True)
class Story:
    """A run's plan. `chaos` is (seconds after the start, what); `receipts` how the provider tells what became
    of it, empty where it tells nothing."""

    seed: int
    people: int
    workers: int
    rate: float
    look_up: bool
    faults: dict[str, float]
    crashes: tuple[str, ...]
    chaos: tuple[tuple[float, str], ...] = field(default_factory=tuple)
    receipts: str = ""
    outage: Outage | None = None
    keyed: bool = False  # the provider knows a reference again
    falls: bool = False  # what does not arrive goes on over a second channel
    deaf_at_its_end: bool = False  # the hooks are killed shortly before the database comes back

    @classmethod
    def drawn(cls, seed: int) -> Story:
        """The plan that a seed means. Half of the outages meet nothing violent: what is unknown after
        such a one was forgotten."""
        rng = Random(seed)
        names = rng.sample(sorted(CALL_FAULTS), rng.randint(0, 4))
        workers = rng.choices(WORKERS, SHARES)[0]
        points = [p for p in POINTS if not p.startswith(("expand", "poll", "pull"))]
        crashes = [
            f"{rng.choice(points)}:{rng.choice((1, 1, 2, 5, 20))}" for _ in range(rng.randint(0, workers))
        ]
        chaos = sorted((rng.uniform(0.1, 0.8), rng.choice(CHAOS)) for _ in range(rng.randint(0, 3)))
        outage = None
        if rng.random() < 0.3:
            outage = Outage(rng.choice(sorted(WAYS)), rng.uniform(0.0, 1.0), rng.uniform(0.2, 2.0))
            if rng.random() < 0.5:
                crashes, chaos = [], [(at, what) for at, what in chaos if what not in VIOLENT]
        receipts = rng.choice(RECEIPT_MODES) if rng.random() < 0.5 else ""
        names += rng.sample(sorted(RECEIPT_FAULTS), rng.randint(0, 3)) if receipts else []
        people, rate = rng.randint(10, 80), rng.choice((150.0, 100_000.0))
        if outage is not None and rate == 150.0:
            rate = 25.0  # slow enough that it comes in the middle of the sending
        look_up = rng.random() < 0.5
        faults = {name: rng.uniform(0.02, 0.15) for name in names}
        falls = rng.random() < 0.3
        keyed = not (falls or look_up or receipts) and rng.random() < 0.6
        if falls:
            faults["refuse_permanent"] = max(0.2, faults.get("refuse_permanent", 0.0))
        return cls(
            seed=seed, people=people, workers=workers, rate=rate, look_up=look_up, faults=faults,
            falls=falls, keyed=keyed,
            crashes=tuple(crashes), chaos=tuple(chaos), receipts=receipts, outage=outage,
        )  # fmt: skip

    @property
    def told(self) -> bool:
        """Whether the provider can be asked what became of a call, in one way or the other."""
        return self.look_up or self.keyed

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.__dict__}"


def play(story: Story, scene: Scene, mutant: str = "", seconds: float = PATIENCE) -> list[str]:
    """Play a story in a scene that is set up; everything that is wrong at the end, as sentences."""
    provide(story, scene)
    crew = Crew(scene.environment, scene.folder, mutant)
    sky = Weather(scene.house, story.outage, story.people, lambda: scene.sandbox.summary()["requests"])
    try:
        for number in range(story.workers):
            crew.start(story.crashes[number] if number < len(story.crashes) else "")
        done = _pass(story, scene, crew, _stepping(story, scene, crew, sky), seconds)
        codes = crew.stop()
        if done and (scene.waiting() or (scene.hooks is not None and scene.coming())):
            # Who was taken for dead, since the machine was too busy for its beats, has put back at its end
            # what it had not begun: the next one sends it; or it has made calls of which nobody has read yet
            # what became of them: the next one does.
            crew.start()
            done = _pass(story, scene, crew, crew.supervise, seconds)
            codes += crew.stop()
        wrong = [] if done else [f"not done after {seconds} s: {dict(scene.states())}"]
        if any(code is None for code in codes):
            wrong.append(f"a worker did not end within its time: {codes}")
        if done and story.told and (left := scene.unknown()):
            wrong.append(f"{left} are left unknown although the provider can be asked")
        if done and not crew.killed and not any(what == "freeze" for _, what in story.chaos):
            wrong += forgotten(scene)
        if done and scene.hooks is not None:
            wrong += unheard(scene)
        return wrong + scene.judge()
    finally:
        sky.clear_up()
        crew.stop(timeout=0.0)
        scene.sandbox.configure(callback_url=None)


def provide(story: Story, scene: Scene) -> None:
    """The provider as this story has it."""
    parameters = {
        name: value
        for name, value in (CALL_FAULTS | RECEIPT_FAULTS).items()
        if value is not None and name in story.faults
    }
    scene.sandbox.configure(faults=None)  # a patch merges: the last story's faults go first
    scene.sandbox.configure(
        faults={"seed": story.seed, "probabilities": story.faults, "parameters": parameters},
        lookup={"mode": "on" if story.look_up else "off", "lag": 0.1},
        receipts=QUICKLY | {"mode": story.receipts or "none"},
        callback_url=f"{scene.hooks.url}/hooks/{scene.channel_id}" if scene.hooks is not None else None,
    )
    scene.sandbox.reset()


def _stepping(story: Story, scene: Scene, crew: Crew, sky: Weather) -> Callable[[], None]:
    """What happens between two looks: the story's chaos when it is due, and the supervisor's work."""
    plan = list(story.chaos)
    rng = Random(story.seed + 1)
    began = time.monotonic()
    deaf = story.deaf_at_its_end

    def step() -> None:
        nonlocal deaf
        if deaf and scene.hooks is not None and sky.nearly_over:
            deaf = False
            scene.hooks.kill()
        sky.step()
        scene.away = sky.away
        crew.supervise()
        if scene.hooks is not None:
            scene.hooks.supervise()
        elapsed = time.monotonic() - began
        while plan and plan[0][0] <= elapsed:
            _strike(plan.pop(0)[1], crew, scene, rng)
        if elapsed > 1.8:
            crew.thaw()

    return step


def _pass(story: Story, scene: Scene, crew: Crew, step: Callable[[], object], seconds: float) -> bool:
    """Wait for the end of all that is to come; False when something is still to come after `seconds`."""
    done = scene.wait_done(seconds, step)
    if crew.frozen or any(what == "freeze" for _, what in story.chaos):
        # Who wakes now puts back what it had not begun, though it was held for unknown: to be sent yet.
        crew.thaw()
        time.sleep(WAKING)
        done = done and scene.wait_done(seconds, step)
    if story.outage is not None:
        # So does who was replaced while the database was away, when next it looks whether that is back.
        scene.wait(lambda: scene.vanished() == 0, RETURNING, step)
        done = done and scene.wait_done(seconds, step)
    if done and story.told:
        done = scene.wait_settled(seconds, step)
    if done and scene.hooks is not None:
        done = scene.wait_heard(seconds, step, settled=story.told)
    return done


def _strike(what: str, crew: Crew, scene: Scene, rng: Random) -> None:
    if what == "deafen" and scene.hooks is not None:
        scene.hooks.kill()
    if what == "echo" and not scene.away:
        scene.echo()
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


def tell(story: Story, wrong: list[str]) -> str:
    """What a failure prints: the seed first."""
    return f"seed {story.seed} (CLARION_FAULT_SEED={story.seed}): " + "; ".join(wrong[:8]) + f"\n{story}"
