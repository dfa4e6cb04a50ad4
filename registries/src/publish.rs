//! Pure: a Directory and our identity to the records we must own, and the difference to what we own.
