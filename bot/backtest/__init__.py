"""What a policy would have done to the releases of the past, against what really became of them. Pure.

Facts of the past go in: the commits that set each stage's tag, and when each release was live. Out comes, for each move
of a release and for each watch over one, when the policy would have promoted, held or taken it back, and why; beside it
what people did then. The judging is done by `decide`, unchanged: what is built here are the observations that the bot
would have made. What is not known of the past is `cannot tell`, never good and never bad (I5).
"""
