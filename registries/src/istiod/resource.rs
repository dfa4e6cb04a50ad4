//! One xDS resource to our types, parsed once at the border.
