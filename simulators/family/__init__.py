"""The family of worlds: what nobody knows of a real shop is drawn. Begin to read at `simulators.family.draw`."""
