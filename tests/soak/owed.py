"""What the copier owes at a kill: a bound on the loss that faults of Drive do not excuse.

A snapshot interval is what a kill may cost. When the machine is lost as well, only what Drive has persisted can survive, and no
copier can make Drive persist anything. What it can do, and must do in every weather, is this:

1. Newest first. When it takes up a snapshot, or says that all are there, none that was whole at its event before is newer than
   what it takes up or has reported. So what it has not reported was written since it chose the last one that it reported: an
   interval, and the time of two copies.
2. No idling, and no failures of its own. What it has not reported has been whole for at most `LAG_S`, which those two copies
   take, and the time in which Drive failed, was slow, or was put in order, which takes `LOOK_S` for each snapshot there at
   most. A copy fails only where Drive has failed.
3. A report is true. What it has reported is whole behind the mount, where retention has not deleted it, which it may do with
   all but the newest `KEPT`. What Drive has persisted of it, byte for byte as it lies there, is therefore whole in the cloud.
4. What was whole in the cloud stays so, or something newer is.

So after a machine was lost, the newest that is whole in the cloud, from which the run has to go on, is at least the newest that
was reported and persisted; where nothing waited for its upload that is the newest reported; and where Drive was calm as well,
that one is an interval and `LAG_S` old at most.

A dead mount voids the reports of what Drive had not persisted: the copier has to find that out and copy again.
"""

from intact import files_of

KEPT = 3  # `keep_last` of the runs that are killed
LAG_S = 1.5  # two copies and the deletions between them: 0.1 mostly, 0.7 at most in six hundred kills
LOOK_S = 0.1  # a tenth of it, where Drive's manifest is lost and all that lies there has to be read
PAUSE_S = 1.3  # the longest that the copier waits after a fault: 0.8 within its retries, 0.5 before its next attempt
BEHIND = "seconds behind while Drive was well, most"
LOOKING = "seconds of looking through Drive while it was well, most"


