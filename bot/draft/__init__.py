"""A first policy for a service, from what a GitOps repository says of its image. Nothing is guessed that is not there.

Enters: the texts of a repository. Leaves: the files that set a tag of the image, stages by the words of their paths,
the applications that deploy them, and the text of a policy. What is missing or not certain is a question.
"""

from bot.draft.places import Survey, images_near, survey
from bot.draft.stages import DraftStage, Found, Wanted, stages_of
from bot.draft.writing import Draft, write_policy

__all__ = ["Draft", "DraftStage", "Found", "Survey", "Wanted", "images_near", "stages_of", "survey", "write_policy"]
