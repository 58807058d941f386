"""The life of a send: what each row of the log makes of it, from drawn to activated, cancelled or bounced."""
