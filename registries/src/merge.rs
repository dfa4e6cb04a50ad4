//! Pure: both views, bindings and stages to a Directory, one service at a time.
