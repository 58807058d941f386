"""The path of a decision, in batches: the requests that arrive while one batch is under way form the next batch.

`decider` is the door, `queue` forms the batches, and `batch` has the stages of a batch in reading order. Each stage has
a file of its own: `drafting` (the draw), `reservations`, `rows` and `appending` (the log).
"""
