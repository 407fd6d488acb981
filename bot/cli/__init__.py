"""The command `liftlock`, a file per subcommand."""
