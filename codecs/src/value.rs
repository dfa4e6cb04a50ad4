//! A self-describing tree of Hessian values, for tools; never on the call path.
