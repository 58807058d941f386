"""HTTP: one module per noun, one function per route. A route reads, calls the part that knows, and answers."""
