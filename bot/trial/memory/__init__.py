"""A world in memory behind the ports of the bot: for tests of policies, and what the bot's own tests build their fakes on."""
