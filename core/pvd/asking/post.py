"""The post: the way to the teachers and back, by the store."""

from __future__ import annotations

from collections.abc import Sequence

from pvd.asking import sending, submitting
from pvd.asking.clerk import Clerk, Take
from pvd.asking.questions import Questions
from pvd.protocols import BatchTeacher, Teacher
from pvd.records import Slate


class Post(Clerk):
    """A clerk who takes slates to a teacher, and hands the answers over as they come."""

    def answers(
        self, teacher: Teacher, slates: Sequence[Slate], take: Take, batch: bool = False
    ) -> None:
        """Hand over the answer to each slate, from the store or from the teacher."""
        questions = Questions(teacher, slates)
        missing = self.look_up(questions, list(questions), take)
        if not missing:
            return
        self.connect_all(teacher)
        teacher.expect(len(questions), len(questions) - len(missing))
        with self.asking():
            while missing:
                # Also without `batch`: what an earlier command, or another one meanwhile, has
                # submitted is paid, and must be fetched.
                if isinstance(teacher, BatchTeacher):
                    missing = submitting.submit(self, teacher, questions, missing, take, batch)
                elif batch:
                    self.say_once(f"{teacher.label} has no batches; it is asked directly.")
                missing = sending.send(self, teacher, questions, missing, take)
