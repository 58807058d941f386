"""The snapshots of the embedded Redis: when one is made, and the file that holds it."""
