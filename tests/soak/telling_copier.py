"""A copier that notes in the ledger what it takes up and what it claims; in all else it is the package's."""

from sg2ada_colab.storage import keeper
from sg2ada_colab.storage.copier import Copier


def let_copiers_tell(ledger, position_of):
    """Make the `RunKeeper`s of this process use such a copier.

    It notes "looking" before it puts in order what Drive has already and "looked" after it, "copying" when it has chosen a
    snapshot, "reported" when it counts one as verified on Drive, "failed", and "idle" when it says that all snapshots are there.

    Args:
        ledger: `Ledger`.
        position_of: Callable of a `SnapshotRecord`.
    """

    class TellingCopier(Copier):
        def _open_drive(self):
            ledger.write(event="looking")
            before = set(self._verified_on_drive)
            try:
                super()._open_drive()
            finally:
                for name in set(self._verified_on_drive) - before:
                    self._report(self._verified_on_drive[name][0])
                ledger.write(event="looked")

        def _copy_snapshot(self, record):
            ledger.write(event="copying", at=position_of(record))
            super()._copy_snapshot(record)
            if self._verified_on_drive.get(record.name, (None,))[0] == record:
                self._report(record)

        def _report(self, record):
            ledger.write(event="reported", at=position_of(record), name=record.name)

        def _failed(self, error):
            ledger.write(event="failed", text=str(error))
            super()._failed(error)

        def _succeeded(self):
            super()._succeeded()
            ledger.write(event="idle")

    keeper.Copier = TellingCopier
