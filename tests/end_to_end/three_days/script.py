"""The script: what happens on Friday, at the weekend and on Monday. Each act notes in the story what it expects of the end."""

from tests.end_to_end.three_days import channels
from tests.end_to_end.three_days.friday import forgeries, friday_groups, friday_morning, friday_noon, friday_refusals
from tests.end_to_end.three_days.talks import amendments, batches, hand_over, questions
from tests.end_to_end.three_days.weekend import friday_afternoon, monday, weekend

SCRIPT = (
    channels.set_up,
    friday_morning,
    friday_refusals,
    channels.links,
    channels.webhooks,
    forgeries,
    friday_groups,
    amendments,
    questions,
    hand_over,
    batches,
    friday_noon,
    friday_afternoon,
    weekend,
    monday,
)
"""The acts, in their order."""