class Owed:
    """The copier's reports, as far as they hold on the Drive that is mounted now.

    Args:
        troubles: Callable of (since, until), both seconds since 1970: how many seconds of these Drive failed or was slow.
    """

    def __init__(self, troubles):
        self.troubles = troubles
        self.cloud = 0  # the newest position ever seen whole in the cloud
        self.mounted_at = self.chosen_at = self.event_at = 0.0
        self.standing = {}  # name -> position, of the reports that hold
        self.figures = {"reports": 0, "reports void with a dead mount": 0, "failed copies": 0, "lost VMs with an upload tail": 0}
        self.figures["reported and lost with a VM, most"] = 0
        for name in (BEHIND, LOOKING):
            self.figures[name] = 0.0
        self.forget_machine()
        self.forget_child()

    def forget_machine(self):
        self.written = []  # (time, position) of what is whole on the machine's disk
        self.newest_before = 0  # of these, at the copier's event before

    def forget_child(self):
        self.claimed = 0  # the newest that this child's copier reported, whether or not that holds
        self.running_at = None  # since when it trains
        self.look = [0.0, 0.0]  # when its copier began to look through Drive, and was done; None while it looks

    def newest(self):
        """Return the newest position whose report holds."""
        return max(self.standing.values(), default=0)

    def follow(self, lines):
        """Take the next lines of the ledger; judge what the copier took up, and what it said was there."""
        for line in lines:
            if line["event"] == "chosen":
                self.forget_child()
            elif line["event"] == "running":
                self.running_at = line["time"]
            elif line["event"] == "written":
                self.written.append((line["time"], line["at"]))
            elif line["event"] in ("looking", "looked", "copying", "reported", "failed", "idle"):
                getattr(self, "_" + line["event"])(line)
                self.event_at, self.newest_before = line["time"], max([at for _, at in self.written], default=0)

    def _looking(self, line):
        self.chosen_at, self.look = line["time"], [line["time"], None]

    def _looked(self, line):
        self.look[1] = line["time"]

    def _copying(self, line):
        self.chosen_at = line["time"]
        self._judge_newest_first(line["at"], "takes up")

    def _idle(self, line):
        self._judge_newest_first(0, "says that all are there, with")

    def _judge_newest_first(self, at, does):
        newest = max(at, self.claimed)
        assert newest >= self.newest_before, f"{self.newest_before} was whole, and the copier {does} {newest}"

    def _reported(self, line):
        self.figures["reports"] += 1
        self.claimed = max(self.claimed, line["at"])
        if self.chosen_at > self.mounted_at:
            self.standing[line["name"]] = line["at"]

    def _failed(self, line):
        self.figures["failed copies"] += 1
        excused = self.troubles(self.event_at - PAUSE_S, line["time"]) > 0
        assert excused, "a copy failed and Drive did not: {}".format(line["text"])

    def mount_died(self, unpersisted, lying):
        """Void the reports of what was not persisted; the arguments are as for `judge_lost_machine`."""
        before = len(lying.intersection(self.standing))
        self.standing = self._persisted(unpersisted, lying)
        self.figures["reports void with a dead mount"] += before - len(self.standing)

    def _persisted(self, unpersisted, lying):
        # What retention has deleted is owed no more, and Drive may never have persisted it.
        standing = {name: at for name, at in self.standing.items() if name in lying}
        return {name: at for name, at in standing.items() if not unpersisted.intersection(files_of(name))}

    def mount_is_back(self, now):
        self.mounted_at = now

    def judge_reports(self, whole, lying):
        """Check that what was reported is whole behind the mount.

        Args:
            whole: {name: position} of what is.
            lying: Names of the snapshots whose pickle is there; a deletion begins with the pickle.
        """
        old_to_new = sorted(self.standing.items(), key=lambda one: one[1])
        due = [one for one in old_to_new[:-KEPT] if one[0] in lying] + old_to_new[-KEPT:]
        false = [one for one in due if whole.get(one[0]) != one[1]]
        assert not false, f"reported as verified on Drive, and not whole there: {false}"

    def judge_lag(self, killed, lying):
        """Check for how long what was not reported has waited for the copier; `lying` are the snapshots that lie on Drive."""
        began, ended = self.look
        self._judge_wait(LOOKING, began, killed if ended is None else ended, LAG_S + LOOK_S * len(lying))
        waiting = [when for when, at in self.written if at > self.newest()]
        if waiting and self.running_at and ended is not None:
            self._judge_wait(BEHIND, max(waiting[0], self.running_at, self.mounted_at, ended), killed, LAG_S)

    def _judge_wait(self, name, since, until, longest_s):
        wait_s = until - since - self.troubles(since, until)
        self.figures[name] = max(self.figures[name], round(wait_s, 2))
        assert wait_s <= longest_s, f"{wait_s:.2f} {name}; allowed are {longest_s:.2f}"

    def judge_cloud(self, in_cloud):
        """Check that nothing is lost of what was seen whole in the cloud; `in_cloud` is {name: position} of what is."""
        newest = max(in_cloud.values(), default=0)
        assert newest >= self.cloud, f"{self.cloud} was whole in the cloud, and now {newest} is the newest there"
        self.cloud = newest

    def judge_lost_machine(self, in_cloud, unpersisted, lying):
        """Check that what was reported and persisted has survived the machine; then forget what has not.

        Args:
            in_cloud: {name: position} of what is whole there.
            unpersisted: Names of the files behind the mount that are not in the cloud byte for byte.
            lying: As for `judge_reports`.
        """
        survived = max(in_cloud.values(), default=0)
        owed = self._persisted(unpersisted, lying)
        newest = max(owed.values(), default=0)
        assert survived >= newest, f"{newest} was reported and persisted, and {survived} is the newest that survived"
        lost = sum(at > survived for at in self.standing.values())
        self.figures["reported and lost with a VM, most"] = max(self.figures["reported and lost with a VM, most"], lost)
        self.figures["lost VMs with an upload tail"] += bool(unpersisted)
        self.standing = owed
        self.forget_machine()
