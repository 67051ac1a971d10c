"""Sending: calls go out to a teacher, as many and as fast as it takes them, and come back."""

from __future__ import annotations

import heapq
import queue
import random
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

from pvd.asking.calls import Call, loss
from pvd.asking.clerk import Clerk, Take
from pvd.asking.pacing import LONGEST_PAUSE
from pvd.asking.questions import Questions
from pvd.errors import Interrupted, PluginError, ProviderFailure
from pvd.failures import Busy, Lost, Rejected
from pvd.isolation import answers, keeping
from pvd.protocols import Teacher
from pvd.records import Reply
from pvd.store.database import Unwritable

POLL = 0.2  # seconds between looks for an answer that another process is getting
GLANCE = 1.0  # seconds after which the deadline is looked at, if nothing happens


def send(
    clerk: Clerk, teacher: Teacher, questions: Questions, digests: Sequence[str], take: Take
) -> list[str]:
    """Ask what no other process is asking, keep each answer as it comes, and hand it over; wait
    for those that others are asking. The questions that somebody handed in as a batch meanwhile."""
    if not digests:
        return []
    return _Sending(clerk, teacher, questions, digests, take).run()


class _Sending:
    """The calls of one asking: waiting to be sent, under way, or pausing before another try."""

    def __init__(
        self,
        clerk: Clerk,
        teacher: Teacher,
        questions: Questions,
        digests: Sequence[str],
        take: Take,
    ) -> None:
        self._clerk, self._teacher, self._questions, self._take = clerk, teacher, questions, take
        self._pace = clerk.pace(teacher)
        # Who shows the same pictures as another waits for its answer, so as not to pay for them.
        self._followers = questions.followers(digests)
        waiting = {digest for others in self._followers.values() for digest in others}
        self._ready = deque(digest for digest in digests if digest not in waiting)
        self._elsewhere: list[str] = []  # another process is asking these
        self._handed_in: list[str] = []  # another process handed these in as a batch
        self._look = time.monotonic() + POLL
        self._pausing: list[tuple[float, int, Call]] = []  # a heap, by when they are due
        self._running: set[Call] = set()
        self._done: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._short = False  # of money, until what is under way is settled; or of room
        # How many answers may be under way, for which the store's disk needs room.
        self._room = min(self._pace.most * teacher.capabilities.batch, len(digests))

    def run(self) -> list[str]:
        """Until everything is answered; what is under way when anything goes wrong is kept."""
        self._pool = ThreadPoolExecutor(self._pace.most)
        try:
            while self._ready or self._running or self._pausing or self._elsewhere:
                self._send_what_may_go()
                self._look_elsewhere()
                self._take_what_came()
        except BaseException as error:
            kept = self._drain(isinstance(error, KeyboardInterrupt))
            if isinstance(error, KeyboardInterrupt):
                what = "all answers" if kept else "all other answers"
                raise Interrupted(
                    f"Stopped; {what} are kept, the same command goes on from here."
                ) from None
            raise
        finally:
            self._clerk.leave()
            self._pool.shutdown(wait=False)  # nothing is under way, or it was given up
        return self._handed_in

    # --- out --------------------------------------------------------------------------------

    def _send_what_may_go(self) -> None:
        while (free := self._pace.limit - len(self._running)) > 0 and self._pace.wait() == 0:
            self._clerk.check_deadline()
            if self._pausing and self._pausing[0][0] <= time.monotonic():
                self._send(heapq.heappop(self._pausing)[2])
            elif not self._ready or not self._send_next(min(free, self._pace.at_once)):
                return

    def _send_next(self, calls: int) -> bool:
        """Claim the questions of so many calls, in one commit, and send what is ours of them;
        False if there is no money for all before what is under way is settled, or no room in the
        store."""
        size, budget = self._teacher.capabilities.batch, self._clerk.budget
        count = min(calls * size, len(self._ready))
        requests = {digest: self._questions[digest] for digest in islice(self._ready, count)}
        forecasts = {d: self._teacher.estimate(r.slate) for d, r in requests.items()}
        prices = [budget.aside(self._teacher, forecast) for forecast in forecasts.values()]
        with budget.reserving():
            affordable = budget.affordable(prices)
            self._short = affordable < count
            if not affordable:
                if not (self._running or self._pausing or budget.may_grow()):
                    budget.check(prices[:1])
                return False
            aside = dict(islice(zip(requests, prices, strict=True), affordable))
            mine = self._clerk.claim(self._teacher, aside, self._room)
            if mine is None:
                self._short = True
                return False
            for _ in aside:
                self._ready.popleft()
        for digest in (digest for digest in aside if digest not in mine):
            self._elsewhere.append(digest)
            self._let_follow(digest)
        ours = [requests[digest] for digest in aside if digest in mine]
        for start in range(0, len(ours), size):
            some = ours[start : start + size]
            expected = [forecasts[request.digest].expected for request in some]
            tokens = sum(one.input + one.output for one in expected)
            prices_of = {request.digest: aside[request.digest] for request in some}
            self._send(Call(some, prices_of, time.monotonic(), tokens))
        return not self._short

    def _send(self, call: Call) -> None:
        call.future, call.sent = Future(), time.monotonic()
        self._pace.sent(len(call.requests), call.tokens)
        # Before it is sent: an interrupt between the two must not lose the answer.
        self._running.add(call)
        self._pool.submit(self._work, call)

    def _work(self, call: Call) -> None:
        """In a worker thread: the call itself, unless it was cancelled before."""
        if not call.future.set_running_or_notify_cancel():
            return
        try:
            replies = self._teacher.answer(call.requests)
            try:
                call.future.set_result(answers.replies(self._teacher, call.requests, replies))
            except PluginError:
                call.sound = answers.sound(self._teacher, call.requests, replies)
                raise
        except BaseException as error:
            call.future.set_exception(error)
        self._done.put(call)

    def _let_follow(self, digest: str) -> None:
        """Those that waited for this question go next, while the provider remembers it."""
        self._ready.extendleft(reversed(self._followers.pop(digest, ())))

    # --- back -------------------------------------------------------------------------------

    def _look_elsewhere(self) -> None:
        """Take the answers that other processes got meanwhile, or their turn if they died."""
        if len(self._elsewhere) != self._clerk.elsewhere:
            self._clerk.elsewhere = len(self._elsewhere)
            self._clerk.progress.show(self._clerk.status())
        if self._elsewhere and time.monotonic() >= self._look:
            self._clerk.check_deadline()
            self._look = time.monotonic() + POLL
            theirs = self._clerk.look_up(self._questions, self._elsewhere, self._take, waited=True)
            there = self._clerk.store.submitted(theirs)
            self._elsewhere = []
            for digest in theirs:
                (self._handed_in if there.get(digest) else self._ready).append(digest)

    def _take_what_came(self) -> None:
        """Wait until a call is back or something else is due, and take all that is there."""
        if not self._running:
            time.sleep(self._pause())
            return
        back: list[Call] = []
        with suppress(queue.Empty):
            back.append(self._done.get(timeout=self._pause()))
            while True:
                back.append(self._done.get_nowait())
        good = [call for call in back if call.future.exception() is None]
        self._keep(good)
        for call in back:
            if (error := call.future.exception()) is not None:
                self._failed(call, error)
        # Only now: a change stops the run, but loses none of the answers under way.
        for model in dict.fromkeys(reply.model for call in good for reply in call.future.result()):
            self._clerk.same_model(self._teacher, model)

    def _pause(self) -> float:
        """Seconds until something may have to be done though no call comes back."""
        now, due = time.monotonic(), [GLANCE]
        if self._elsewhere:
            due.append(self._look - now)
        if len(self._running) < self._pace.limit:
            if self._pausing:
                due.append(max(self._pausing[0][0] - now, self._pace.wait()))
            if self._ready and not self._short:
                due.append(self._pace.wait())
        return max(min(due), 0.0)

    def _keep(self, calls: Sequence[Call]) -> None:
        """Store the answers of these calls, in one commit, and hand them over."""
        answered = [
            pair for call in calls for pair in zip(call.requests, call.future.result(), strict=True)
        ]
        if not answered:
            return
        self._clerk.usage.calls += len(calls)
        aside = {digest: price for call in calls for digest, price in call.aside.items()}
        try:
            self._clerk.keep(self._questions, answered, self._take, aside)
        except Unwritable:
            raise
        except Exception:  # of what reads them: they are kept and counted, and not once more
            self._running.difference_update(calls)
            raise
        for call in calls:
            self._pace.answered(len(self._running))
            tokens = [reply.tokens for reply in call.future.result()]
            if counted := sum(one.input + one.output for one in tokens):
                self._pace.counted(counted - call.tokens)
        self._running.difference_update(calls)
        for request, _ in answered:
            self._let_follow(request.digest)

    def _failed(self, call: Call, error: BaseException) -> None:
        if isinstance(error, Busy):
            self._clerk.usage.retries += 1
            self._again(call, error)
        elif isinstance(error, Rejected):
            self._clerk.usage.calls += 1
            self._clerk.reject(self._questions, call.requests, str(error), self._take)
            self._running.discard(call)
            for request in call.requests:
                self._let_follow(request.digest)
        else:
            raise error

    def _again(self, call: Call, busy: Busy) -> None:
        """Try once more after a growing random pause (full jitter: the pauses of many calls must
        not fall together), unless it was tried too often or for too long."""
        settings = self._clerk.settings
        call.tries += 1
        pause = random.Random().uniform(0, min(2.0 ** (call.tries - 1), LONGEST_PAUSE))
        # Also those who were told how long to wait must not all come back together.
        due = _after(pause + (busy.after or 0.0))
        if busy.limited:
            self._pace.refused(call.sent, busy.after)
        if call.tries > settings.retries or due > call.begun + settings.patience:
            raise ProviderFailure(
                f"{self._teacher.label} stayed busy through {call.tries} calls ({busy}); "
                "the same command goes on from here later."
            )
        if isinstance(busy, Lost):
            self._put_aside_again(call)
        self._running.discard(call)
        heapq.heappush(self._pausing, (due, id(call), call))

    def _put_aside_again(self, call: Call) -> None:
        """What was lost may be charged: asking again may cost as much again."""
        self._clerk.usage.lost += 1
        prices, budget = list(call.aside.values()), self._clerk.budget
        with budget.reserving():
            if not budget.affords(prices):
                self._clerk.patiently(lambda: self._clerk.store.forfeit(call.aside))
                self._running.discard(call)
                budget.check(prices)
            self._clerk.claim_again(call.aside)

    def _drain(self, interrupted: bool) -> bool:
        """What is under way is paid for: wait for it and keep it, each call on its own. Who
        interrupts that too means it. Whether the store had room for all that came."""
        under_way = sum(not (call.future.cancel() or call.future.done()) for call in self._running)
        wrong: list[Exception] = []
        lost: list[Reply] = []
        try:
            self._teacher.hurry()
        except Exception as error:  # what is under way must be kept all the same
            wrong.append(error)
        if interrupted and under_way and not self._teacher.capabilities.person:
            self._clerk.progress.say(
                f"Stopping; calls under way: {under_way}. Their answers are kept when they come "
                "(Ctrl-C again gives them up)."
            )
        try:
            for call in list(self._running):
                try:
                    self._end(call)
                except Unwritable:  # which is why it ends, or is said with what is lost by it
                    lost += call.replies()
                except Exception as error:  # the others are paid for too; it is said below
                    wrong.append(error)
            waiting = [digest for _, _, call in self._pausing for digest in call.aside]
            with suppress(Unwritable):  # they end with this process
                self._clerk.patiently(lambda: self._clerk.store.release(waiting))
        except KeyboardInterrupt:
            keeping.given_up()
            raise Interrupted(
                f"Stopped at once; calls given up: {under_way}. The same command goes on from here."
            ) from None
        for one in wrong:
            self._clerk.progress.say(f"An answer under way could not be taken either: {one}")
        if lost:
            self._clerk.progress.say(loss(lost))
        return not lost

    def _end(self, call: Call) -> None:
        """Keep what came of a call, and end the leases of the rest."""
        error = None if call.future.cancelled() else call.future.exception()
        store = self._clerk.store
        digests = [digest for digest in call.aside if digest not in call.sound]
        if self._may_be_charged(error):
            self._clerk.usage.lost += 1
            self._clerk.patiently(lambda: store.forfeit(digests))
        elif call.future.cancelled() or error is not None:
            self._clerk.patiently(lambda: store.release(digests))
        else:
            self._keep([call])
        if call.sound:
            self._clerk.usage.calls += 1
            answered = [(r, call.sound[r.digest]) for r in call.requests if r.digest in call.sound]
            self._clerk.keep(self._questions, answered, self._take, call.aside)

    def _may_be_charged(self, error: BaseException | None) -> bool:
        """Whether the provider may have worked, though there is no answer: when the plug-in failed,
        nobody knows whether its request was out. Else a broken one could pass a limit by and by."""
        if isinstance(error, PluginError):
            return self._teacher.capabilities.paid
        return isinstance(error, Lost)


def _after(pause: float) -> float:
    """When a pause of so many seconds is over."""
    return time.monotonic() + pause
