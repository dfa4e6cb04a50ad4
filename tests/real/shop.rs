//! The shop's services as objects of the mesh.

use std::net::IpAddr;

/// The everyday service.
pub(crate) const ORDERS: &str = "org.landbridge.peers.api.OrderService";

/// All services that the Java suite calls.
pub(crate) const SERVICES: [&str; 5] = [
    ORDERS,
    "org.landbridge.peers.api.UserService",
    "org.landbridge.peers.api.Torture",
    "warehouse-a/org.landbridge.peers.api.InventoryService:1.0.0",
    "warehouse-b/org.landbridge.peers.api.InventoryService:2.0.0",
];

/// Their interfaces, and how many of the services have each.
pub(crate) const INTERFACES: [(&str, usize); 4] = [
    (ORDERS, 1),
    ("org.landbridge.peers.api.UserService", 1),
    ("org.landbridge.peers.api.Torture", 1),
    ("org.landbridge.peers.api.InventoryService", 2),
];

/// The hosts of all services that the Java suite calls, in the derived form.
const HOSTS: [&str; 5] = [
    "org.landbridge.peers.api.orderservice.dubbo",
    "org.landbridge.peers.api.userservice.dubbo",
    "org.landbridge.peers.api.torture.dubbo",
    "org.landbridge.peers.api.inventoryservice.g-warehouse-a.v-1-0-0.dubbo",
    "org.landbridge.peers.api.inventoryservice.g-warehouse-b.v-2-0-0.dubbo",
];

/// ServiceEntries of every service of the shop at one address.
pub(crate) fn wrapper_entries(address: IpAddr, port: u16) -> String {
    HOSTS
        .map(|host| entry(host, &[(address, port, "v1")]))
        .join("---\n")
}

/// A ServiceEntry with endpoints of the given versions, on the mesh's usual port.
pub(crate) fn entry(host: &str, endpoints: &[(IpAddr, u16, &str)]) -> String {
    let name = host.replace('.', "-");
    let endpoints: String = endpoints
        .iter()
        .map(|(address, port, version)| {
            format!("  - {{address: {address}, ports: {{grpc-tri: {port}}}, labels: {{app: shop, version: {version}}}}}\n")
        })
        .collect();
    format!(
        "apiVersion: networking.istio.io/v1\n\
         kind: ServiceEntry\n\
         metadata:\n  name: {name}\n  namespace: dubbo\n  labels: {{networking.istio.io/enable-autoallocate-ip: \"false\"}}\n\
         spec:\n  hosts: [{host}]\n  location: MESH_INTERNAL\n  resolution: STATIC\n  \
         ports:\n  - {{name: grpc-tri, number: 50051, protocol: GRPC}}\n  \
         endpoints:\n{endpoints}"
    )
}
