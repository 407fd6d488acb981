"""One system per module: each adapter implements a port of `bot.ports` and translates both ways."""
