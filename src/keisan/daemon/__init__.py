"""daemon: builds one process from Settings and runs it.

Here: the console script, settings, the supervisor, and the only imports of concrete adapters.
Not here: what the processes do; that is api, gateway and agent. Commands of people: cli.
"""
