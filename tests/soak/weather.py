"""Which faults the fake Drive shows together while a child trains."""

CALM = {
    "eio": 0, "eio_on_write": 0, "short_write": 0, "twin_rename": 0, "lose_put": 0, "list_delay_s": 0, "upload_delay_s": 0,
    "upload_bytes_s": None, "bytes_s": None, "quota_bytes": None, "silent_quota_bytes": None, "dead": False, "dead_on_write": 0,
    "eager_metadata": False, "no_ids": False,
}  # fmt: skip


class Weather:
    """Sets of faults: often none, else one to three together. Each kind comes once before any comes again.

    Args:
        rng: random.Random.
        quota_bytes: A Drive of this size is too small for what a run keeps.
    """

    def __init__(self, rng, quota_bytes):
        self.rng, self.left = rng, []
        self.storms = [
            {"eio": 0.02},
            {"eio_on_write": 0.05},
            {"short_write": 0.05},
            {"twin_rename": 0.5},
            {"lose_put": 0.2},
            {"list_delay_s": 0.1},
            {"upload_delay_s": 0.4},
            {"upload_bytes_s": 2e6, "upload_delay_s": 0.1},
            {"bytes_s": 10e6},
            {"quota_bytes": quota_bytes},
            {"silent_quota_bytes": quota_bytes},
            {"dead_on_write": 0.1},
            {"eager_metadata": True, "upload_delay_s": 0.3},
            {"no_ids": True},
        ]

    def next(self, stuck):
        """Return the settings of the next weather; `stuck` says whether an upload of this machine is stuck already."""
        chosen = dict(CALM)
        for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
            self.left = self.left or self.rng.sample(self.storms, len(self.storms))
            chosen.update(self.left.pop())
        if chosen["no_ids"]:
            # Nothing can tell a stuck upload then; waiting for it to settle covers delays only, and shorter ones.
            chosen.update(lose_put=0, silent_quota_bytes=None, no_ids=not stuck)
            if chosen["eager_metadata"]:
                chosen.update(upload_bytes_s=None)
        return chosen
