"""One module a verb, named as the verb is: its `command`, or its COMMANDS."""
