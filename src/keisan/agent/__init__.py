"""agent: the process at a site that runs replicas and reports what is there.

Here: the link to the platform, starting, watching, adopting and restarting replicas.
Not here: how a device is read (devices), a process started (executors), a model served (engines).
"""
