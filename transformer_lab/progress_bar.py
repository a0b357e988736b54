"""The progress bar of long work."""

from tqdm.auto import tqdm


class ProgressBar(tqdm):
    """tqdm's bar, whose lock is free again when writing fails: bars of other threads would wait for it for ever."""

    def refresh(self, nolock: bool = False, lock_args=None):
        if nolock or lock_args or self.disable:
            return super().refresh(nolock, lock_args)
        with self.get_lock():
            return super().refresh(nolock=True)
