"""Rules that judge many situations at once, as arrays; each has a readable form that judges one situation."""
