"""What the registry keeps for all transactions of a process."""


def forget_kept(env):
    """Empty the caches of the registry, now and once the transaction has ended.

    Another thread that asks in between keeps what was before, and core clears its own
    process at the time of the change alone.
    """
    clear = env.registry.clear_cache
    clear()
    env.cr.postcommit.add(clear)
    env.cr.postrollback.add(clear)
