"""Run folders: snapshots, manifest, lease, retention, and their copies on Drive."""
