//! istiod: ADS, and the ways of registering in the mesh.
