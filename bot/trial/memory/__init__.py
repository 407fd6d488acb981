"""A world in memory behind the ports: for tests of policies, and what the fakes of the bot's own tests rest on."""
